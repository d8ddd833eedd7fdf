/**
 * How many identities a PCSA sketch has seen, from the number of cells that are hit at each rank: the maximum of the
 * likelihood under Poisson arrivals (Lang, "Back to the Future: an Even More Nearly Optimal Cardinality Estimation
 * Algorithm", 2017, and Ting, "Streamed Approximate Counting of Distinct Elements", KDD 2014). Its derivative by n is zero
 *
 *   Σ_r  c_r · λ_r / (e^{n·λ_r} − 1)  =  Σ_r  (m − c_r) · λ_r
 *
 * with c_r of m cells hit at rank r and λ_r the probability that an identity hits a given cell at rank r. The standard
 * error is 0.649 / √m (Fisher information π² / (6 ln 2) a cell; Pettie and Wang 2021): 2.03 % at m = 1,024.
 */

/** Ranks 0..RANK_MAX: trailing zeros of a hash's low 20 bits. The last one takes all that have at least so many. */
export const RANK_MAX = 20;
export const RANKS = RANK_MAX + 1;
/** Set in a hash, the bit makes its trailing zeros the rank, the last one included. */
export const RANK_STOP = 1 << RANK_MAX;

/** m · 2²⁰ · λ_r, a whole number: 2^(19 − r), and 1 for the last rank. */
export function weight(rank: number): number {
  return rank < RANK_MAX ? 1 << (RANK_MAX - 1 - rank) : 1;
}

const WEIGHTS = Float64Array.from({ length: RANKS }, (_, rank) => weight(rank));
/** Relative error at which the iteration ends, far below the sketch's own. */
const PRECISE = 1e-6;
/** It takes four to eight; more would mean rounding noise around the root. */
const STEPS_MAX = 40;

/** Estimated number of identities, not rounded. `hits`: cells hit, by rank; `cells`: m. 0 when nothing is hit. */
export function estimate(hits: ArrayLike<number>, cells: number): number {
  let sum = 0;
  let hitWeight = 0;
  for (let rank = 0; rank < RANKS; rank++) {
    sum += hits[rank]!;
    hitWeight += hits[rank]! * WEIGHTS[rank]!;
  }
  if (sum === 0) return 0;
  const scale = cells * 2 ** RANK_MAX;
  // Every cell hit: no finite maximum. Half a cell missing at the rarest rank is the usual continuity correction.
  const missed = Math.max(scale - hitWeight, 0.5);
  // Newton for ln(left side) = ln(right side) over ln z, z = n / scale. Both are almost straight lines there. e^y − 1 ≥ y puts
  // the start right of the root, and ln(left side) is concave, so the steps close in from one side.
  let z = sum / missed;
  for (let step = 0; step < STEPS_MAX; step++) {
    let left = 0;
    let slope = 0;
    // e^{2y} − 1 from e^y − 1, from the rarest rank to the most frequent one: one exponential for all ranks.
    let grown = Math.expm1(z);
    for (let rank = RANK_MAX; rank >= 0; rank--) {
      if (rank < RANK_MAX - 1) grown *= grown + 2;
      if (hits[rank] === 0) continue;
      // Past this the term is nothing, and the next square would overflow.
      if (grown > 1e100) break;
      const w = WEIGHTS[rank]!;
      const term = (hits[rank]! * w) / grown;
      left += term;
      slope += term * w * (1 + 1 / grown);
    }
    if (left === 0) {
      z /= 2;
      continue;
    }
    const move = (Math.log(left / missed) * left) / (slope * z);
    z *= Math.exp(move);
    if (Math.abs(move) < PRECISE) break;
  }
  return z * scale;
}
