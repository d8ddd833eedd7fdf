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
  value: number;
  /** The family's text. */
  name: string;
}

export function familyColumns(rows: readonly FamilyRow[]): ShardFamilies {
  return {
    family: Float64Array.from(rows, ({ family }) => family),
    reqs: Float64Array.from(rows, ({ reqs }) => reqs),
    fingerprints: Float64Array.from(rows, ({ fingerprints }) => fingerprints),
    newborn: Float64Array.from(rows, ({ newborn }) => newborn),
  };
}

/** One page over all shards: most requests of the hour first, equal ones by their text. `limit` rows at most. */
export function mergeFamilies(
  part: Part,
  shards: readonly ShardFamilies[],
  limit: number,
  after: FamilyPosition | undefined,
): { families: FamilyAnswer[]; next: FamilyPosition | undefined } {
  const sums = new FamilySums();
  for (const { family, reqs, fingerprints, newborn } of shards)
    for (let i = 0; i < family.length; i++) sums.add(family[i]!, reqs[i]!, fingerprints[i]!, newborn[i]!);
  const named = sums
    .rows()
    .filter(({ reqs }) => reqs > 0 && (after === undefined || reqs <= after.value))
    .map((row) => ({ ...row, name: familyName(part, row.family) }))
    .sort((a, b) => b.reqs - a.reqs || (a.name < b.name ? -1 : 1));
  const rest =
    after === undefined ? named : named.filter(({ reqs, name }) => reqs < after.value || name > after.name);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    families: page.map(({ name, reqs, fingerprints, newborn }) => ({
      part,
      value: name,
      reqs_1h: reqs,
      fingerprints_1h: fingerprints,
      newborn_1m: newborn,
    })),
    next: rest.length > limit && last !== undefined ? { value: last.reqs, name: last.name } : undefined,
  };
}
