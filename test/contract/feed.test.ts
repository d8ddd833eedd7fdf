/** The feed: hello, live and since, filters, resuming exactly once, also over a restart. */
import { Unpackr } from "msgpackr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ja4Of, TIME_PATTERN } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, type FeedEvent, openFeed, stored } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, raiseEach, rule, settle, visit } from "./helpers/rules.ts";

const FIRST = { signal: "reqs", window: "1h", op: ">", value: 0 };
const SITES = ["live", "filters", "resume", "restart", "binary"];
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: SITES, env: { TICK: "1s" } });
  client = createClient(server);
  for (const site of SITES.filter((one) => one !== "filters")) {
    await putRule(client, site, rule("first", { when: FIRST }));
  }
}, 30_000);
afterAll(() => server?.stop());

const subjects = (feed: Feed): (string | undefined)[] => stored(feed).map((event) => event.subject);
const ids = (feed: Feed): string[] => stored(feed).map((event) => event.id);

function helloOf(feed: Feed): FeedEvent {
  const first = feed.events[0];
  if (first?.type !== "hellotide.feed.hello") throw new Error(`first came ${first?.type}`);
  return first;
}

describe("hello, live, since", () => {
  it("FEED-1: hello comes first, without a sequence, with cursor, oldest and heartbeat", async () => {
    const feed = await openFeed(server, "live");
    await feed.waitUntil("hello", (one) => one.events.length > 0);
    const hello = helloOf(feed);
    expect("sequence" in hello).toBe(false);
    expect(hello.source).toBe("/sites/live");
    expect(hello.time).toMatch(TIME_PATTERN);
    expect(hello.data).toEqual({ cursor: expect.anything(), oldest: expect.anything(), heartbeat_s: 30 });
    feed.close();
  });

  it("FEED-2: without since only what comes later, with since=0 all, in the same order and with the same ids", async () => {
    const early = await openFeed(server, "live");
    const before = await raiseEach(client, "live", early, 100, 2);
    const late = await openFeed(server, "live");
    await late.waitUntil("hello", (one) => one.events.length > 0);
    expect(Number(helloOf(late).data.cursor)).toBe(Number(stored(early)[1]?.sequence));
    const after = await raiseEach(client, "live", late, 110, 2);
    const whole = await openFeed(server, "live", { query: "since=0" });
    await whole.waitUntil("all four", (one) => stored(one).length >= 4);
    for (const feed of [early, late, whole]) await settle(feed);
    expect(subjects(early)).toEqual([...before, ...after]);
    expect(subjects(late)).toEqual(after);
    expect(stored(whole)).toEqual(stored(early));
    for (const feed of [early, late, whole]) feed.close();
  }, 30_000);

  it("FEED-3: from every cursor comes exactly the rest", async () => {
    const feed = await openFeed(server, "resume");
    await raiseEach(client, "resume", feed, 200, 6);
    const all = ids(feed);
    const resume = async (event: FeedEvent, index: number): Promise<void> => {
      const resumed = await openFeed(server, "resume", { query: `since=${event.sequence}` });
      await resumed.waitUntil("the rest", (one) => stored(one).length >= all.length - index - 1);
      await settle(resumed);
      expect(ids(resumed)).toEqual(all.slice(index + 1));
      resumed.close();
    };
    await Promise.all(stored(feed).map(resume));
    feed.close();
  }, 40_000);

  it("FEED-4: a client that reconnects in a hurry while events come misses and repeats nothing", async () => {
    const watcher = await openFeed(server, "resume", { query: "since=0" });
    await watcher.waitUntil("the past", (one) => stored(one).length >= 6);
    const writing = raiseEach(client, "resume", watcher, 300, 6);
    const seen: string[] = [];
    let cursor = "0";
    for (let round = 0; seen.length < 12 && round < 600; round += 1) {
      const feed = await openFeed(server, "resume", { query: `since=${cursor}` });
      await feed.waitUntil("something", (one) => one.events.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 60));
      for (const event of stored(feed)) {
        seen.push(event.id);
        cursor = event.sequence ?? cursor;
      }
      feed.close();
    }
    await writing;
    expect(seen).toEqual(ids(watcher));
    expect(seen.length).toBe(12);
    watcher.close();
  }, 60_000);
});

describe("closing", () => {
  it("FEED-9: the server answers a close frame at once", async () => {
    const feed = await openFeed(server, "live");
    await feed.waitUntil("hello", (one) => one.events.length > 0);
    const asked = performance.now();
    feed.close();
    // 1005: the client's close frame had no code, and the server's answer has none either; 1006 is no answer at all.
    expect([1000, 1005]).toContain((await feed.closed).code);
    expect(performance.now() - asked).toBeLessThan(5_000);
  }, 20_000);
});

