/**
 * The tally: what is counted of one fingerprint over some stretch of time. It has two forms:
 *
 *   wide     17 unsigned 32-bit columns
 *   lanes    the same columns as bytes, four to a word, in five words; the last three bytes are free
 *
 * Lanes make counting one observation four additions of words out of a table. No column of a request counts more than its
 * REQS, so as long as REQS is under 256 no byte runs over into the next. Rows add up column by column, so a tally of two
 * stretches is the sum of theirs (merge = add, identity = zeros).
 */
import { layoutOf } from "../base/image.ts";
import { HAS_SIGNALS, RATIOS } from "../wire/flags.ts";

/** Column of the request count. */
export const REQS = 0;
/** Column of "fact known" of ratio i is FACTS + 2·i, of "fact is yes" FACTS + 2·i + 1. */
export const FACTS = 1;
/** Requests that came without any of Cloudflare's global signals. */
export const WITHOUT_SIGNALS = FACTS + 2 * RATIOS.length;
/** User agents, paths, addresses that this fingerprint had not shown in the hour before. */
export const NEW_UAS = WITHOUT_SIGNALS + 1;
export const NEW_PATHS = WITHOUT_SIGNALS + 2;
export const NEW_IPS = WITHOUT_SIGNALS + 3;
export const TALLY_WIDTH = WITHOUT_SIGNALS + 4;
/** Which column is what, of an image's tallies. */
export const TALLY_LAYOUT = layoutOf("tally", ...RATIOS, FACTS, WITHOUT_SIGNALS, NEW_UAS, NEW_PATHS, NEW_IPS);

/** Words of a tally in lanes. Its last word has room for 24 more bits above NEW_IPS. */
export const LANE_WORDS = 5;
export const LANE_MAX = 255;

/** A wide tally of its own, or a view of one. */
export type Tally = Uint32Array;

/** Bits that a held observation has on top of its flags: what it showed for the first time in the hour. */
export const SHOWS_NEW_UA = 1 << 12;
export const SHOWS_NEW_PATH = 1 << 13;
export const SHOWS_NEW_IP = 1 << 14;

const FACT_BITS = 2 * RATIOS.length;
const FACT_MASK = (1 << FACT_BITS) - 1;

/** Lanes 0–15 of every combination of facts: one request, its known facts, its yeses. */
const LANES_OF_FACTS = lanesOfFacts();

function lanesOfFacts(): Uint32Array {
  const table = new Uint32Array(4 << FACT_BITS);
  const bytes = new Uint8Array(table.buffer);
  for (let facts = 0; facts <= FACT_MASK; facts++) {
    bytes[facts * 16 + REQS] = 1;
    for (let ratio = 0; ratio < RATIOS.length; ratio++) {
      const fact = (facts >>> (ratio * 2)) & 3;
      if (fact !== 0) bytes[facts * 16 + FACTS + ratio * 2] = 1;
      if (fact === 3) bytes[facts * 16 + FACTS + ratio * 2 + 1] = 1;
    }
  }
  return table;
}

/** The lane of a column in its word. */
function lane(column: number): number {
  return 1 << ((column & 3) * 8);
}
const WITHOUT_SIGNALS_LANE = lane(WITHOUT_SIGNALS);

/** Adds one observation's flag word, with what it showed for the first time, to the lanes at `at`. */
export function countLanes(lanes: Uint32Array, at: number, flags: number): void {
  const facts = (flags & FACT_MASK) << 2;
  lanes[at]! += LANES_OF_FACTS[facts]!;
  lanes[at + 1]! += LANES_OF_FACTS[facts + 1]!;
  lanes[at + 2]! += LANES_OF_FACTS[facts + 2]!;
  // Lanes 12–15: the last yes, WITHOUT_SIGNALS, NEW_UAS, NEW_PATHS; lane 16: NEW_IPS.
  const shown = ((flags & SHOWS_NEW_UA) << 4) + (((flags & SHOWS_NEW_PATH) << 11) >>> 0);
  lanes[at + 3]! +=
    LANES_OF_FACTS[facts + 3]! + shown + ((flags & HAS_SIGNALS) === 0 ? WITHOUT_SIGNALS_LANE : 0);
  if ((flags & SHOWS_NEW_IP) !== 0) lanes[at + 4]!++;
}

/** The same into wide columns. */
export function countWide(tally: Tally, flags: number): void {
  const facts = (flags & FACT_MASK) << 2;
  for (let column = 0; column < WITHOUT_SIGNALS; column++)
    tally[column]! += (LANES_OF_FACTS[facts + (column >>> 2)]! >>> ((column & 3) * 8)) & 255;
  if ((flags & HAS_SIGNALS) === 0) tally[WITHOUT_SIGNALS]!++;
  if ((flags & SHOWS_NEW_UA) !== 0) tally[NEW_UAS]!++;
  if ((flags & SHOWS_NEW_PATH) !== 0) tally[NEW_PATHS]!++;
  if ((flags & SHOWS_NEW_IP) !== 0) tally[NEW_IPS]!++;
}

/** into += lanes, column by column. */
export function addLanes(into: Tally, intoAt: number, lanes: Uint32Array, at: number): void {
  for (let column = 0; column < TALLY_WIDTH; column++)
    into[intoAt + column]! += (lanes[at + (column >>> 2)]! >>> ((column & 3) * 8)) & 255;
}

/** Whether two words of four lanes cannot be added without running over. */
export function overruns(a: number, b: number): boolean {
  return (((a & b) | ((a | b) & ~(a + b))) & 0x80808080) !== 0;
}

/** into += from, row by row; both start positions are in columns. */
export function addTally(into: Uint32Array, intoAt: number, from: Uint32Array, fromAt: number): void {
  for (let column = 0; column < TALLY_WIDTH; column++) into[intoAt + column]! += from[fromAt + column]!;
}

/** into −= from; the caller guarantees that `from` was added before (a minute that leaves the hour). */
export function subtractTally(into: Uint32Array, intoAt: number, from: Uint32Array, fromAt: number): void {
  for (let column = 0; column < TALLY_WIDTH; column++) into[intoAt + column]! -= from[fromAt + column]!;
}

/** Share of "yes" among the requests whose fact is known; `undefined` when it is known for none. */
export function ratioOf(tally: Tally, at: number, ratio: number): number | undefined {
  const known = tally[at + FACTS + ratio * 2]!;
  return known === 0 ? undefined : tally[at + FACTS + ratio * 2 + 1]! / known;
}
