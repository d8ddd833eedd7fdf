/** How far estimates are off. All streams follow from fixed seeds, so that these figures are the same in every run. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Distincts } from "../../src/sketch/distincts.ts";
import { estimate, RANK_MAX, RANKS } from "../../src/sketch/pcsa-estimate.ts";
import { mixed } from "../support/hashes.ts";
import { FEW_RUNS } from "../support/runs.ts";

const START = 4_500_000;
const SLOTS = 180;
const NOW = START + SLOTS - 1;
/** Slots of 1m, 5m, 1h. */
const WINDOWS = [3, 15, 180];

/** Identities → runs: together they take seconds, and their mean has a standard error under 0.1 %. */
const SIZES = new Map([
  [257, 400],
  [400, 200],
  [1_000, 200],
  [3_000, 200],
  [10_000, 100],
  [100_000, 20],
  [1_000_000, 2],
]);

/** The slot in which each of `size` identities comes. */
const STREAMS = {
  steady: (i: number, size: number) => Math.floor((i * SLOTS) / size),
  // A background, a crowd half an hour ago, and another within the last minute.
  bursty: (i: number, size: number) => {
    const part = i / size;
    return part < 0.2 ? Math.floor(part * 5 * SLOTS) : part < 0.6 ? 90 : SLOTS - 1 - (i % 3);
  },
};

interface Errors {
  sum: number;
  squares: number;
  runs: number;
}

function note(errors: Errors, found: number, expected: number): void {
  const error = found / expected - 1;
  errors.sum += error;
  errors.squares += error * error;
  errors.runs++;
}

const rms = ({ squares, runs }: Errors) => Math.sqrt(squares / runs);
const bias = ({ sum, runs }: Errors) => Math.abs(sum / runs);
const none = (): Errors => ({ sum: 0, squares: 0, runs: 0 });

describe("estimates of large sets", () => {
  for (const [name, slotOf] of Object.entries(STREAMS)) {
    it.skipIf(FEW_RUNS)(
      `DIST-18: are at most 3 % off (RMS) and unbiased in every window, from 257 to a million, ${name} stream`,
      () => {
        const all = WINDOWS.map(none);
        const fresh = none();
        for (const [size, runs] of SIZES) {
          const ofSize = WINDOWS.map(none);
          for (let run = 0; run < runs; run++) {
            const sets = new Distincts();
            const inWindow = WINDOWS.map(() => 0);
            let set = 0;
            let sumFresh = 0;
            for (let i = 0; i < size; i++) {
              const slot = slotOf(i, size);
              set = sets.add(set, mixed(i + run * 2_000_003 + size), START + slot);
              sumFresh += sets.fresh;
              for (const [w, slots] of WINDOWS.entries()) if (slot >= SLOTS - slots) inWindow[w]! += 1;
            }
            for (const [w, slots] of WINDOWS.entries()) {
              const count = sets.count(set, NOW - slots + 1, NOW);
              note(all[w]!, count, inWindow[w]!);
              note(ofSize[w]!, count, inWindow[w]!);
            }
            note(fresh, sumFresh, size);
          }
          // Two runs say nothing about an RMS.
          if (runs >= 20) for (const errors of ofSize) expect(rms(errors)).toBeLessThan(0.03);
        }
        for (const errors of [...all, fresh]) {
          expect(rms(errors)).toBeLessThan(0.025);
          expect(bias(errors)).toBeLessThan(0.005);
        }
      },
    );
  }

  it("DIST-19: are the root of the likelihood's derivative", () => {
    const cells = 64;
    const lambda = (rank: number) => 2 ** -(Math.min(rank, RANK_MAX - 1) + 1) / cells;
    const derivative = (hits: readonly number[], n: number) =>
      hits.reduce((sum, hit, r) => {
        return sum + (hit * lambda(r)) / Math.expm1(n * lambda(r)) - (cells - hit) * lambda(r);
      }, 0);
    const someHits = fc.array(fc.integer({ min: 0, max: cells }), { minLength: RANKS, maxLength: RANKS });
    fc.assert(
      fc.property(someHits, (hits) => {
        fc.pre(hits.some((hit) => hit > 0) && hits.some((hit) => hit < cells));
        const n = estimate(hits, cells);
        expect(derivative(hits, n * 0.9999)).toBeGreaterThan(0);
        expect(derivative(hits, n * 1.0001)).toBeLessThan(0);
      }),
    );
  });

  it("DIST-20: nothing hit is 0, everything hit is finite", () => {
    expect(estimate(new Uint32Array(RANKS), 1_024)).toBe(0);
    const full = estimate(new Uint32Array(RANKS).fill(1_024), 1_024);
    expect(full).toBeGreaterThan(1e9);
    expect(full).toBeLessThan(1e11);
  });
});