describe("filters", () => {
  const modern = ja4Of(400, "q13d0312h3");
  const plain = ja4Of(401, "t12i0303h1");
  const other = ja4Of(402, "t13d1516h2");

  it("FEED-5: each filter lets through what it says, from the past as well as live", async () => {
    const watcher = await openFeed(server, "filters");
    await putRule(client, "filters", rule("low", { when: FIRST, severity: "info", ja4: plain }));
    await putRule(client, "filters", rule("mid", { when: FIRST, severity: "warning", ja4: other }));
    await putRule(client, "filters", rule("high", { when: FIRST, severity: "critical", ja4: "q13d*" }));
    const queries: Record<string, string[]> = {
      "": [plain, modern, other],
      "kind=threshold": [plain, modern, other],
      "kind=surge": [],
      "kind=surge,threshold": [plain, modern, other],
      "type=hellotide.threshold.raised": [plain, modern, other],
      "type=hellotide.threshold.cleared": [],
      "ja4=q13d*": [modern],
      [`ja4=${plain}`]: [plain],
      "min_severity=warning": [modern, other],
      "min_severity=critical": [modern],
      "min_score=29": [plain, modern, other],
      "kind=threshold&min_severity=warning&ja4=t1*": [other],
    };
    const live = new Map<string, Feed>();
    for (const query of Object.keys(queries)) live.set(query, await openFeed(server, "filters", { query }));
    for (const ja4 of [plain, modern, other]) {
      await visit(client, "filters", ja4, 1);
      await watcher.waitFor(ja4, (event) => event.subject === ja4);
    }
    const check = async (query: string, feed: Feed): Promise<void> => {
      const expected = queries[query] ?? [];
      await feed.waitUntil(`${query}: its events`, (one) => stored(one).length >= expected.length);
      await settle(feed);
      expect({ query, got: subjects(feed) }).toEqual({ query, got: expected });
      feed.close();
    };
    await Promise.all([...live].map(([query, feed]) => check(query, feed)));
    for (const query of Object.keys(queries)) {
      const past = `${query}${query ? "&" : ""}since=0`;
      await check(query, await openFeed(server, "filters", { query: past }));
    }
    watcher.close();
  }, 60_000);
});

describe("subprotocols", () => {
  it("FEED-6: cloudevents.json is chosen when offered; none is answered with none", async () => {
    const offered = await openFeed(server, "live", { protocols: ["cloudevents.json"] });
    expect(offered.protocol).toBe("cloudevents.json");
    const both = await openFeed(server, "live", { protocols: ["cloudevents.json", "chat"] });
    expect(both.protocol).toBe("cloudevents.json");
    const none = await openFeed(server, "live");
    expect(none.protocol).toBe("");
    for (const feed of [offered, both, none]) feed.close();
  });

  it("FEED-7: cloudevents.msgpack carries the same events in binary frames", async () => {
    const text = await openFeed(server, "binary", { query: "since=0" });
    await raiseEach(client, "binary", text, 500, 1);
    const binary = await openFeed(server, "binary", { query: "since=0", protocols: ["cloudevents.msgpack"] });
    expect(binary.protocol).toBe("cloudevents.msgpack");
    await binary.waitUntil("hello and one event", (one) => one.binaries.length >= 2);
    const unpackr = new Unpackr({ useRecords: false, int64AsType: "number" });
    const events = binary.binaries.map((frame) => unpackr.unpack(frame) as FeedEvent);
    expect(events[0]?.type).toBe("hellotide.feed.hello");
    const { datacontenttype: _one, ...expected } = stored(text)[0] as FeedEvent;
    const { datacontenttype: _two, ...actual } = events[1] as FeedEvent;
    expect(actual).toEqual(expected);
    for (const feed of [text, binary]) feed.close();
  }, 20_000);
});

describe("over a restart (last, for it ends every socket)", () => {
  it("FEED-8: a cursor from before goes on exactly once and in order after it", async () => {
    const before = await openFeed(server, "restart");
    const first = await raiseEach(client, "restart", before, 600, 3);
    const cursor = stored(before)[1]?.sequence;
    const kept = stored(before);
    await server.restart();
    const after = await openFeed(server, "restart", { query: `since=${cursor}` });
    const second = await raiseEach(client, "restart", after, 610, 3);
    await settle(after);
    expect(subjects(after)).toEqual([...first.slice(2), ...second]);
    const whole = await openFeed(server, "restart", { query: "since=0" });
    await whole.waitUntil("all six", (one) => stored(one).length >= 6);
    await settle(whole);
    expect(stored(whole).slice(0, 3)).toEqual(kept);
    expect(stored(whole).slice(2)).toEqual(stored(after));
    const sequences = stored(whole).map((event) => Number(event.sequence));
    expect(sequences).toEqual(sequences.map((_, i) => (sequences[0] ?? 0) + i));
    for (const feed of [after, whole]) feed.close();
  }, 40_000);

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
