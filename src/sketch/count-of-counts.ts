/**
 * Ranks over all fingerprints of a site without moving the fingerprints: every shard sends *how many* of its
 * fingerprints have each value, the sums are merged, and a rank is a binary search. Exact, however many fingerprints
 * there are: `rank = 1 + those with strictly more`, `quantile = those with strictly fewer / population`.
 * With Σ values = V there are at most √(2V) different values, so the table stays small.
 */

/** value → number of fingerprints that have it; `values` ascending without repeats, `counts` alongside, all > 0. */
export interface CountOfCounts {
  values: Uint32Array;
  counts: Uint32Array;
}

export const EMPTY_COUNTS: CountOfCounts = { values: new Uint32Array(0), counts: new Uint32Array(0) };

/** The table of one value per fingerprint, in any order. */
export function countOfCounts(perFingerprint: Iterable<number>): CountOfCounts {
  const table = new Map<number, number>();
  for (const value of perFingerprint) table.set(value, (table.get(value) ?? 0) + 1);
  return fromMap(table);
}

/** The sum of several tables: commutative, associative, the empty table is the identity. */
export function mergeCounts(tables: readonly CountOfCounts[]): CountOfCounts {
  const sum = new Map<number, number>();
  for (const { values, counts } of tables) {
    values.forEach((value, i) => {
      sum.set(value, (sum.get(value) ?? 0) + counts[i]!);
    });
  }
  return fromMap(sum);
}

function fromMap(table: Map<number, number>): CountOfCounts {
  const values = Uint32Array.from(table.keys()).sort();
  return { values, counts: Uint32Array.from(values, (value) => table.get(value)!) };
}

/** A merged table made ready for look-ups. */
export class RankTable {
  readonly #values: Uint32Array;
  /** fewer[i] = fingerprints with a value < values[i]; the last entry is the population. */
  readonly #fewer: Uint32Array;

  constructor({ values, counts }: CountOfCounts) {
    this.#values = values;
    this.#fewer = new Uint32Array(values.length + 1);
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
