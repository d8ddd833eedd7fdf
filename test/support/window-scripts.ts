/** Streams for a window that have everything in them: late and ahead, bursts, pauses; and limits that make fingerprints leave. */
import fc from "fast-check";
import { factBits } from "../../src/wire/flags.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { frameOf, type Observed } from "./window-frames.ts";

export const START = Date.parse("2026-11-23T12:00:00Z");
export const HOUR = 3_600_000;
export const SEED = 0xfedcba98;
const TIGHT = { fingerprints: 6, rows: 30, tracked: 8, arenaBytes: 24_000 };
export const LIMITS = [{}, TIGHT, { ...TIGHT, fingerprints: 40, rows: 200 }, { arenaBytes: 12_000 }];

const PREFIXES = ["t13d1516h2_8daaf6152771", "t13d1517h2_8daaf6152771", "q13d0310h3_55b375c5d22e"];
const ja4s = fc
  .tuple(fc.constantFrom(...PREFIXES), fc.nat({ max: 20 }))
  .map(([prefix, n]) => `${prefix}_${n.toString(16).padStart(12, "0")}`);
/** `at` after the clock at which it arrives: from too late to too far ahead. */
const observed: fc.Arbitrary<Observed> = fc.record(
  {
    at: fc.oneof(
      fc.integer({ min: -HOUR - 120_000, max: 80_000 }),
      fc.integer({ min: -30_000, max: 10_000 }),
      fc.constant(0),
    ),
    ja4: fc.oneof(ja4s, ja4s, ja4s, fc.constant(""), fc.constant("x0123456789abcdef01234567")),
    facts: fc.constantFrom(0, factBits("error", true), factBits("cache", false)),
    ip: fc.nat({ max: 1_000 }),
    ua: fc.nat({ max: 12 }),
    path: fc.nat({ max: 1_000 }),
    host: fc.nat({ max: 3 }),
    asn: fc.nat({ max: 50 }),
    score: fc.constantFrom(1, 2, 30, 99),
    detections: fc.uniqueArray(fc.constantFrom(7, 152_120_193, 4_294_967_295), {
      minLength: 1,
      maxLength: 2,
    }),
    signal: fc.double({ min: 0, max: 1, noNaN: true }),
  },
  { requiredKeys: ["at", "ja4"] },
);
/** One fingerprint with so many addresses and paths that its sets get large, and then coarser. */
const burst = fc
  .tuple(ja4s, fc.nat({ max: 1_500 }), fc.nat({ max: 100_000 }))
  .map(([ja4, count, from]) =>
    Array.from(
      { length: count },
      (_, i): Observed => ({ at: -i, ja4, ip: from + i, path: from ^ i, score: 1 + (from % 9) }),
    ),
  );
export const steps = fc.array(
  fc.record({
    wait: fc.oneof(
      { weight: 4, arbitrary: fc.nat({ max: 20_000 }) },
      { weight: 3, arbitrary: fc.nat({ max: 600_000 }) },
      { weight: 1, arbitrary: fc.nat({ max: 3 * HOUR }) },
    ),
    batch: fc.oneof(
      { weight: 5, arbitrary: fc.array(observed, { maxLength: 80 }) },
      { weight: 2, arbitrary: burst },
    ),
    /** For tests to do something on the way, or not. */
    restored: fc.boolean(),
    asked: fc.boolean(),
  }),
  { minLength: 2, maxLength: 16 },
);

/** A batch as a frame that could have come over the wire: signals at most once a fingerprint, in the table's order. */
export function arrive(batch: readonly Observed[], now: number): Frame {
  const known = new Set<string>();
  return frameOf(
    batch.map(({ signal, ...one }) => {
      const signalled = signal !== undefined && !known.has(one.ja4);
      known.add(one.ja4);
      return { ...one, at: now + one.at, ...(signalled ? { signal } : {}) };
    }),
  );
}
