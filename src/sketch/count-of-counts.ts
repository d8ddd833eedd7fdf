/**
 * Ranks over all fingerprints of a site without moving the fingerprints: every shard sends *how many* of its
 * fingerprints have each value, the sums are merged, and a rank is a binary search. Exact, however many fingerprints
 * there are: `rank = 1 + those with strictly more`, `quantile = those with strictly fewer / population`.
 * With Σ values = V there are at most √(2V) different values, so the table stays small.
 */

/**
 * value → number of fingerprints that have it; `values` ascending without repeats, `counts` alongside, all > 0.
 * Counts are doubles: a merged one may pass 2³², and up to 2⁵³ they are exact.
 */
export interface CountOfCounts {
  values: Uint32Array;
  counts: Float64Array;
}

export const EMPTY_COUNTS: CountOfCounts = { values: new Uint32Array(0), counts: new Float64Array(0) };

/** Values below this are counted by their own index; nearly all are. The rest is sorted. */
const DIRECT_VALUES = 4_096;

/**
 * The table of a column with one value a fingerprint, in any order. Rows where `present` is 0 are no fingerprint and left
 * out; `ones` fingerprints more have the value 1.
 */
export function countOfCounts(column: Uint32Array, present?: Uint32Array, ones = 0): CountOfCounts {
  // Most shards have few requests a fingerprint: what is cleared and looked through ends with the largest of them.
  let most = 1;
  for (const value of column) if (value > most) most = value;
  const direct = new Float64Array(Math.min(DIRECT_VALUES, most + 1));
  direct[1] = ones;
  let larger = 0;
  for (let row = 0; row < column.length; row++) {
    if (present !== undefined && present[row] === 0) continue;
    const value = column[row]!;
    if (value < direct.length) direct[value]!++;
    else larger++;
  }
  const sorted = new Uint32Array(larger);
  for (let row = 0, at = 0; at < larger; row++) {
    if (present !== undefined && present[row] === 0) continue;
    if (column[row]! >= direct.length) sorted[at++] = column[row]!;
  }
  sorted.sort();
  let size = 0;
  for (const count of direct) if (count > 0) size++;
  for (let i = 0; i < larger; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) size++;
  const values = new Uint32Array(size);
  const counts = new Float64Array(size);
  let at = 0;
  for (let value = 0; value < direct.length; value++) {
    if (direct[value] === 0) continue;
    values[at] = value;
    counts[at++] = direct[value]!;
  }
  for (let i = 0; i < larger; i++) {
    if (i > 0 && sorted[i] === sorted[i - 1]) counts[at - 1]!++;
    else {
      values[at] = sorted[i]!;
      counts[at++] = 1;
    }
  }
  return { values, counts };
}

/** The sum of several tables: commutative, associative, the empty table is the identity. */
export function mergeCounts(tables: readonly CountOfCounts[]): CountOfCounts {
  // In pairs, and pairs of pairs: each entry is then looked at log₂(tables) times.
  let level = tables;
  while (level.length > 1) {
    const next: CountOfCounts[] = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(i + 1 < level.length ? mergeTwo(level[i]!, level[i + 1]!) : level[i]!);
    }
    level = next;
  }
  return level[0] ?? EMPTY_COUNTS;
}

function mergeTwo(a: CountOfCounts, b: CountOfCounts): CountOfCounts {
  const room = a.values.length + b.values.length;
  const values = new Uint32Array(room);
  const counts = new Float64Array(room);
  let size = 0;
  for (let i = 0, j = 0; i < a.values.length || j < b.values.length; size++) {
    // Past its end a table has only "infinite" values.
    const left = i < a.values.length ? a.values[i]! : Number.POSITIVE_INFINITY;
    const right = j < b.values.length ? b.values[j]! : Number.POSITIVE_INFINITY;
    values[size] = left < right ? left : right;
    if (left <= right) counts[size]! += a.counts[i++]!;
    if (right <= left) counts[size]! += b.counts[j++]!;
  }
  return { values: values.slice(0, size), counts: counts.slice(0, size) };
}

/** A merged table made ready for look-ups. */
export class RankTable {
  readonly #values: Uint32Array;
  /** fewer[i] = fingerprints with a value < values[i]; the last entry is the population. */
  readonly #fewer: Float64Array;

  constructor({ values, counts }: CountOfCounts) {
    this.#values = values;
    this.#fewer = new Float64Array(values.length + 1);
    for (let i = 0; i < values.length; i++) this.#fewer[i + 1] = this.#fewer[i]! + counts[i]!;
  }

  get population(): number {
    return this.#fewer[this.#values.length]!;
  }

  /** 1 = nobody has more. */
  rank(value: number): number {
    return 1 + this.population - this.#fewer[this.#firstAbove(value)]!;
  }

  /** Share of the population with strictly fewer; `undefined` while the population is empty. */
  quantile(value: number): number | undefined {
    if (this.population === 0) return undefined;
    return this.#fewer[this.#firstAbove(value - 1)]! / this.population;
  }

  /** Index of the first value > `value`. */
  #firstAbove(value: number): number {
    let low = 0;
    let high = this.#values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#values[middle]! > value) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
