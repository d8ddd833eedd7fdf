/** The dashboard's pure parts: addresses, and episodes out of events. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FeedEvent } from "../../client/index.ts";
import { Episodes, matches } from "../../web/feed/episodes.ts";
import { hrefOf, parseRoute } from "../../web/route.ts";

const START_MS = Date.parse("2026-01-01T00:00:00Z");

function event(id: number, sequence: number, more: { over?: boolean; severity?: string; ja4?: string } = {}) {
  return {
    type: more.over === true ? "hellotide.anomaly.cleared" : "hellotide.anomaly.raised",
    sequence: String(sequence).padStart(16, "0"),
    data: {
      anomaly_id: `a${id}`,
      kind: "surge",
      severity: more.severity ?? "warning",
      ja4: more.ja4 ?? "t13d1516h2_8daaf6152771_02713d6af862",
      started_at: new Date(START_MS + id * 1_000).toISOString(),
    },
  } as unknown as FeedEvent;
}
const ALL = { kind: "", severity: "", state: "", ja4: "" };

describe("addresses", () => {
  it("DASH-12: any site, fingerprint and choice comes back out of its address", () => {
    const text = fc.string({ minLength: 1, unit: "binary" }).filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(text, text, text, (site, ja4, kind) => {
        const query = new URLSearchParams({ kind });
        const found = parseRoute(hrefOf({ page: "fingerprints", site, ja4, query }));
        expect([found.page, found.site, found.ja4, found.query.get("kind")]).toEqual([
          "fingerprints",
          site,
          ja4,
          kind,
        ]);
      }),
    );
    expect(parseRoute("#/tokens").page).toBe("tokens");
  });

  it("DASH-12: what is no address is the live view", () => {
    for (const hash of ["", "#", "#/", "#/nowhere", "#/sites", "#/sites/%zz/none", "#javascript:alert(1)"]) {
      expect([hash, parseRoute(hash).page]).toEqual([hash, "live"]);
    }
  });
});

describe("episodes", () => {
  it("DASH-13: are the newest event of each anomaly, however events come, repeated and out of order", () => {
    const steps = fc.array(fc.record({ id: fc.nat(5), sequence: fc.nat(50) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const episodes = new Episodes();
        const newest = new Map<string, string>();
        for (const { id, sequence } of all) {
          const one = event(id, sequence);
          const known = newest.get(one.data.anomaly_id);
          const isNews = known === undefined || known < one.sequence;
          expect(episodes.take(one)).toBe(isNews);
          if (isNews) newest.set(one.data.anomaly_id, one.sequence);
        }
        expect(new Map(episodes.list.map((one) => [one.id, one.event.sequence]))).toEqual(newest);
        const starts = episodes.list.map(({ startedMs }) => startedMs);
        expect(starts).toEqual([...starts].sort((a, b) => b - a));
      }),
    );
  });

  it("DASH-13: stay bounded: those that are over leave first, the oldest first", () => {
    const episodes = new Episodes();
    episodes.take(event(0, 1));
    for (let id = 1; id < 1_500; id++) episodes.take(event(id, id + 1, { over: true }));
    const ids = episodes.list.map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(900);
    expect(ids.length).toBeLessThanOrEqual(1_000);
    expect(ids.at(-1)).toBe("a0");
    // The newest of those that are over, without a hole.
    expect(ids.slice(0, -1)).toEqual(Array.from({ length: ids.length - 1 }, (_, i) => `a${1_499 - i}`));
    expect(episodes.active).toBe(1);
  });

  it("DASH-13: are filtered by severity, state, and a part or glob of the fingerprint", () => {
    const episodes = new Episodes();
    episodes.take(event(1, 1, { severity: "info", ja4: "t13d_a.b_c" }));
    const [one] = episodes.list;
    const passes = (filter: Partial<typeof ALL>) => one !== undefined && matches(one, { ...ALL, ...filter });
    expect(passes({})).toBe(true);
    expect(passes({ kind: "surge", state: "active", ja4: "a.b" })).toBe(true);
    expect(passes({ severity: "warning" })).toBe(false);
    expect(passes({ state: "over" })).toBe(false);
    expect(passes({ ja4: "t13d_*_c" })).toBe(true);
    expect(passes({ ja4: "t13d_aXb*" })).toBe(false);
    expect(passes({ ja4: "*((((" })).toBe(false);
  });
});
