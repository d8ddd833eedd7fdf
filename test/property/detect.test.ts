/** What holds for any history: numbers stay finite, more is never less strange, nothing is raised twice. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { baselineOf } from "../../src/detect/baseline.ts";
import { advance, type Cleared } from "../../src/detect/episode.ts";
import { evidenceOf } from "../../src/detect/evidence.ts";
import { betaBinomialScore, negativeBinomialInterval, negativeBinomialZ } from "../../src/detect/tail.ts";
import type { Episode, EpisodeEvent, Sample, Verdict } from "../../src/detect/types.ts";

const counts = fc.array(fc.oneof(fc.nat(5), fc.nat(5_000), fc.nat(2 ** 31)), { minLength: 1, maxLength: 58 });

describe("baseline", () => {
  it("DET-22: is finite with a positive mean and size for any history", () => {
    fc.assert(
      fc.property(counts, fc.nat(60), (history, unsettled) => {
        const baseline = baselineOf(history, unsettled);
        expect(baseline?.mean).toBeGreaterThan(0);
        expect(baseline?.r).toBeGreaterThan(0);
        expect(Number.isFinite(baseline?.mean) && Number.isFinite(baseline?.r)).toBe(true);
        const { low, high } = negativeBinomialInterval(baseline?.mean ?? 0, Math.max(baseline?.r ?? 0, 0.01));
        expect(low).toBeLessThanOrEqual(high);
      }),
    );
  });

  it("DET-22: lies within half a request of a constant rate", () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.integer({ min: 10, max: 58 }), (rate, minutes) => {
        const mean =
          baselineOf(
            Array.from({ length: minutes }, () => rate),
            0,
          )?.mean ?? -1;
        expect(mean).toBeGreaterThanOrEqual(rate - 1e-6);
        expect(mean).toBeLessThanOrEqual(rate + 0.5);
      }),
    );
  });
});

describe("tails", () => {
  it("DET-22: more is never less strange", () => {
    const positive = fc.double({ min: 0.01, max: 1e4, noNaN: true });
    fc.assert(
      fc.property(fc.nat(1e6), positive, positive, (x, mu, r) => {
        expect(negativeBinomialZ(x + 1, mu, r)).toBeGreaterThanOrEqual(negativeBinomialZ(x, mu, r) - 1e-6);
      }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.nat(400),
        fc.double({ min: 0.005, max: 0.995, noNaN: true }),
        (n, some, pi) => {
          const k = Math.min(some, n - 1);
          expect(betaBinomialScore(k + 1, n, pi, 24)).toBeGreaterThanOrEqual(
            betaBinomialScore(k, n, pi, 24) - 1e-6,
          );
        },
      ),
    );
  });
});

describe("episodes", () => {
  const verdict = fc.record({
    on: fc.boolean(),
    hold: fc.boolean(),
    score: fc.double({ min: 0, max: 30, noNaN: true }),
  });
  const steps = fc.array(
    fc.record({
      gapS: fc.integer({ min: 1, max: 400 }),
      seen: fc.boolean(),
      verdict: fc.option(verdict, { nil: undefined }),
    }),
    { maxLength: 80 },
  );

  it("EPI-1: raises and clears in turn, and updates at most once a minute, whatever happens", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const events: [EpisodeEvent, number][] = [];
        let episode: Episode | undefined;
        let cleared: Cleared | undefined;
        let nowMs = 0;
        for (const step of script) {
          nowMs += step.gapS * 1_000;
          const full: Verdict | undefined = step.verdict && {
            ...step.verdict,
            p: 10 ** -step.verdict.score,
            window: "1m",
            observed: step.gapS,
            expected: 1,
            low: 0,
            high: 2,
            unit: "u",
            because: [],
            summary: "",
          };
          const moved = advance(episode, full, {
            kind: "surge",
            ja4: "f",
            nowMs,
            seenAtMs: step.seen ? nowMs : undefined,
            enabled: true,
            cooldownMs: 10 * MINUTE_MS,
            cleared,
            newId: () => `${nowMs}`,
          });
          episode = moved.episode;
          cleared = moved.cleared ?? cleared;
          for (const event of moved.events) events.push([event, nowMs]);
        }
        let open: string | undefined;
        let spokeMs = 0;
        let clearMs = Number.NEGATIVE_INFINITY;
        for (const [{ type, episode: told }, atMs] of events) {
          if (type === "raised") {
            expect(open).toBeUndefined();
            expect(atMs - clearMs).toBeGreaterThanOrEqual(10 * MINUTE_MS);
            open = told.anomalyId;
            spokeMs = atMs;
          } else {
            expect(told.anomalyId).toBe(open);
            if (type === "updated") expect(atMs - spokeMs).toBeGreaterThanOrEqual(MINUTE_MS);
            spokeMs = atMs;
            if (type === "cleared") {
              open = undefined;
              clearMs = atMs;
            }
          }
        }
      }),
    );
  });
});

describe("evidence", () => {
  it("EVI-1: shares are between 0 and 1, fall, and add up to at most 1", () => {
    const samples: fc.Arbitrary<Sample[]> = fc.array(
      fc.record({
        ja4: fc.constant("f"),
        atMs: fc.nat(),
        weight: fc.nat(1e6),
        path: fc.string({ maxLength: 2 }),
        asn: fc.nat(5),
      }),
    );
    fc.assert(
      fc.property(samples, (list) => {
        const { paths, asns } = evidenceOf(list);
        for (const shares of [paths, asns].map((top) => top.map(([, share]) => share))) {
          expect(shares).toEqual([...shares].sort((a, b) => b - a));
          expect(shares.length).toBeLessThanOrEqual(3);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1.0002);
        }
      }),
    );
  });
});
