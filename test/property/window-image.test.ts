/** A window that is written down and read back, again and again, beside one that never was: no difference ever shows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readImage, writeImage } from "../../src/base/image.ts";
import { Window } from "../../src/window/window.ts";
import { factBits } from "../../src/wire/flags.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { FEW_RUNS, runs } from "../support/runs.ts";
import { answersOf, memoryOf } from "../support/window-answers.ts";
import { frameOf, type Observed } from "../support/window-frames.ts";

const START = Date.parse("2026-11-23T12:00:00Z");
const HOUR = 3_600_000;
const SEED = 0xfedcba98;
const TIGHT = { fingerprints: 6, rows: 30, tracked: 8, arenaBytes: 24_000 };
const LIMITS = [{}, TIGHT, { ...TIGHT, fingerprints: 40, rows: 200 }, { arenaBytes: 12_000 }];

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
    signal: fc.double({ min: 0, max: 1, noNaN: true }),
  },
  { requiredKeys: ["at", "ja4"] },
);
/** One fingerprint with so many addresses and paths that its sets get large, and then coarser. */
const burst = fc
  .tuple(ja4s, fc.nat({ max: 1_500 }), fc.nat({ max: 100_000 }))
  .map(([ja4, count, from]) =>
    Array.from({ length: count }, (_, i): Observed => ({ at: -i, ja4, ip: from + i, path: from ^ i })),
  );
const steps = fc.array(
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
    restored: fc.boolean(),
    asked: fc.boolean(),
  }),
  { minLength: 2, maxLength: 16 },
);

/** A batch as a frame that could have come over the wire: signals at most once a fingerprint, in the table's order. */
function arrive(batch: readonly Observed[], now: number): Frame {
  const known = new Set<string>();
  return frameOf(
    batch.map(({ signal, ...one }) => {
      const signalled = signal !== undefined && !known.has(one.ja4);
      known.add(one.ja4);
      return { ...one, at: now + one.at, ...(signalled ? { signal } : {}) };
    }),
  );
}

const imageOf = (window: Window) => writeImage((writer) => window.writeImage(writer));

describe("an image of a window", () => {
  it("IMG-3: a window read from an image answers and does the same as the original, whatever comes", () => {
    const happened = { evicted: 0, folded: 0, late: 0, future: 0, overflow: 0, restored: 0, waiting: 0 };
    fc.assert(
      fc.property(steps, fc.constantFrom(...LIMITS), (script, limits) => {
        const window = new Window(SEED, limits);
        let twin = new Window(SEED, limits);
        let now = START;
        for (const [i, { wait, batch, restored, asked }] of script.entries()) {
          now += wait;
          const frame = arrive(batch, now);
          expect(twin.apply(frame, now)).toBe(window.apply(frame, now));
          // Before any answer is asked for: what waits in inboxes is part of the image.
          if (restored) {
            happened.restored++;
            happened.waiting += Math.sign(twin.memory().pending!);
            twin = readImage(imageOf(twin), (reader) => Window.readImage(reader, limits));
          }
          if (!asked && i < script.length - 1) continue;
          const dropped = window.takeDropped();
          expect(twin.takeDropped()).toEqual(dropped);
          expect(answersOf(twin)).toEqual(answersOf(window));
          expect(memoryOf(twin)).toEqual(memoryOf(window));
          happened.late += dropped.late;
          happened.future += dropped.future;
          happened.overflow += dropped.overflow;
        }
        for (const later of [4_999, 61_000, 300_001, HOUR, 2 * HOUR]) {
          window.advance(now + later);
          twin.advance(now + later);
          expect(answersOf(twin)).toEqual(answersOf(window));
        }
        expect(twin.isEmpty).toBe(true);
        happened.evicted += window.pressure().evicted;
        happened.folded += window.pressure().folded;
      }),
      { numRuns: runs(150) },
    );
    if (!FEW_RUNS)
      for (const [what, count] of Object.entries(happened)) expect(count, what).toBeGreaterThan(0);
  });

  it("IMG-4: writing an image changes nothing, and the window read from it writes the same one", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(...LIMITS), (script, limits) => {
        const window = new Window(SEED, limits);
        let now = START;
        for (const { wait, batch } of script) {
          now += wait;
          window.apply(arrive(batch, now), now);
        }
        const image = imageOf(window);
        expect(imageOf(window)).toEqual(image);
        const read = readImage(image, (reader) => Window.readImage(reader, limits));
        expect(imageOf(read)).toEqual(image);
        // What was read shares nothing with the image.
        image.fill(0xff);
        expect(answersOf(read)).toEqual(answersOf(window));
      }),
      { numRuns: runs(50) },
    );
  });
});
