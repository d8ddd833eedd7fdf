/** What a window does follows from what came and when: not from how often somebody looked or ticked meanwhile. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Window } from "../../src/window/window.ts";
import { runs } from "../support/runs.ts";
import { answersOf } from "../support/window-answers.ts";
import { arrive, HOUR, LIMITS, SEED, START, steps } from "../support/window-scripts.ts";

describe("a window", () => {
  it("WIN-23: that is read and moved on the way is the same as one that only counts, ids and who left included", () => {
    fc.assert(
      fc.property(
        steps,
        fc.infiniteStream(fc.nat({ max: 90_000 })),
        fc.constantFrom(...LIMITS),
        (script, waits, limits) => {
          const window = new Window(SEED, limits);
          const read = new Window(SEED, limits);
          let now = START;
          for (const { wait, batch, asked } of script) {
            for (let at = now + waits.next().value; at < now + wait; at += waits.next().value) {
              read.advance(at);
              if (asked) answersOf(read);
            }
            now += wait;
            const frame = arrive(batch, now);
            expect(read.apply(frame, now)).toBe(window.apply(frame, now));
            if (asked) read.rankValues();
          }
          for (const later of [0, 61_000, HOUR]) {
            window.advance(now + later);
            read.advance(now + later / 2);
            read.advance(now + later);
            expect(answersOf(read)).toEqual(answersOf(window));
          }
          expect(read.takeDropped()).toEqual(window.takeDropped());
        },
      ),
      { numRuns: runs(60) },
    );
  });
});
