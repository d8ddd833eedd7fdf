/** A window that is written down and read back, again and again, beside one that never was: no difference ever shows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readImage } from "../../src/base/image.ts";
import { Window } from "../../src/window/window.ts";
import { partsOf, stored } from "../support/images.ts";
import { FEW_RUNS, runs } from "../support/runs.ts";
import { answersOf, memoryOf } from "../support/window-answers.ts";
import { arrive, HOUR, LIMITS, SEED, START, steps } from "../support/window-scripts.ts";

/** In many parts: a window of few fingerprints would fit one. */
const imageOf = (window: Window) => partsOf((writer) => window.writeImage(writer), 10_000);

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
            twin = readImage(stored(imageOf(twin)), (reader) => Window.readImage(reader, limits));
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
        for (const later of [61_000, 300_001, 2 * HOUR]) {
          window.advance(now + later);
          twin.advance(now + later);
          expect(answersOf(twin)).toEqual(answersOf(window));
        }
        expect(twin.isEmpty).toBe(true);
        happened.evicted += window.pressure().evicted;
        happened.folded += window.pressure().folded;
      }),
      { numRuns: runs(80) },
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
        const read = readImage(stored(image), (reader) => Window.readImage(reader, limits));
        expect(imageOf(read)).toEqual(image);
        // What was read shares nothing with the image, which is void now.
        expect(answersOf(read)).toEqual(answersOf(window));
      }),
      { numRuns: runs(30) },
    );
  });
});
