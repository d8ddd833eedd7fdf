/** Families of a site in pages. A family is spread over shards, so their sums come first and the page after. */
import type { FamilyAnswer } from "../schemas/reading.ts";
import { type FamilyRow, FamilySums, familyName, type Part } from "../window/families.ts";

/** A shard's families, a column each: there may be as many as fingerprints, and objects would be ten times as large. */
export interface ShardFamilies {
  family: Float64Array;
  reqs: Float64Array;
  fingerprints: Float64Array;
  newborn: Float64Array;
}

/** Where a page ended. */
export interface FamilyPosition {
  reqs: number;
  family: number;
}

export function familyColumns(rows: readonly FamilyRow[]): ShardFamilies {
  return {
    family: Float64Array.from(rows, ({ family }) => family),
    reqs: Float64Array.from(rows, ({ reqs }) => reqs),
    fingerprints: Float64Array.from(rows, ({ fingerprints }) => fingerprints),
    newborn: Float64Array.from(rows, ({ newborn }) => newborn),
  };
}

/** One page over all shards, most requests of the hour first; equal families have a fixed order. `limit` rows at most. */
export function mergeFamilies(
  part: Part,
  shards: readonly ShardFamilies[],
  limit: number,
  after: FamilyPosition | undefined,
): { families: FamilyAnswer[]; next: FamilyPosition | undefined } {
  const sums = new FamilySums();
  for (const { family, reqs, fingerprints, newborn } of shards)
    for (let i = 0; i < family.length; i++) sums.add(family[i]!, reqs[i]!, fingerprints[i]!, newborn[i]!);
  const all = sums.rows();
  const from = after === undefined ? 0 : all.findIndex((row) => comesAfter(row, after));
  const page = from < 0 ? [] : all.slice(from, from + limit);
  const last = page.at(-1);
  return {
    families: page.map(({ family, reqs, fingerprints, newborn }) => ({
      part,
      value: familyName(part, family),
      reqs_1h: reqs,
      fingerprints_1h: fingerprints,
      newborn_1m: newborn,
    })),
    next:
      last !== undefined && from + limit < all.length ? { reqs: last.reqs, family: last.family } : undefined,
  };
}

/** In the order of `FamilySums.rows`. */
function comesAfter(row: FamilyPosition, other: FamilyPosition): boolean {
  return row.reqs === other.reqs ? row.family > other.family : row.reqs < other.reqs;
}
