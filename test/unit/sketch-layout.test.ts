/** The blocks of large sets: which form fits which hits, and moving from one form into another. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/sketch/arena.ts";
import { Stamps } from "../../src/sketch/distincts-stamps.ts";
import { Pcsa } from "../../src/sketch/pcsa.ts";
import {
  blockWords,
  denseOf,
  ENTRIES,
  FREE,
  fittingForm,
  largerForm,
  logOf,
  rareLimit,
  reshape,
  smallestForm,
  stepOf,
} from "../../src/sketch/pcsa-layout.ts";
import { runs } from "../support/runs.ts";

const RANKS = 21;
/** Of the drawing in pcsa.ts: head, free, carry, entries, and hits by rank. */
const HEADER_WORDS = 4 + RANKS;
/** Places of the rare table in 32nds of the cells, by step. */
const TABLES = [3, 4, 6, 8, 12];
const STEP_MAX = TABLES.length - 1;

const headOf = (log: number, dense: number, step: number) => 1 | (log << 1) | (dense << 5) | (step << 10);
/** Rare places that a table of that step takes: four fifths of it. */
const limitOf = (log: number, step: number) => Math.floor((2 ** log * TABLES[step]!) / 32 / 1.25);
const partsOf = (head: number) => ({ log: logOf(head), dense: denseOf(head), step: stepOf(head) });
const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);

const logs = fc.integer({ min: 5, max: 11 });
/** Hits by rank as a stream leaves them, and some as it never would. */
const hitsOf = (log: number) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: RANKS + 4 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: RANKS, maxLength: RANKS }),
    )
    .map(([full, parts]) =>
      Uint32Array.from(parts, (part, rank) =>
        Math.floor(part * Math.min(2 ** (log + full - rank - 4), 2 ** log)),
      ),
    );
const cases = logs.chain((log) => fc.tuple(fc.constant(log), hitsOf(log)));

/** Fewest steps with room for the entries and a tenth; the last one where there is none. */
function checkStep(log: number, step: number, entries: number): void {
  if (step < STEP_MAX) expect(limitOf(log, step)).toBeGreaterThanOrEqual(entries * 1.1);
  if (step > 0) expect(limitOf(log, step - 1)).toBeLessThan(entries * 1.1);
}

