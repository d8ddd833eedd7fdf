/**
 * How likely the next draw is one that the hour has not seen: Σ w (1 − w)^n for values of Zipf weights w after n draws. By
 * this the evaluation knows how many user agents, paths and addresses are new without keeping any set.
 */

/** Tables go to 2^(LAST / STEPS) draws. */
const STEPS_A_DOUBLING = 2;
const LAST = 20 * STEPS_A_DOUBLING;
/** Values of a larger pool are as good as all different in an hour. */
const POOL_MAX = 1 << 16;

const tables = new Map<number, Float64Array>();

function tableOf(size: number): Float64Array {
  let total = 0;
  for (let rank = 1; rank <= size; rank++) total += 1 / rank;
  const table = new Float64Array(LAST + 1);
  for (let rank = 1; rank <= size; rank++) {
    const weight = 1 / rank / total;
    const log = Math.log1p(-Math.min(weight, 1 - 1e-12));
    for (let at = 0; at <= LAST; at++)
      table[at]! += weight * Math.exp(log * (2 ** (at / STEPS_A_DOUBLING) - 1));
  }
  return table;
}

/** Share of new values among the draws after `draws` of them, from a pool of `size` values (rounded to a power of two). */
export function noveltyShare(size: number, draws: number): number {
  const rounded = Math.min(2 ** Math.round(Math.log2(Math.max(size, 1))), POOL_MAX);
  let table = tables.get(rounded);
  if (table === undefined) {
    table = tableOf(rounded);
    tables.set(rounded, table);
  }
  const place = Math.min(Math.log2(draws + 1) * STEPS_A_DOUBLING, LAST);
  const low = Math.floor(place);
  const high = Math.min(low + 1, LAST);
  return table[low]! + (table[high]! - table[low]!) * (place - low);
}
