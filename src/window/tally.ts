/**
 * The tally: what is counted of one fingerprint over some stretch of time, as a row of unsigned 32-bit columns.
 * Rows add up column by column, so a tally of two stretches is the sum of theirs (merge = add, identity = zeros).
 */
import { HAS_SIGNALS, RATIOS } from "../wire/flags.ts";

/** Column of the request count. */
export const REQS = 0;
/** Column of "fact known" of ratio i is FACTS + 2·i, of "fact is yes" FACTS + 2·i + 1. */
export const FACTS = 1;
/** User agents, paths, addresses that this fingerprint had not shown in the hour before. */
export const NEW_UAS = FACTS + 2 * RATIOS.length;
export const NEW_PATHS = NEW_UAS + 1;
export const NEW_IPS = NEW_UAS + 2;
/** Requests that came without any of Cloudflare's global signals. */
export const WITHOUT_SIGNALS = NEW_UAS + 3;
export const TALLY_WIDTH = NEW_UAS + 4;

/** A tally of its own, or a view of one row in a larger table. */
export type Tally = Uint32Array;

/** Adds one observation's flag word to the row that starts at `at`. */
export function countFlags(table: Uint32Array, at: number, flags: number): void {
  table[at + REQS]!++;
  for (let ratio = 0; ratio < RATIOS.length; ratio++) {
    const fact = (flags >>> (ratio * 2)) & 3;
    if (fact === 0) continue;
    table[at + FACTS + ratio * 2]!++;
    if (fact === 3) table[at + FACTS + ratio * 2 + 1]!++;
  }
  if ((flags & HAS_SIGNALS) === 0) table[at + WITHOUT_SIGNALS]!++;
}

/** into += from, row by row; both start positions are in columns. */
export function addTally(into: Uint32Array, intoAt: number, from: Uint32Array, fromAt: number): void {
  for (let column = 0; column < TALLY_WIDTH; column++) into[intoAt + column]! += from[fromAt + column]!;
}

/** into −= from; the caller guarantees that `from` was added before (a pane that leaves the hour). */
export function subtractTally(into: Uint32Array, intoAt: number, from: Uint32Array, fromAt: number): void {
  for (let column = 0; column < TALLY_WIDTH; column++) into[intoAt + column]! -= from[fromAt + column]!;
}

/** Share of "yes" among the requests whose fact is known; `undefined` when it is known for none. */
export function ratioOf(tally: Tally, at: number, ratio: number): number | undefined {
  const known = tally[at + FACTS + ratio * 2]!;
  return known === 0 ? undefined : tally[at + FACTS + ratio * 2 + 1]! / known;
}
