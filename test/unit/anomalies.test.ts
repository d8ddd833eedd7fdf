/** What the feed's disk knows of anomalies, on a real SQLite. */
import { describe, expect, it } from "vitest";
import { anomalyPage } from "../../durable-objects/anomaly-page.ts";
import { FeedStore } from "../../durable-objects/sql/feed-store.ts";
import { FEED_KEEP_MS } from "../../src/base/feed-limits.ts";
import { MemorySql } from "../support/sqlite.ts";

const A = "t13d1516h2_8daaf6152771_02713d6af862";
const B = "q13d0310h3_55b375c5d22e_cd85d2d88918";
const NOW = Date.parse("2026-11-23T12:00:00Z");

function event(type: string, anomalyId: string, data: Record<string, unknown> = {}): string {
  const kind = type.includes("site") ? "storm" : "surge";
  const about = type.includes("site") ? {} : { ja4: A };
  return JSON.stringify({
    type: `hellotide.${type}`,
    data: { anomaly_id: anomalyId, kind, severity: "warning", ...about, ...data },
  });
}

/** a raised and cleared, b running, a site event running. */
const EVENTS = [
  event("anomaly.raised", "a"),
  event("anomaly.raised", "b", { ja4: B, kind: "path_scan" }),
  event("anomaly.updated", "a"),
  event("site.raised", "s"),
  event("anomaly.cleared", "a"),
  event("anomaly.updated", "b", { ja4: B, kind: "path_scan", severity: "critical" }),
].map((text, i) => ({ n: i + 1, event: text }));

/** Lets every event through as it is. */
const UNGUARDED = { admit: <E>(event: E) => event, after: () => [] };

function storeOf(sql = new MemorySql(), nowMs = NOW): FeedStore {
  const store = new FeedStore(sql);
  store.append("1-0", EVENTS, nowMs, UNGUARDED);
  return store;
}

/** `anomaly:sequence`, in the page's order. */
function told(page: ReturnType<typeof anomalyPage>): string[] {
  if (page === "future_cursor") return [page];
  return page.events.map((text) => {
    const { data, sequence } = JSON.parse(text) as { data: { anomaly_id: string }; sequence: string };
    return `${data.anomaly_id}:${Number(sequence)}`;
  });
}

describe("the list of anomalies", () => {
  it("ANO-1: holds the newest event of each, newest first; active ones are those without a clear", () => {
    const store = storeOf();
    expect(told(anomalyPage(store, { filter: {}, limit: 9 }))).toEqual(["b:6", "a:5", "s:4"]);
    expect(told(anomalyPage(store, { filter: { active: true }, limit: 9 }))).toEqual(["b:6", "s:4"]);
    expect(told(anomalyPage(store, { filter: { active: false }, limit: 9 }))).toEqual(["a:5"]);
  });

  it("ANO-2: knows kinds and globs; with a glob events of the whole site are left out", () => {
    const store = storeOf();
    const of = (filter: object) => told(anomalyPage(store, { filter, limit: 9 }));
    expect(of({ kinds: ["surge", "storm"] })).toEqual(["a:5", "s:4"]);
    expect(of({ ja4: "q13d*" })).toEqual(["b:6"]);
    expect(of({ ja4: "*" })).toEqual(["b:6", "a:5", "s:4"]);
    expect(of({ ja4: `${"*1".repeat(24)}x` })).toEqual([]);
  });

  it("ANO-3: since a cursor it holds every later event, oldest first, in pages without a hole", () => {
    const store = storeOf();
    const filter = {};
    expect(told(anomalyPage(store, { filter, since: 3, limit: 9 }))).toEqual(["s:4", "a:5", "b:6"]);
    expect(told(anomalyPage(store, { filter: { active: true }, since: 0, limit: 9 }))).toEqual([
      "b:2",
      "s:4",
      "b:6",
    ]);
    expect(told(anomalyPage(store, { filter: { ja4: A }, since: 1, limit: 9 }))).toEqual(["a:3", "a:5"]);
    for (const since of [0, undefined]) {
      const pages: string[] = [];
      let cursor: number | undefined;
      do {
        const page = anomalyPage(store, {
          filter,
          limit: 2,
          ...(since === undefined ? {} : { since }),
          ...(cursor === undefined ? {} : { cursor }),
        });
        if (page === "future_cursor") throw new Error(page);
        pages.push(...told(page));
        cursor = page.next;
      } while (cursor !== undefined);
      expect(pages).toEqual(since === 0 ? ["a:1", "b:2", "a:3", "s:4", "a:5", "b:6"] : ["b:6", "a:5", "s:4"]);
    }
    expect(anomalyPage(store, { filter, since: 6, limit: 9 })).toEqual({ events: [] });
    expect(anomalyPage(store, { filter, since: 7, limit: 9 })).toBe("future_cursor");
  });

  it("ANO-4: what is forgotten takes its anomaly and its feedback along, and is told as a gap", () => {
    const sql = new MemorySql();
    const store = storeOf(sql);
    const feedback = { anomaly_id: "a", verdict: "true", created_at: "2026-11-23T12:00:00.000Z" } as const;
    expect(store.anomalies.putFeedback("a", feedback)).toBe(true);
    store.prune(NOW + FEED_KEEP_MS + 1);
    // The newest event stays, whatever its age.
    expect(told(anomalyPage(store, { filter: {}, limit: 9 }))).toEqual(["b:6"]);
    expect(anomalyPage(store, { filter: {}, since: 2, limit: 9 })).toMatchObject({ gap: { from: 2, to: 5 } });
    expect(store.anomalies.find("a")).toBeUndefined();
    expect(sql.sql.exec("SELECT * FROM feedback").toArray()).toEqual([]);
    expect(store.anomalies.putFeedback("a", feedback)).toBe(false);
  });

  it("ANO-5: on a disk of older code, or one that older code wrote to meanwhile, it says the same", () => {
    const sql = new MemorySql();
    const counts = storeOf(sql).anomalies.counts();
    const whole = told(anomalyPage(new FeedStore(sql), { filter: {}, limit: 9 }));
    for (const lost of [
      ["DELETE FROM anomalies", "DELETE FROM raised"],
      ["DELETE FROM anomalies WHERE last > 4"],
    ]) {
      for (const statement of lost) sql.sql.exec(statement);
      const store = new FeedStore(sql);
      expect(told(anomalyPage(store, { filter: {}, limit: 9 }))).toEqual(whole);
      expect(store.anomalies.counts()).toEqual(counts);
    }
  });

  it("ANO-6: raises are counted by kind and severity for good, running ones by kind", () => {
    const sql = new MemorySql();
    const store = storeOf(sql);
    store.append("1-0", EVENTS, NOW, UNGUARDED);
    const raised = [
      { kind: "path_scan", severity: "warning", count: 1 },
      { kind: "storm", severity: "warning", count: 1 },
      { kind: "surge", severity: "warning", count: 1 },
    ];
    const active = [
      { kind: "path_scan", count: 1 },
      { kind: "storm", count: 1 },
    ];
    expect(store.anomalies.counts()).toEqual({ raised, active });
    store.prune(NOW + FEED_KEEP_MS + 1);
    expect(store.anomalies.counts()).toEqual({ raised, active: active.slice(0, 1) });
  });
});