describe("forms of a large set", () => {
  it("FORM-1: a head says cells, dense ranks and table, and from it follows the length of the block", () => {
    expect([5, 10, 11].map((log) => smallestForm(log))).toEqual([5, 10, 11].map((log) => headOf(log, 2, 0)));
    for (let log = 5; log <= 11; log++) {
      for (let dense = 2; dense <= RANKS; dense++) {
        for (let step = 0; step <= STEP_MAX; step++) {
          const head = headOf(log, dense, step);
          expect(partsOf(head)).toEqual({ log, dense, step });
          expect(blockWords(head)).toBe(
            HEADER_WORDS + (dense * 2 ** log) / 4 + (2 ** log * TABLES[step]!) / 32,
          );
          expect(rareLimit(log, step)).toBe(limitOf(log, step));
        }
      }
    }
  });

  it("FORM-2: fitting is the form with the fewest dense ranks and then the smallest table that has room", () => {
    fc.assert(
      fc.property(cases, ([log, hits]) => {
        const form = partsOf(fittingForm(log, hits));
        const rare = sum(hits.subarray(form.dense));
        expect(form.log).toBe(log);
        expect(form.dense).toBeGreaterThanOrEqual(2);
        expect(rare).toBeLessThanOrEqual(limitOf(log, STEP_MAX));
        if (form.dense > 2) expect(rare + hits[form.dense - 1]!).toBeGreaterThan(limitOf(log, STEP_MAX));
        checkStep(log, form.step, rare);
      }),
    );
    // Just as many as the largest table takes, and one more.
    for (const [more, dense] of [
      [0, 2],
      [1, 3],
    ] as const) {
      const hits = new Uint32Array(RANKS);
      hits[2] = 100;
      hits[20] = limitOf(10, STEP_MAX) - 100 + more;
      expect(denseOf(fittingForm(10, hits))).toBe(dense);
    }
  });

  it("FORM-3: a full table becomes the next larger one, and at its largest gives its lowest rank away", () => {
    fc.assert(
      fc.property(
        cases,
        fc.integer({ min: 2, max: RANKS - 1 }),
        fc.nat({ max: STEP_MAX }),
        ([log, hits], dense, step) => {
          const rare = sum(hits.subarray(dense));
          const form = partsOf(largerForm(headOf(log, dense, step), rare, hits));
          if (step < STEP_MAX) expect(form).toEqual({ log, dense, step: step + 1 });
          else {
            expect([form.log, form.dense]).toEqual([log, dense + 1]);
            checkStep(log, form.step, rare - hits[dense]!);
          }
        },
      ),
    );
  });

  it("FORM-4: a set keeps every place through every form that can hold it, and nothing beside it changes", () => {
    const place = fc.tuple(fc.nat({ max: RANKS - 1 }), fc.nat({ max: 31 }), fc.integer({ min: 1, max: 255 }));
    // Many at the last cells: their places wrap around the table's end.
    const crowd = fc.tuple(
      fc.nat({ max: RANKS - 1 }),
      fc.integer({ min: 26, max: 31 }),
      fc.integer({ min: 1, max: 255 }),
    );
    const targets = Array.from({ length: (RANKS - 1) * TABLES.length }, (_, i) =>
      headOf(5, 2 + Math.floor(i / TABLES.length), i % TABLES.length),
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(place, crowd), { maxLength: 40 }),
        fc.shuffledSubarray(targets, { minLength: 3, maxLength: 12 }),
        (places, heads) => {
          const arena = new Arena();
          const stamps = new Stamps();
          stamps.note(254);
          const pcsa = new Pcsa(arena, stamps);
          let set = pcsa.create(5);
          for (const [rank, cell, stamp] of places) set = pcsa.put(set, rank, cell, stamp);
          const rows = () => Array.from({ length: RANKS }, (_, rank) => [...pcsa.row(set, rank)]);
          const hits = [...pcsa.hits(set)];
          const [before, free] = [rows(), arena.words[set + FREE]];
          arena.words[set + 2] = 77;
          for (const head of heads) {
            const rare = sum(hits.slice(denseOf(head)));
            if (rare > rareLimit(5, stepOf(head))) continue;
            // A free block of that length, full of an earlier owner's words, between two words of others.
            const fence = arena.alloc(blockWords(head) + 2);
            const [block, end] = [fence + 1, fence + 1 + blockWords(head)];
            arena.words.fill(0xa5a5a5a5, fence, end + 1);
            arena.release(block, blockWords(head));
            const used = arena.usedBytes;
            const old = pcsa.wordsOf(set);
            set = reshape(arena, set, head);
            expect([set, arena.words[set], arena.usedBytes - used]).toEqual([
              block,
              head,
              (blockWords(head) - old) * 4,
            ]);
            expect([arena.words[fence], arena.words[end]]).toEqual([0xa5a5a5a5, 0xa5a5a5a5]);
            expect(rows()).toEqual(before);
            expect([
              [...pcsa.hits(set)],
              arena.words[set + FREE],
              arena.words[set + 2],
              arena.words[set + ENTRIES],
            ]).toEqual([hits, free, 77, rare]);
            // Every place is found again where it lies: putting it once more changes nothing.
            const again = places.map(([rank, cell]) => pcsa.put(set, rank, cell, before[rank]![cell]!));
            expect(again).toEqual(places.map(() => set));
            expect([...pcsa.hits(set)]).toEqual(hits);
          }
        },
      ),
      { numRuns: runs(40) },
    );
  });
});
