/** Thresholds at work: raised, cleared and held back, as the feed tells it. The server ticks each second here. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ja4Of, summaryOf, TIME_PATTERN, until } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, openFeed } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { countOf, isThreshold, putRule, type Rule, rule, thresholdsPath, visit } from "./helpers/rules.ts";

/** "In force within 2 s", the tick of 1 s, and as much again for a busy machine. */
const RAISE_MS = 6_000;
const SITES = ["raise", "clear", "delayed", "cooldown", "missing", "scope"] as const;
type Site = (typeof SITES)[number];

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
const feeds = {} as Record<Site, Feed>;

beforeAll(async () => {
  server = await startServer({ sites: [...SITES], env: { TICK: "1s" } });
  client = createClient(server);
  for (const site of SITES) feeds[site] = await openFeed(server, site, { query: "since=0" });
}, 30_000);
afterAll(() => server?.stop());

async function active(site: Site, id: string): Promise<unknown> {
  return (await client.get(thresholdsPath(site, id))).json<Rule>().active;
}

describe.concurrent("thresholds at work", () => {
  it("THR-20: traffic past a threshold raises it once, with everything the contract lists", async () => {
    const [busy, calm] = [ja4Of(1), ja4Of(2)];
    await putRule(client, "raise", rule("busy", { severity: "critical", note: "why" }));
    await visit(client, "raise", calm, 5);
    await visit(client, "raise", busy, 6);
    const event = await feeds.raise.waitFor("raised", isThreshold("raised", "busy", busy), RAISE_MS);
    expect(event).toMatchObject({
      specversion: "1.0",
      source: "/sites/raise",
      subject: busy,
      datacontenttype: "application/json",
      data: {
        kind: "threshold",
        threshold: "busy",
        signal: "reqs",
        observed: 6,
        value: 5,
        severity: "critical",
      },
    });
    expect(event.id).toMatch(/^\S{16,}$/);
    expect(event.sequence).toMatch(/^\d{16}$/);
    expect(event.time).toMatch(TIME_PATTERN);
    expect("p" in event.data || "score" in event.data).toBe(false);
    expect(await active("raise", "busy")).toEqual([busy]);
    expect(countOf(feeds.raise, isThreshold("raised", "busy"))).toBe(1);
  }, 20_000);

  it("THR-21: a rule written when its condition already holds is in force within 2 s and a tick", async () => {
    const ja4 = ja4Of(10, "q13d0312h3");
    await visit(client, "scope", ja4, 8);
    await putRule(
      client,
      "scope",
      rule("late", { ja4: "q13d*", when: { signal: "reqs", window: "1h", op: ">=", value: 8 } }),
    );
    await feeds.scope.waitFor("raised", isThreshold("raised", "late", ja4), RAISE_MS);
  }, 20_000);

  it("THR-22: `ja4` as value, glob and list chooses the fingerprints", async () => {
    const [one, two, three] = [ja4Of(11, "t12i0303h1"), ja4Of(12, "t12i0303h1"), ja4Of(13, "t10i0303h1")];
    const when = { signal: "reqs", window: "1m", op: ">", value: 0 };
    await putRule(client, "scope", rule("value", { when, ja4: one }));
    await putRule(client, "scope", rule("glob", { when, ja4: "t12i*" }));
    await putRule(client, "scope", rule("list", { when, ja4: [one, three] }));
    for (const ja4 of [one, two, three]) await visit(client, "scope", ja4, 1);
    const expected: Record<string, string[]> = { value: [one], glob: [one, two], list: [one, three] };
    for (const [id, ja4s] of Object.entries(expected)) {
      for (const ja4 of ja4s) await feeds.scope.waitFor(id, isThreshold("raised", id, ja4), RAISE_MS);
      expect(((await active("scope", id)) as string[]).sort()).toEqual([...ja4s].sort());
    }
  }, 30_000);

  it("THR-23: it clears when the value is back, and says recovered", async () => {
    const ja4 = ja4Of(20);
    const when = { signal: "error_ratio", window: "1m", op: ">", value: 0.5 };
    await putRule(client, "clear", rule("ratio", { when, ja4, clear: { value: 0.4, for: "1s" } }));
    await visit(client, "clear", ja4, 20, { status: 500 });
    const raised = await feeds.clear.waitFor("raised", isThreshold("raised", "ratio"), RAISE_MS);
    expect(raised.data.observed).toBe(1);
    // 20 of 45 is under 0.5 but over the off level of 0.4.
    await visit(client, "clear", ja4, 25, { status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(countOf(feeds.clear, isThreshold("cleared", "ratio"))).toBe(0);
    await visit(client, "clear", ja4, 80, { status: 200 });
    const cleared = await feeds.clear.waitFor("cleared", isThreshold("cleared", "ratio"), RAISE_MS + 5_000);
    expect(cleared.data.reason).toBe("recovered");
    expect(cleared.subject).toBe(ja4);
    expect(await active("clear", "ratio")).toEqual([]);
  }, 40_000);

  it("THR-24: deleting and disabling clear, with their own reasons", async () => {
    const ja4 = ja4Of(21);
    const when = { signal: "reqs", window: "1h", op: ">", value: 2 };
    for (const id of ["del", "off"]) await putRule(client, "clear", rule(id, { when, ja4 }));
    await visit(client, "clear", ja4, 3);
    for (const id of ["del", "off"]) await feeds.clear.waitFor(id, isThreshold("raised", id), RAISE_MS);
    expect((await client.delete(thresholdsPath("clear", "del"))).status).toBe(204);
    await putRule(client, "clear", rule("off", { when, ja4, enabled: false }));
    const deleted = await feeds.clear.waitFor("deleted", isThreshold("cleared", "del"), RAISE_MS);
    const disabled = await feeds.clear.waitFor("disabled", isThreshold("cleared", "off"), RAISE_MS);
    expect([deleted.data.reason, disabled.data.reason]).toEqual(["deleted", "disabled"]);
    expect(await active("clear", "off")).toEqual([]);
  }, 30_000);

  it("THR-25: `for` holds the raise back until the condition has lasted", async () => {
    const ja4 = ja4Of(30);
    await putRule(client, "delayed", rule("slow", { ja4, for: "5s" }));
    await putRule(client, "delayed", rule("fast", { ja4 }));
    await visit(client, "delayed", ja4, 6);
    const fast = await feeds.delayed.waitFor("fast", isThreshold("raised", "fast"), RAISE_MS);
    const slow = await feeds.delayed.waitFor("slow", isThreshold("raised", "slow"), 5_000 + 5_000 + RAISE_MS);
    expect(Date.parse(slow.time) - Date.parse(fast.time)).toBeGreaterThanOrEqual(3_900);
  }, 30_000);

  it("THR-26: within its cooldown a rule does not raise again; without one it does", async () => {
    const ja4 = ja4Of(40);
    const base = {
      ja4,
      when: { signal: "error_ratio", window: "5m", op: ">", value: 0.5 },
      clear: { value: 0.5, for: "1s" },
    };
    await putRule(client, "cooldown", rule("cool", { ...base, cooldown: "10m" }));
    await putRule(client, "cooldown", rule("hot", { ...base, cooldown: "0s" }));
    const feed = feeds.cooldown;
    await visit(client, "cooldown", ja4, 10, { status: 503 });
    for (const id of ["cool", "hot"]) await feed.waitFor(id, isThreshold("raised", id), RAISE_MS);
    await visit(client, "cooldown", ja4, 40, { status: 200 });
    for (const id of ["cool", "hot"]) await feed.waitFor(id, isThreshold("cleared", id), RAISE_MS + 5_000);
    await visit(client, "cooldown", ja4, 200, { status: 503 });
    const hot = isThreshold("raised", "hot");
    await feed.waitUntil("hot twice", (one) => countOf(one, hot) === 2, RAISE_MS + 5_000);
    const suppressed = await until("suppressed in the summary", RAISE_MS, async () => {
      const count = (await summaryOf(client, "cooldown")).since_start.suppressed ?? 0;
      return count > 0 ? count : undefined;
    });
    expect(suppressed).toBeGreaterThan(0);
    expect(countOf(feed, isThreshold("raised", "cool"))).toBe(1);
  }, 50_000);

  it("THR-27: on_missing fires or skips, min_reqs waits for enough requests", async () => {
    const [bare, few] = [ja4Of(50), ja4Of(51)];
    const when = { signal: "error_ratio", window: "1m", op: ">", value: 0.5 };
    await putRule(client, "missing", rule("skip", { ja4: bare, when }));
    await putRule(client, "missing", rule("fire", { ja4: bare, when, on_missing: "fire" }));
    await putRule(client, "missing", rule("enough", { ja4: few, when, min_reqs: 10 }));
    await visit(client, "missing", bare, 3);
    await visit(client, "missing", few, 9, { status: 500 });
    const fired = await feeds.missing.waitFor("fire", isThreshold("raised", "fire", bare), RAISE_MS);
    expect("observed" in fired.data).toBe(false);
    expect(countOf(feeds.missing, isThreshold("raised", "enough"))).toBe(0);
    await visit(client, "missing", few, 1, { status: 500 });
    await feeds.missing.waitFor("enough", isThreshold("raised", "enough", few), RAISE_MS);
    expect(countOf(feeds.missing, isThreshold("raised", "skip"))).toBe(0);
  }, 30_000);

  it("THR-28: `all` needs every comparison, `any` one", async () => {
    const [both, half] = [ja4Of(60), ja4Of(61)];
    const many = { signal: "reqs", window: "1m", op: ">=", value: 10 };
    const wrong = { signal: "error_ratio", window: "1m", op: ">", value: 0.5 };
    await putRule(client, "missing", rule("all", { ja4: [both, half], when: { all: [many, wrong] } }));
    await putRule(client, "missing", rule("any", { ja4: [both, half], when: { any: [many, wrong] } }));
    await visit(client, "missing", half, 10, { status: 200 });
    await visit(client, "missing", both, 10, { status: 500 });
    await feeds.missing.waitFor("all", isThreshold("raised", "all", both), RAISE_MS);
    for (const ja4 of [both, half])
      await feeds.missing.waitFor("any", isThreshold("raised", "any", ja4), RAISE_MS);
    expect(countOf(feeds.missing, isThreshold("raised", "all", half))).toBe(0);
  }, 30_000);
});

describe("after all of them", () => {
  it("THR-29: nothing was raised twice, and sequences increase without a hole", () => {
    for (const site of SITES) {
      const sequences = feeds[site].events.flatMap((event) =>
        event.sequence ? [Number(event.sequence)] : [],
      );
      expect(sequences).toEqual(sequences.map((_, i) => (sequences[0] ?? 0) + i));
      expect(new Set(feeds[site].events.map((event) => event.id)).size).toBe(feeds[site].events.length);
    }
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
