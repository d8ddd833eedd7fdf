/** The command itself, started as a user would: its ready line, its exit, its data over a restart, its refusals. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../scripts/lib/port.ts";
import { createClient, hourlyRequests, ingestAll, ja4Of } from "../support/client.ts";
import { openFeed } from "../support/stream.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_MS = 15_000;
const TOKEN = "serve-test-token-0123456789abcdef0123456789abcdef";

interface Run {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly output: { stdout: string; stderr: string };
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
}

const runs: Run[] = [];
const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "hellotide-serve-"));
  folders.push(made);
  return made;
}

function run(args: readonly string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, ["scripts/serve.ts", ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  const exit = once(child, "exit").then(([code, signal]) => ({ code, signal }));
  const started = { child, output, exit };
  runs.push(started);
  return started;
}

/** Resolves with the first line of standard output. */
async function ready(one: Run): Promise<string> {
  const line = (async () => {
    while (!one.output.stdout.includes("\n")) await once(one.child.stdout, "data");
    return one.output.stdout.split("\n")[0] ?? "";
  })();
  const failed = one.exit.then(({ code }) => {
    throw new Error(`ended with ${code}: ${one.output.stderr}`);
  });
  return Promise.race([line, failed]);
}

async function stop(one: Run, signal: NodeJS.Signals): Promise<number | null> {
  one.child.kill(signal);
  return (await one.exit).code;
}

afterEach(async () => {
  for (const one of runs.splice(0)) {
    if (one.child.exitCode === null && one.child.signalCode === null) one.child.kill("SIGTERM");
    await one.exit;
  }
});
afterAll(() => {
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

describe("serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "SERVE-1: prints one ready line, answers, exits 0 on %s",
    async (signal) => {
      const port = await freePort();
      const one = run(["--port", `${port}`, "--persist", folder(), "--token", TOKEN, "--sites", "shop,api"]);
      expect(await ready(one)).toBe(`ready http://127.0.0.1:${port}`);
      const client = createClient({ url: `http://127.0.0.1:${port}`, token: TOKEN });
      expect((await client.get("/healthz", { token: null })).status).toBe(200);
      expect((await client.get("/v1/sites/api/summary")).status).toBe(200);
      expect(await stop(one, signal)).toBe(0);
      expect(one.output.stdout.trim().split("\n").length).toBe(1);
      await expect(client.get("/healthz")).rejects.toThrow();
    },
    START_MS,
  );

  it(
    "SERVE-2: exits 0 within seconds although a feed is open",
    async () => {
      const port = await freePort();
      const one = run(["--port", `${port}`, "--persist", folder(), "--token", TOKEN, "--sites", "shop"]);
      await ready(one);
      const feed = await openFeed({ url: `http://127.0.0.1:${port}`, token: TOKEN }, "shop");
      const asked = performance.now();
      expect(await stop(one, "SIGTERM")).toBe(0);
      expect(performance.now() - asked).toBeLessThan(5_000);
      await feed.closed;
    },
    START_MS,
  );

  it(
    "SERVE-3: settings come as environment too, and the data are there after a restart",
    async () => {
      const persist = folder();
      const env = {
        HELLOTIDE_PERSIST: persist,
        HELLOTIDE_TOKEN: TOKEN,
        HELLOTIDE_SHARDS: "2",
        HELLOTIDE_SITES: "shop",
        HELLOTIDE_HOST: "127.0.0.1",
      };
      const ja4s = Array.from({ length: 10 }, (_, i) => ja4Of(i + 1));
      for (const round of [1, 2]) {
        const port = await freePort();
        const one = run([], { ...env, HELLOTIDE_PORT: `${port}` });
        expect(await ready(one)).toBe(`ready http://127.0.0.1:${port}`);
        const client = createClient({ url: `http://127.0.0.1:${port}`, token: TOKEN });
        await ingestAll(
          client,
          "shop",
          ja4s.map((ja4) => ({ timestamp: Date.now() - 1_001, ja4 })),
        );
        for (const ja4 of ja4s) expect(await hourlyRequests(client, "shop", ja4)).toBe(round);
        expect(await stop(one, "SIGTERM")).toBe(0);
      }
    },
    2 * START_MS,
  );

  it(
    "SERVE-4: another number of shards later is ignored with a warning that names both",
    async () => {
      const persist = folder();
      const ja4s = Array.from({ length: 16 }, (_, i) => ja4Of(i + 1));
      for (const shards of ["3", "5"]) {
        const port = await freePort();
        const one = run([
          "--port",
          `${port}`,
          "--persist",
          persist,
          "--token",
          TOKEN,
          "--sites",
          "shop",
          "--shards",
          shards,
        ]);
        await ready(one);
        const client = createClient({ url: `http://127.0.0.1:${port}`, token: TOKEN });
        await ingestAll(
          client,
          "shop",
          ja4s.map((ja4) => ({ timestamp: Date.now() - 1_001, ja4 })),
        );
        const expected = shards === "3" ? 1 : 2;
        for (const ja4 of ja4s) expect(await hourlyRequests(client, "shop", ja4)).toBe(expected);
        expect(await stop(one, "SIGTERM")).toBe(0);
        if (shards === "5") expect(one.output.stderr).toMatch(/(?=.*\b3\b)(?=.*\b5\b).*shards/i);
      }
    },
    2 * START_MS,
  );

  it.each([
    ["TICK", { TICK: "often" }, []],
    ["API_TOKENS", { API_TOKENS: "{" }, []],
    ["shards", {}, ["--shards", "many"]],
    ["sites", {}, ["--sites", "Not A Site"]],
    ["port", {}, ["--port", "99999"]],
    ["nonsense", {}, ["--nonsense"]],
  ] as const)(
    "SERVE-5: a wrong %s stops the start with one line that names it",
    async (name, env, args) => {
      const port = await freePort();
      const one = run(["--port", `${port}`, "--persist", folder(), "--token", TOKEN, ...args], env);
      expect((await one.exit).code).not.toBe(0);
      expect(one.output.stdout).toBe("");
      const lines = one.output.stderr.trim().split("\n");
      expect(lines.length).toBe(1);
      expect(lines[0]).toMatch(new RegExp(name, "i"));
    },
    START_MS,
  );
});
