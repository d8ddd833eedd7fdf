/** The client against a real server: typed requests, the feed over a restart, refusals, and the example of docs/client.md. */
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FeedEvent, HelloTide, HelloTideError } from "../../client/index.ts";
import { ja4Of } from "../support/client.ts";
import { startServer, type TestServer } from "../support/server.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RULE = {
  id: "seen",
  ja4: "*",
  when: { signal: "reqs", window: "1m", op: ">", value: 0 },
  on_missing: "skip",
  cooldown: "0s",
} as const;

let server: TestServer;
let hellotide: HelloTide;

beforeAll(async () => {
  server = await startServer({ sites: ["shop", "rest"], shards: 2, env: { TICK: "1s" } });
  hellotide = new HelloTide(server);
});
afterAll(async () => server?.stop());

const seen = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ timestamp: Date.now(), ja4: ja4Of(from + i) }));

describe("requests", () => {
  it("CLI-20: every method gives what its type says; pages and rows are iterated to their end", async () => {
    const site = hellotide.site("rest");
    expect((await site.ingest(seen(0, 5), { idempotencyKey: "one" })).accepted).toBe(5);
    expect((await site.ingest(seen(0, 5).slice(0, 0))).accepted).toBe(0);
    expect((await site.fingerprint(ja4Of(1))).windows["1h"].reqs).toBe(1);
    const listed: string[] = [];
    for await (const { ja4 } of site.fingerprints({ limit: 2, sort: "reqs" })) listed.push(ja4);
    const all = Array.from({ length: 5 }, (_, i) => ja4Of(i));
    expect(listed.sort()).toEqual(all);
    const rows: string[] = [];
    for await (const { ja4 } of site.features({ ja4: "t13*" })) rows.push(ja4);
    expect(rows).toEqual([...all].sort());
    const { fingerprints, missing } = await site.lookup([ja4Of(0), ja4Of(99)]);
    expect([fingerprints.map(({ ja4 }) => ja4), missing]).toEqual([[ja4Of(0)], [ja4Of(99)]]);
    expect((await site.timeline(ja4Of(0))).minutes).toHaveLength(60);
    expect((await site.summary()).windows["1h"].reqs).toBe(5);

    expect((await site.thresholds.create(RULE)).id).toBe("seen");
    expect((await site.thresholds.test("seen")).would_fire).toHaveLength(5);
    expect((await site.thresholds.put("seen", { ...RULE, enabled: false })).enabled).toBe(false);
    const ids: string[] = [];
    for await (const { id } of site.thresholds.list()) ids.push(id);
    expect(ids).toEqual(["seen"]);
    await site.thresholds.delete("seen");
    const gone = await site.thresholds.get("seen").catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(HelloTideError);
    expect((gone as HelloTideError).status).toBe(404);
    expect((gone as HelloTideError).problem?.instance).toBeDefined();

    const { kinds } = await hellotide.request("GET", "/v1/sites/{site}/detection", {
      params: { site: "rest" },
    });
    expect(kinds.surge?.enabled).toBe(true);
    expect(await hellotide.request("GET", "/metrics")).toMatch(/# EOF/);
  });

  it("CLI-21: misuse does not compile", () => {
    // Never run: the compiler is the test (`npm run check`, types).
    const misuse = [
      // @ts-expect-error a path that there is not
      () => hellotide.request("GET", "/v1/sites/{site}/nothing", { params: { site: "a" } }),
      // @ts-expect-error a method that the path does not have
      () => hellotide.request("DELETE", "/v1/sites/{site}/summary", { params: { site: "a" } }),
      // @ts-expect-error without the values of the path
      () => hellotide.request("GET", "/v1/sites/{site}/summary"),
      // @ts-expect-error the feed is no request
      () => hellotide.request("GET", "/v1/sites/{site}/feed", { params: { site: "a" } }),
      // @ts-expect-error a value that is not of the list
      () => hellotide.site("a").fingerprints({ sort: "size" }),
      // @ts-expect-error a threshold without `on_missing`
      () => hellotide.site("a").thresholds.create({ when: RULE.when }),
      // @ts-expect-error a number where a cursor is a text
      () => hellotide.site("a").feed({ since: 7 }),
      // @ts-expect-error a threshold's event has no score
      (event: FeedEvent) => event.type === "hellotide.threshold.raised" && event.data.score,
    ];
    expect(misuse.every((one) => typeof one === "function")).toBe(true);
  });
});

describe("the feed", () => {
  it.each(["header", "ticket"] as const)(
    "CLI-22: each event once and in order over a restart, with a %s; the cursor goes on where it ended",
    async (feedAuth) => {
      const first = feedAuth === "header" ? 1_000 : 2_000;
      const site = new HelloTide({ ...server, feedAuth }).site("shop");
      await site.thresholds.put("seen", RULE);
      const states: string[] = [];
      const feed = site.feed({
        type: "hellotide.threshold.raised",
        onState: ({ state }) => states.push(state),
      });
      const events: FeedEvent[] = [];
      const reading = (async () => {
        for await (const event of feed) {
          events.push(event);
          if (events.length === 5) {
            await server.restart();
            await site.ingest(seen(first + 100, 5));
          }
          if (events.length === 10) break;
        }
      })();
      await expect.poll(() => states.length, { timeout: 10_000 }).toBe(1);
      await site.ingest(seen(first, 5));
      await reading;
      const expected = [0, 100].flatMap((from) => seen(first + from, 5).map(({ ja4 }) => ja4));
      expect(events.map(({ subject }) => subject).sort()).toEqual(expected.sort());
      const sequences = events.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...new Set(sequences)].sort());
      expect(feed.cursor).toBe(sequences.at(-1));
      expect(states).toContain("waiting");
    },
  );

  it("CLI-23: a signal ends it without an error, what cannot succeed with one", async () => {
    const read = async (client: HelloTide, options: object) => {
      for await (const _ of client.site("shop").feed(options)) return "an event";
      return "the end";
    };
    const abort = new AbortController();
    const ended = read(hellotide, { kind: "surge", signal: abort.signal, onState: () => abort.abort() });
    expect(await ended).toBe("the end");
    for (const feedAuth of ["header", "ticket"] as const) {
      const stranger = new HelloTide({ ...server, token: "nobody", feedAuth });
      await expect(read(stranger, {}), feedAuth).rejects.toMatchObject({
        name: "HelloTideError",
        status: 401,
      });
    }
  });
});

describe("docs/client.md", () => {
  it("CLI-24: its example runs as it stands, on the built package", async () => {
    const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "docs/client.md"), "utf8"))?.[1] ?? "";
    await promisify(execFile)(process.execPath, ["scripts/build-client.ts"], { cwd: ROOT });
    const file = join(server.dir, "example.ts");
    const entry = JSON.stringify(join(ROOT, "dist/client/index.js"));
    const values = { url: server.url, token: server.token, ja4: ja4Of(5_000) };
    const head = `const { url, token, ja4 } = ${JSON.stringify(values)};\n`;
    writeFileSync(file, head + code.replace('"hellotide/client"', entry));
    const site = hellotide.site("shop");
    await site.thresholds.delete("seen").catch(() => undefined);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
    rmSync(file);
    expect(stdout).toMatch(/^requests in the last hour: 1\nraised: seen t13d\S+\nrefused: 404\n$/);
  });
});
