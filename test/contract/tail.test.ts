/** `tail` as a user runs it, against a real server: every event once, over losses, and a clear word when it is refused. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../scripts/lib/port.ts";
import { type Client, createClient, ingestAll, ja4Of, until } from "../support/client.ts";
import { startServer, type TestServer } from "../support/server.ts";
import type { FeedEvent } from "../support/stream.ts";
import { withoutStorms } from "./helpers/rules.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** More events than one connection may leave unacknowledged (1 MiB): about 1 KiB each. */
const MANY = 2_500;

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["shop", "many"], shards: 2, env: { TICK: "1s" } });
  client = createClient(server);
  for (const site of ["shop", "many"]) {
    await withoutStorms(client, site);
    const when = { signal: "reqs", window: "1m", op: ">", value: 0 };
    const threshold = { id: "seen", ja4: "*", severity: "warning", when, on_missing: "skip", cooldown: "0s" };
    const answer = await client.post(`/v1/sites/${site}/thresholds`, { json: threshold });
    if (answer.status !== 201) throw new Error(answer.text);
  }
});
afterAll(async () => server?.stop());

interface Run {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly ended: Promise<number | null>;
}

function tail(args: readonly string[], token = server.token): Run {
  const child = spawn(process.execPath, ["scripts/tail.ts", "--url", server.url, ...args], {
    cwd: ROOT,
    env: { ...process.env, HELLOTIDE_TOKEN: token },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  return { child, said, ended: once(child, "close").then(([code]) => code) };
}

/** Makes one event a fingerprint, from number `from` on. */
async function cause(site: string, from: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({ timestamp: Date.now(), ja4: ja4Of(from + i) }));
  await ingestAll(client, site, records);
}

const lines = ({ said }: Run): string[] => said.out.split("\n").filter((line) => line !== "");
const events = (run: Run): FeedEvent[] => lines(run).map((line) => JSON.parse(line) as FeedEvent);
const raised = (run: Run): string[] =>
  events(run)
    .filter(({ type }) => type === "hellotide.threshold.raised")
    .map(({ subject }) => subject ?? "");
const has = (run: Run, what: string, timeoutMs = 20_000) =>
  until(`${what} in ${run.said.err}`, timeoutMs, async () =>
    run.said.err.includes(what) ? true : undefined,
  );
const hasRaised = (run: Run, count: number) =>
  until(`${count} raised`, 30_000, async () => (raised(run).length >= count ? true : undefined));

async function stop(run: Run, signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
  run.child.kill(signal);
  return await run.ended;
}

describe("the feed in a terminal", () => {
  it("TAIL-20: every event exactly once and in order, over a server that was killed and one that was stopped", async () => {
    const run = tail(["--site", "shop", "--json"]);
    await has(run, "connected at cursor");
    await cause("shop", 0, 20);
    await hasRaised(run, 20);
    await server.kill();
    await has(run, "lost 127.0.0.1");
    await server.restart();
    // While it is away, or not yet back, whichever comes first.
    await cause("shop", 100, 20);
    await hasRaised(run, 40);
    await has(run, "resumed at cursor");
    await server.restart();
    await cause("shop", 200, 20);
    await hasRaised(run, 60);
    expect(await stop(run, "SIGINT")).toBe(0);
    const expected = [0, 100, 200].flatMap((from) => Array.from({ length: 20 }, (_, i) => ja4Of(from + i)));
    expect(raised(run).sort()).toEqual(expected.sort());
    const sequences = events(run).map(({ sequence }) => sequence ?? "");
    expect(sequences).toEqual([...new Set(sequences)].sort());

    // The cursor that it names at its end is the place to go on from.
    const cursor = /--since (\d+) goes on/.exec(run.said.err)?.[1] ?? "";
    expect(cursor).toBe(sequences.at(-1));
    await cause("shop", 300, 5);
    const later = tail(["--site", "shop", "--json", "--since", cursor]);
    await hasRaised(later, 5);
    expect(await stop(later)).toBe(0);
    expect(raised(later).sort()).toEqual(Array.from({ length: 5 }, (_, i) => ja4Of(300 + i)).sort());
  }, 60_000);

  it("TAIL-21: a long past comes whole, though the server ends a connection after 1 MiB without an ack", async () => {
    await cause("many", 0, MANY);
    const probe = tail(["--site", "many", "--json", "--since", "0"]);
    await hasRaised(probe, MANY);
    expect(await stop(probe)).toBe(0);
    // Now that all of it is past, in one go.
    const run = tail(["--site", "many", "--json", "--since", "0"]);
    await hasRaised(run, MANY);
    expect(await stop(run)).toBe(0);
    expect(new Set(raised(run)).size).toBe(MANY);
    const sequences = events(run).map(({ sequence }) => sequence ?? "");
    expect(sequences).toEqual([...new Set(sequences)].sort());
    expect(run.said.out.length).toBeGreaterThan(1024 * 1024);
    expect(run.said.err).toMatch(/resumed at cursor/);
  }, 60_000);

  it("TAIL-22: one aligned line an event; filters are the server's", async () => {
    const run = tail(["--site", "many", "--since", "0", "--kind", "threshold"]);
    await until("lines", 15_000, async () => (lines(run).length >= 100 ? true : undefined));
    await stop(run);
    const line =
      /^\d\d-\d\d \d\d:\d\d:\d\dZ {2}▲ warning {3}raised {3}seen {11}t13d1516h2_[0-9a-f_]{25} {2}\S.*$/;
    for (const one of lines(run).slice(0, 100)) expect(one).toMatch(line);

    const other = tail(["--site", "many", "--since", "0", "--kind", "surge", "--json"]);
    await has(other, "connected");
    expect(await stop(other)).toBe(0);
    expect(lines(other)).toEqual([]);
  });

  it("TAIL-23: refused with a clear line: 1 for token, scope and site, 2 for wrong use", async () => {
    const refused = async (args: readonly string[], token?: string): Promise<[number | null, string]> => {
      const run = tail(args, token);
      return [await run.ended, run.said.err];
    };
    expect(await refused([], "no-such-token")).toEqual([
      1,
      expect.stringMatching(/^tail: the server refuses \(401: /),
    ]);
    expect(await refused(["--site", "nowhere"])).toEqual([
      1,
      expect.stringMatching(/^tail: the server refuses \(404: /),
    ]);
    const created = await startServer({
      env: {
        // Of the token "ingest-only-token".
        API_TOKENS: JSON.stringify([
          {
            name: "ingest",
            sha256: "70927a0fec059906511c3c2f6359f4d9ff03c9a650d91d9dc0e10d6410a1b1a7",
            scopes: ["ingest"],
            sites: ["*"],
          },
        ]),
      },
    });
    const narrow = await refused(["--url", created.url], "ingest-only-token");
    await created.stop();
    expect(narrow).toEqual([1, expect.stringMatching(/^tail: the server refuses \(403: /)]);
    expect(await refused(["--since", "99999999"])).toEqual([2, expect.stringMatching(/400: .*newer/)]);
    expect(await refused(["--kind", "moonshine"])).toEqual([2, expect.stringMatching(/400: .*kind/)]);
    expect((await refused(["--min-score", "99"]))[0]).toBe(2);
    expect((await refused([], ""))[0]).toBe(2);
  });

  it("TAIL-24: a server that is not there yet is waited for, and a stop meanwhile is a normal end", async () => {
    const place = `127.0.0.1:${await freePort()}`;
    const run = tail(["--url", `http://${place}`]);
    await has(run, `no connection to ${place}`);
    expect(run.said.err).toMatch(/again in \d\.\d s/);
    expect(await stop(run)).toBe(0);
  });
});
