/** `replay` as a user runs it, against a real server: nothing lost, nothing twice, and what real logs raise. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ja4OfAddress, ja4OfAgent } from "../../scripts/lib/replay/ja4-table.ts";
import { type Client, createClient, fullForm, summaryOf, until } from "../support/client.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type FeedEvent, openFeed, stored } from "../support/stream.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DATA = join(ROOT, "..", "shared", "data");
const APACHE = join(DATA, "access-logs", "apache_logs");
const LABELLED = join(DATA, "labelled-logs");
const SWITCHING = join(LABELLED, "http-dos-switching-ua.log");
const noData = !existsSync(APACHE);

const folder = mkdtempSync(join(tmpdir(), "hellotide-replay-"));
let server: TestServer;
let client: Client;

beforeAll(async () => {
  const sites = ["real", "twice", "crash", "restart", "odd", "calm"];
  server = await startServer({ sites, shards: 2, env: { TICK: "1s" } });
  client = createClient(server);
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

function start(site: string, args: readonly string[], env: Record<string, string> = {}): Run {
  const argv = ["scripts/replay.ts", "--url", server.url, "--site", site, "--state", folder, ...args];
  const child = spawn(process.execPath, argv, {
    cwd: ROOT,
    env: { ...process.env, HELLOTIDE_TOKEN: server.token, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  return { child, said, ended: once(child, "close").then(([code]) => ({ code, ...said })) };
}

const run = (site: string, ...args: string[]) => start(site, args).ended;

async function seen(site: string): Promise<number> {
  return (await summaryOf(client, site)).windows["1h"].reqs;
}

/** A combined line `second` seconds after noon. */
function logLine(second: number, address: string, path: string, agent = "curl/8.5.0", status = 200): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const time = `${two(12 + Math.floor(second / 3_600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
  return `${address} - - [10/Oct/2023:${time} +0200] "GET ${path} HTTP/1.1" ${status} 157 "-" "${agent}"`;
}

function file(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

describe("sums", () => {
  it.skipIf(noData)(
    "REPLAY-20: 10,000 lines of a real log: requests, addresses and agents per fingerprint as counted by hand (skips without ../shared/data)",
    async () => {
      const { code, out } = await run("real", APACHE, "--now", "--compress", "50m", "--speed", "max");
      // Counted from the same lines by another way of cutting them up: at the quotes.
      const rows = readFileSync(APACHE, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split('"'));
      const whole = rows.filter((parts) => parts.length === 7);
      expect([rows.length, whole.length]).toEqual([10_000, 9_999]);
      expect(out).toMatch(/^unreadable: \S+apache_logs:8899: /m);
      expect(out).toMatch(/^10000 lines = 9999 records \+ 1 unreadable$/m);
      expect(out).toMatch(/^9999 records = 9999 accepted \+ 0 expired \+ 0 rejected \+ 0 not sent$/m);
      expect(code).toBe(0);

      const counts = new Map<string, { reqs: number; ips: Set<string>; uas: Set<string> }>();
      for (const parts of whole) {
        const agent = parts[5] === "-" ? undefined : parts[5];
        const { ja4 } = ja4OfAgent(agent);
        const count = counts.get(ja4) ?? { reqs: 0, ips: new Set(), uas: new Set() };
        counts.set(ja4, count);
        count.reqs++;
        count.ips.add(parts[0]?.split(" ")[0] ?? "");
        if (agent !== undefined) count.uas.add(agent);
      }
      const answer = await client.get("/v1/sites/real/fingerprints?limit=1000");
      const { fingerprints } = answer.json<{
        fingerprints: { ja4: string; reqs: number; ips: number; uas?: number }[];
      }>();
      expect(fingerprints.map(({ ja4 }) => ja4).sort()).toEqual([...counts.keys()].sort());
      for (const { ja4, reqs, ips, uas } of fingerprints) {
        const count = counts.get(ja4);
        expect({ ja4, reqs }).toEqual({ ja4, reqs: count?.reqs });
        // Exact up to 256; then 3 % standard error (contract §4), of which four are hardly ever passed.
        for (const [found, exact] of [
          [ips, count?.ips.size ?? 0],
          [uas ?? 0, count?.uas.size ?? 0],
        ] as const) {
          if (exact <= 256) expect(found, ja4).toBe(exact);
          else expect(Math.abs(found - exact), ja4).toBeLessThanOrEqual(0.12 * exact);
        }
      }
    },
  );

  it("REPLAY-21: the same command again counts nothing twice; --again and --repeat do", async () => {
    const path = file(
      "twice.log",
      Array.from({ length: 300 }, (_, i) => logLine(i, "192.0.2.1", `/${i}`)),
    );
    for (const expected of [300, 300]) {
      const { code, out } = await run("twice", path, "--now");
      expect(out).toMatch(/^300 records = 300 accepted/m);
      expect(code).toBe(0);
      expect(await seen("twice")).toBe(expected);
    }
    await run("twice", path, "--now", "--again");
    expect(await seen("twice")).toBe(600);
    const { out } = await run("twice", path, "--now", "--repeat", "2");
    expect(out).toMatch(/^600 records = 600 accepted/m);
    expect(await seen("twice")).toBe(1_200);
  });

  it("REPLAY-24: what was not accepted is named, and the exit code says so", async () => {
    const fresh = file("odd.ndjson", [
      JSON.stringify({ timestamp: Date.now(), status: 200, ja4: ja4OfAddress("a") }),
      JSON.stringify({ timestamp: Date.now(), status: 1_000 }),
      "",
      "{ broken",
      JSON.stringify({ timestamp: Date.now() - 7_200_000 }),
    ]);
    const odd = await run("odd", fresh);
    expect(odd.code).toBe(1);
    expect(odd.out).toMatch(/unreadable: \S+odd\.ndjson:4: not JSON/);
    expect(odd.out).toMatch(
      /1 rejected: status is not an integer from 100 to 599 \(first: \S+odd\.ndjson:2\)/,
    );
    expect(odd.out).toMatch(/^5 lines = 3 records \+ 1 unreadable \+ 1 blank$/m);
    expect(odd.out).toMatch(/^3 records = 1 accepted \+ 1 expired \+ 1 rejected \+ 0 not sent$/m);

    const old = await run("odd", file("old.log", [logLine(0, "192.0.2.1", "/")]));
    expect(old.out).toMatch(/will be expired: --now shifts a log/);
    expect(old.code).toBe(1);

    const refused = await start("odd", [fresh], { HELLOTIDE_TOKEN: "no-such-token" }).ended;
    expect(refused.out).toMatch(/the server answers 401: .*\n5 lines = .*\n3 records = .* 3 not sent/);
    expect(refused.code).toBe(1);
    expect((await run("nowhere", fresh)).out).toMatch(/the server answers 404/);

    const wrong = await run("odd", join(folder, "absent.log"));
    expect([wrong.code, wrong.err]).toEqual([
      2,
      expect.stringMatching(/^replay: .*absent\.log: cannot be read/),
    ]);
    expect((await run("odd", fresh, "--speed", "no")).code).toBe(2);
    expect((await run("odd", "--help")).out).toMatch(/^Usage: npm run replay/);
  });

  it("REPLAY-26: several files are one log, gzip among them, each in its own format", async () => {
    const first = join(folder, "first.gz");
    writeFileSync(
      first,
      gzipSync(Array.from({ length: 10 }, (_, i) => `${logLine(i, "192.0.2.1", "/a")}\n`).join("")),
    );
    const time = Date.UTC(2023, 9, 10, 10, 1);
    const second = file("second.ndjson", [JSON.stringify({ timestamp: time, client_ip: "192.0.2.2" })]);
    const { code, out } = await run("calm", first, second, "--now", "--compress", "10m", "--ja4-by", "ip");
    expect(out).toMatch(/first\.gz: combined, gzip\n.*second\.ndjson: ndjson/);
    expect(code).toBe(0);
    const one = await fullForm(client, "calm", ja4OfAddress("192.0.2.1"));
    const two = await fullForm(client, "calm", ja4OfAddress("192.0.2.2"));
    expect([one.windows["1h"].reqs, two.windows["1h"].reqs]).toEqual([10, 1]);
    // Ten minutes from the first line to the last, which is now.
    expect(Date.parse(two.last_seen) - Date.parse(one.first_seen)).toBe(600_000);
  });
});

describe("when the server goes away", () => {
  const LINES = 24_000;
  const log = () =>
    file(
      "long.log",
      Array.from({ length: LINES }, (_, i) =>
        logLine(Math.floor(i / 400), `192.0.2.${i % 200}`, `/${i % 50}`),
      ),
    );
  /** A minute of log at ten times real time: six seconds, a piece each second. */
  const PACE = ["--now", "--speed", "10"];

  it("REPLAY-22: server and replay killed in the middle, the same command again: every line exactly once", async () => {
    const first = start("crash", [log(), ...PACE]);
    await until("the first pieces", 15_000, async () => ((await seen("crash")) > 0 ? true : undefined));
    await server.kill();
    first.child.kill("SIGKILL");
    await first.ended;
    await server.restart();
    const before = await seen("crash");
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(LINES);
    const { code, out } = await run("crash", log(), ...PACE);
    expect(out).toMatch(/^continues the replay begun/m);
    expect(out).toContain(`${LINES} records = ${LINES} accepted + 0 expired + 0 rejected + 0 not sent`);
    expect(code).toBe(0);
    expect(await seen("crash")).toBe(LINES);
  });

  it("REPLAY-23: a server that comes back is waited for: every line exactly once, in one run", async () => {
    const whole = start("restart", [log(), ...PACE]);
    await until("the first pieces", 15_000, async () => ((await seen("restart")) > 0 ? true : undefined));
    await server.kill();
    await until("a loss", 15_000, async () => (/no answer from/.test(whole.said.err) ? true : undefined));
    await server.restart();
    const { code, out, err } = await whole.ended;
    expect(out).toContain(`${LINES} records = ${LINES} accepted`);
    expect(err).toMatch(/no answer from 127\.0\.0\.1:\d+ .*next try in/);
    expect(code).toBe(0);
    expect(await seen("restart")).toBe(LINES);
  });

  it("REPLAY-23: stopped by a signal it says what was not sent", async () => {
    const stopped = start("restart", [log(), ...PACE, "--repeat", "2"]);
    await until("the first pieces", 15_000, async () => ((await seen("restart")) > LINES ? true : undefined));
    stopped.child.kill("SIGINT");
    const { code, out } = await stopped.ended;
    const [, accepted, rest] = /(\d+) accepted \+ 0 expired \+ 0 rejected \+ (\d+) not sent/.exec(out) ?? [];
    expect(Number(accepted) + Number(rest)).toBe(2 * LINES);
    expect(Number(rest)).toBeGreaterThan(0);
    expect(out).toMatch(/stopped; the same command continues/);
    expect(code).toBe(1);
  });
});

describe.skipIf(noData)("labelled attacks over a real hour (skips without ../shared/data)", () => {
  let whole: TestServer;
  beforeAll(async () => {
    // One shard: what is usual is learned from the fingerprints of a shard, so that here it is the whole site's.
    whole = await startServer({ sites: ["attack"], shards: 1, env: { TICK: "1s" } });
  });
  afterAll(async () => whole?.stop());

  it("REPLAY-25: switching agents raise ua_rotation, probing raises path_scan, the background nothing", async () => {
    const feed = await openFeed(whole, "attack", { query: "since=0" });
    const send = async (...args: string[]) => {
      const argv = [...args, "--now", "--url", whole.url];
      expect((await start("attack", argv, { HELLOTIDE_TOKEN: whole.token }).ended).code).toBe(0);
    };
    await send(APACHE, "--compress", "50m");
    // 13 agents of one address; four times over they reach the 50 requests a minute that the kind asks for. All of them
    // within one minute, so neither while one ends nor right after: they are given the times of the second before.
    await expect.poll(() => (new Date().getUTCSeconds() + 55) % 60, { timeout: 25_000 }).toBeLessThan(40);
    await send(SWITCHING, "--ja4-by", "ip", "--repeat", "4", "--compress", "1s");
    await send(join(LABELLED, "apache-http-probing.log"), "--ja4-by", "ip");
    const raised = (kind: string, address: string) => {
      const ja4 = ja4OfAddress(address);
      const is = ({ type, subject, data }: FeedEvent) =>
        type === "hellotide.anomaly.raised" && data.kind === kind && subject === ja4;
      return feed.waitFor(`${kind} of ${address}`, is, 20_000);
    };
    await raised("ua_rotation", "1.2.3.4");
    await raised("path_scan", "172.17.0.1");
    const accused = new Set(stored(feed).map(({ subject }) => subject));
    expect([...accused].sort()).toEqual([ja4OfAddress("1.2.3.4"), ja4OfAddress("172.17.0.1")].sort());
    feed.close();
  }, 60_000);
});
