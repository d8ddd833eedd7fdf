/** The storm guard as a step of state: which raises are grouped, what the storm says of them, when it is over. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { CALM, isRaise, noteRaise, type StormState, stormData, stormEndMs } from "../../src/feed/storm.ts";
import { siteEvent } from "../../src/schemas/feed.ts";
import { type FeedEvent, feedEvent } from "../../src/wire/event.ts";

const SETTINGS = { raises: 3, perMs: 5 * MINUTE_MS };
const NOW = Date.parse("2026-11-23T12:00:00Z");
const TIME = "2026-11-23T12:00:00.000Z";
const SEED = 20_261_123;

function raise(n: number, data: Partial<FeedEvent["data"]> = {}): FeedEvent {
  return feedEvent("shop", "hellotide.anomaly.raised", `fp-${n}`, `id-${n}`, TIME, {
    ...{ anomaly_id: `a-${n}`, kind: "surge", severity: "warning" as const, score: n, ja4: `fp-${n}` },
    ...data,
  });
}

function play(events: readonly FeedEvent[], stepMs = 1_000) {
  let state: StormState = CALM;
  const grouped = events.map((event, i) => {
    const noted = noteRaise(state, event, SETTINGS, NOW + i * stepMs, () => `storm-${i}`);
    state = noted.state;
    return noted.grouped;
  });
  return { state, grouped };
}

describe("storm", () => {
  it("STORM-1: so many raises in the stretch go one by one, the next one is grouped and begins the storm", () => {
    const { state, grouped } = play([1, 2, 3, 4, 5].map((n) => raise(n)));
    expect(grouped).toEqual([false, false, false, true, true]);
    expect(state.storm).toMatchObject({ anomalyId: "storm-3", startedAtMs: NOW + 3_000, grouped: 2 });
  });

  it("STORM-1: raises that lie further apart are never grouped", () => {
    expect(
      play(
        [1, 2, 3, 4, 5, 6].map((n) => raise(n)),
        SETTINGS.perMs / 3,
      ).grouped,
    ).not.toContain(true);
  });

  it("STORM-2: the ten strongest are listed: graver first, then the higher score, thresholds after anomalies", () => {
    const many = Array.from({ length: 16 }, (_, i) => raise(i));
    const { score: _, ...bare } = raise(98, { kind: "threshold", threshold: "busy" }).data;
    const threshold = { ...raise(98), data: bare };
    const { state } = play([...many, raise(97, { severity: "critical", score: 1 }), threshold]);
    const listed = state.storm?.strongest.map(({ anomaly_id }) => anomaly_id);
    expect(listed).toEqual(["a-97", ...[15, 14, 13, 12, 11, 10, 9, 8, 7].map((n) => `a-${n}`)]);
  });

  it("STORM-3: it is over when the stretch holds fewer raises than are let through, grouped ones included", () => {
    const { state } = play([1, 2, 3, 4, 5].map((n) => raise(n)));
    expect(stormEndMs(state, SETTINGS)).toBe(NOW + 2_000 + SETTINGS.perMs);
    expect(stormEndMs(CALM, SETTINGS)).toBeUndefined();
  });

  it("STORM-4: what is silenced, goes on, ends, or is about the site is no raise", () => {
    expect(isRaise(raise(1))).toBe(true);
    expect(isRaise(raise(1, { silenced: true }))).toBe(false);
    for (const type of ["anomaly.updated", "anomaly.cleared", "threshold.cleared", "site.raised"])
      expect(isRaise({ ...raise(1), type: `hellotide.${type}` })).toBe(false);
    expect(isRaise({ ...raise(1), type: "hellotide.threshold.raised" })).toBe(true);
  });

  it("STORM-5: its events are as documented", () => {
    const ja4 = "t13d1516h2_8daaf6152771_02713d6af862";
    const { state } = play([1, 2, 3, 4].map((n) => raise(n, { ja4 })));
    for (const [type, ended] of [["raised"], ["cleared", TIME]] as const) {
      const data = stormData(state.storm!, "https://tide.example/#/sites/shop", TIME, ended);
      const event = feedEvent("shop", `hellotide.site.${type}`, "site", "01J", TIME, data);
      const sent = { ...event, sequence: "0000000000000001" };
      expect(siteEvent.parse(sent)).toEqual(sent);
      expect(data).toMatchObject({ raises: 1, strongest: [{ anomaly_id: "a-4", score: 4 }] });
    }
  });

  it(`STORM-6: whatever comes when, no stretch has more single raises than allowed, and none is lost (seed ${SEED})`, () => {
    let storms = 0;
    const pauses = fc.array(fc.constantFrom(0, 1_000, 60_000, 200_000, 400_000), {
      minLength: 5,
      maxLength: 40,
    });
    fc.assert(
      fc.property(pauses, (steps) => {
        let state: StormState = CALM;
        let nowMs = NOW;
        const single: number[] = [];
        let grouped = 0;
        for (const [i, pause] of steps.entries()) {
          nowMs += pause;
          const endMs = stormEndMs(state, SETTINGS);
          if (endMs !== undefined && nowMs >= endMs) {
            grouped += state.storm!.grouped;
            state = { raisedAtMs: state.raisedAtMs };
          }
          const noted = noteRaise(state, raise(i), SETTINGS, nowMs, () => `storm-${i}`);
          state = noted.state;
          if (!noted.grouped) single.push(nowMs);
        }
        grouped += state.storm?.grouped ?? 0;
        storms += grouped > 0 ? 1 : 0;
        expect(single.length + grouped).toBe(steps.length);
        for (const at of single) {
          const held = single.filter((other) => other > at - SETTINGS.perMs && other <= at);
          expect(held.length).toBeLessThanOrEqual(SETTINGS.raises);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    expect(storms).toBeGreaterThan(50);
  });
});
