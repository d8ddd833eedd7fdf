/** START-1…6: the main job as a newcomer runs it, in a short form: what it prints, what it raises, how it ends. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readHolder } from "../../scripts/lib/lock.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SEED = 3;
const SHOW_MS = 100_000;
const WAIT_MS = 30_000;

interface Run {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly closed: Promise<number | null>;
  stdout: string;
  stderr: string;
}

const folders: string[] = [];
const runs: Run[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "hellotide-start-"));
  folders.push(made);
  return made;
}

function start(dir: string, args: readonly string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, ["scripts/start.ts", "--persist", dir, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // "close", not "exit": the engine holds the same standard error, so this comes only when both are gone.
  const closed = once(child, "close").then(([code]) => code as number | null);
  const run: Run = { child, closed, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    run.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    run.stderr += text;
  });
  runs.push(run);
  return run;
}

async function untilPrinted(run: Run, pattern: RegExp): Promise<RegExpExecArray> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = pattern.exec(run.stdout);
    if (found !== null) return found;
    if (run.child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`no ${pattern} in: ${run.stdout}\n${run.stderr}`);
    }
    await sleep(20);
  }
}

afterAll(async () => {
  for (const { child, closed } of runs) {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await closed;
  }
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

describe(`seed ${SEED}: a short show`, () => {
  let run: Run;
  let dir: string;
  let code: number | null;
  let answer: unknown;

  beforeAll(async () => {
    dir = folder();
    const scenes = "stuffing,path-scan,ua-rotation,impostor,release";
    run = start(dir, ["--port", "0", "--seed", `${SEED}`, "--scenes", scenes, "--every", "2s", "--once"]);
    // The printed line, as a newcomer would paste it.
    const [, token = "", url = ""] = await untilPrinted(
      run,
      /curl -s -H 'Authorization: Bearer (\S+)' '(\S+)'/,
    );
    await untilPrinted(run, /injected/);
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    answer = await response.json();
    code = await run.closed;
  }, SHOW_MS);

  it("START-1: prints address, token and a request that works", () => {
    expect(run.stdout).toMatch(/^ {2}(?:API|dashboard) +http:\/\/127\.0\.0\.1:\d+\//m);
    expect(run.stdout).toMatch(/^ {2}token +[\w-]{40,}$/m);
    expect((answer as { fingerprints: unknown[] }).fingerprints).toHaveLength(5);
  });

  it("START-2: back-fills an hour of background through the ingest path", () => {
    const requests = Number(/an hour of background: (\d+) requests/.exec(run.stdout)?.[1]);
    expect(requests).toBeGreaterThan(40_000);
  });

  it("START-3: every attack is on the feed within 60 s, beside what was injected", () => {
    const after = [...run.stdout.matchAll(/✓ (\D+?) injected [\d:]{8} → raised after (\d+) s/g)];
    const titles = new Set(after.map(([, title]) => title));
    expect([...titles].sort()).toEqual([
      "Credential stuffing",
      "Impostor",
      "Path scan",
      "User-agent rotation",
    ]);
    for (const [line, , seconds] of after) expect(Number(seconds), line).toBeLessThan(60);
    expect(run.stdout).toMatch(/raised +surge +t1\S{34}\n/);
  });

  it("START-4: nothing else is raised, and the last line says so", () => {
    expect(run.stdout).toContain("4 of 4 attacks raised, 0 false raises");
    expect(run.stdout).not.toContain("✗");
    expect(run.stdout).toMatch(/✓ [\d:]{8} {2}Browser release +nothing/);
  });

  it("START-5: exits 0, says nothing on standard error, and no process holds the folder", () => {
    expect(code).toBe(0);
    expect(run.stderr).toBe("");
    expect(readHolder(dir)).toBeUndefined();
  });

  it("START-5: without a terminal there is no colour and no line drawn over another", () => {
    expect(run.stdout).not.toContain("\x1b");
    expect(run.stdout).not.toContain("\r");
  });

  it("START-6: started again it goes on where it was, in the same world, until SIGINT: exit 0", async () => {
    const again = start(dir, ["--port", "0"]);
    await untilPrinted(again, /background since the last demo: \d+ requests/);
    expect(again.stdout).toContain(`(seed ${SEED})`);
    expect(JSON.parse(readFileSync(join(dir, "demo.json"), "utf8"))).toEqual({ seed: SEED, round: 2 });
    await untilPrinted(again, /Flash crowd +harmless/);
    again.child.kill("SIGINT");
    expect(await again.closed).toBe(0);
    expect(again.stderr).toBe("");
    expect(readHolder(dir)).toBeUndefined();
  }, 60_000);

  it("START-6: another seed would not fit to the folder's last hour and is refused", async () => {
    const other = start(dir, ["--port", "0", "--seed", "4"]);
    expect(await other.closed).toBe(1);
    expect(other.stderr).toMatch(/^start: the folder holds the last hour of a demo with seed 3; [^\n]+\n$/);
  }, 60_000);
});

describe("the command line", () => {
  it.each([
    [["--scenes", "flood,nonsense"], "--scenes: no scene nonsense (--help lists them)"],
    [["--seed", "-1"], /--seed/],
    [["--every", "soon"], "--every: not a duration such as 55s or 2m: soon"],
    [["--token", "x"], /--token/],
  ])("START-7: %j is refused with one line and exit 2", async (args, line) => {
    const run = start(folder(), args);
    expect(await run.closed).toBe(2);
    expect(run.stderr).toMatch(/^start: [^\n]+\n$/);
    expect(run.stderr).toMatch(line);
    expect(run.stdout).toBe("");
  });

  it("START-7: a taken port that the user chose is refused", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? `${address.port}` : "";
    const refused = start(folder(), ["--port", port]);
    expect(await refused.closed).toBe(1);
    expect(refused.stderr).toContain(`127.0.0.1:${port} is in use`);
    holder.close();
    await once(holder, "close");
  });

  it("START-7: an interrupt while it starts ends it with 0 and leaves nothing", async () => {
    const dir = folder();
    const run = start(dir, ["--port", "0"]);
    await untilPrinted(run, /token/);
    run.child.kill("SIGTERM");
    expect(await run.closed).toBe(0);
    expect(readHolder(dir)).toBeUndefined();
  });
});
