/**
 * Where the parts of a large set lie (drawing in pcsa.ts), and which form fits which hits. A form is a head: cells, dense
 * ranks, and step of the rare table.
 */
import { layoutOf } from "../base/image.ts";
import type { Arena } from "./arena.ts";
import { RANKS } from "./pcsa-estimate.ts";

/** log₂ of the cells: 32 to 2,048. Below, a table of rare places has no room; above, `free` has none. */
export const LOG_CELLS_MIN = 5;
export const LOG_CELLS_MAX = 11;

/** First bit of a head: the block is a large set. */
export const LARGE = 1;
/** Words of a block. */
export const FREE = 1;
export const CARRY = 2;
export const ENTRIES = 3;
export const HITS = 4;
export const HEADER_WORDS = HITS + RANKS;
/** Fewer dense ranks would make most adds search the table. */
const DENSE_MIN = 2;
/** Places of the rare table by step, in 32nds of m. The largest costs as much as a dense rank and a half. */
const RARE_STEPS = [3, 4, 6, 8, 12] as const;
const RARE_STEP_MAX = RARE_STEPS.length - 1;

/** Of an image's large sets. */
export const LARGE_LAYOUT = layoutOf(
  "large",
  HEADER_WORDS,
  FREE,
  CARRY,
  ENTRIES,
  HITS,
  RANKS,
  DENSE_MIN,
  ...RARE_STEPS,
);

export const logOf = (head: number) => (head >>> 1) & 15;
export const denseOf = (head: number) => (head >>> 5) & 31;
export const stepOf = (head: number) => head >>> 10;
const headOf = (log: number, dense: number, step: number) => LARGE | (log << 1) | (dense << 5) | (step << 10);
export const rareCapacity = (log: number, step: number) => ((1 << log) * RARE_STEPS[step]!) >>> 5;
export const rareLimit = (log: number, step: number) => Math.floor(rareCapacity(log, step) * 0.8);
export const blockWords = (head: number) =>
  HEADER_WORDS + ((denseOf(head) << logOf(head)) >>> 2) + rareCapacity(logOf(head), stepOf(head));

/** Of a set that holds nothing. */
export const smallestForm = (log: number) => headOf(log, DENSE_MIN, 0);

/** The form that a set grows into when its rare table is full. */
export function largerForm(head: number, entries: number, hits: Uint32Array): number {
  const [log, dense, step] = [logOf(head), denseOf(head), stepOf(head)];
  if (step < RARE_STEP_MAX) return headOf(log, dense, step + 1);
  return headOf(log, dense + 1, rareStep(log, entries - hits[dense]!));
}

/** The smallest form of 2^log cells that holds so many hits by rank. */
export function fittingForm(log: number, hits: Uint32Array): number {
  let dense = DENSE_MIN;
  let rest = 0;
  for (let rank = dense; rank < RANKS; rank++) rest += hits[rank]!;
  while (rest > rareLimit(log, RARE_STEP_MAX)) rest -= hits[dense++]!;
  return headOf(log, dense, rareStep(log, rest));
}

/** The smallest step with room for `entries` and a few more. */
function rareStep(log: number, entries: number): number {
  let step = 0;
  while (step < RARE_STEP_MAX && rareLimit(log, step) < entries * 1.1) step++;
  return step;
}

/** Enters a rare place that the table does not hold; there must be room. */
export function enterRare(words: Uint32Array, set: number, entry: number): void {
  const head = words[set]!;
  const capacity = rareCapacity(logOf(head), stepOf(head));
  const from = set + blockWords(head) - capacity;
  let i = (((entry >>> 8) & 0xffff) * capacity) >>> logOf(head);
  while (words[from + i] !== 0) if (++i === capacity) i = 0;
  words[from + i] = entry;
  words[set + ENTRIES]! += 1;
}

/** Moves a set into a block of another form with the same cells. */
export function reshape(arena: Arena, set: number, head: number): number {
  const to = arena.alloc(blockWords(head));
  const { words, bytes } = arena;
  const old = words[set]!;
  const log = logOf(head);
  const dense = denseOf(head);
  const kept = Math.min(dense, denseOf(old));
  words.copyWithin(to, set, set + HEADER_WORDS + ((kept << log) >>> 2));
  words[to] = head;
  words[to + ENTRIES] = 0;
  for (let rank = kept; rank < denseOf(old); rank++) {
    const from = ((set + HEADER_WORDS) << 2) + (rank << log);
    for (let cell = 0; cell < 1 << log; cell++) {
      const stamp = bytes[from + cell]!;
      if (stamp !== 0) enterRare(words, to, (rank << 24) | (cell << 8) | stamp);
    }
  }
  const end = set + blockWords(old);
  for (let at = end - rareCapacity(log, stepOf(old)); at < end; at++) {
    const entry = words[at]!;
    if (entry === 0) continue;
    const rank = entry >>> 24;
    if (rank < dense)
      bytes[((to + HEADER_WORDS) << 2) + (rank << log) + ((entry >>> 8) & 0xffff)] = entry & 255;
    else enterRare(words, to, entry);
  }
  arena.release(set, blockWords(old));
  return to;
}
