/** Fingerprints of the site that share a part of their JA4 with one: each shard's first few, and their merge. */
import { RELATED_MAX } from "../base/read-limits.ts";
import type { RelatedAnswer } from "../schemas/reading.ts";
import { familyOf, PARTS, type Part } from "../window/families.ts";
import type { Window } from "../window/window.ts";
import { KEY_WORDS, packKey } from "../wire/key.ts";
import { type ListedRow, rowOf } from "./list.ts";
import { Top } from "./top.ts";

/** One shard's part of the answer. */
export interface ShardRelated {
  /** Whether the shard has seen the fingerprint itself in the last hour. */
  isSeen: boolean;
  /** At most RELATED_MAX a part, most requests first. */
  same: Record<Part, ListedRow[]>;
}

/** The shard's fingerprints that are related to `ja4`, which may be another shard's. */
export function relatedFingerprints(
  window: Window,
  ja4: string,
  scoreOf: (ja4: string) => number | undefined,
): ShardRelated {
  const { fingerprints } = window;
  const own = fingerprints.id(ja4);
  const key = new Uint32Array(KEY_WORDS);
  packKey(ja4, key, 0);
  const wanted = PARTS.map((part) => familyOf(part, key, 0));
  const tops = PARTS.map(
    () =>
      new Top(RELATED_MAX, (aValue, aId, bValue, bId) =>
        aValue === bValue ? fingerprints.ja4(aId) < fingerprints.ja4(bId) : aValue > bValue,
      ),
  );
  // Pseudo fingerprints have no parts.
  const ids = wanted[0]! < 0 ? [] : fingerprints.ids();
  for (const id of ids) {
    if (id === own) continue;
    fingerprints.copyKey(id, key);
    PARTS.forEach((part, i) => {
      if (familyOf(part, key, 0) === wanted[i]) tops[i]!.offer(window.reqs(id, "1h"), id);
    });
  }
  const rows = (i: number): ListedRow[] =>
    tops[i]!.sorted().map(({ value, id }) => ({ value, row: rowOf(window, "1h", id, scoreOf) }));
  return { isSeen: own !== undefined, same: { a: rows(0), b: rows(1), c: rows(2) } };
}

/** The first RELATED_MAX a part over all shards. */
export function mergeRelated(shards: readonly ShardRelated[]): RelatedAnswer["same"] {
  const merged = (part: Part) =>
    shards
      .flatMap(({ same }) => same[part])
      .sort((a, b) => b.value - a.value || (a.row.ja4 < b.row.ja4 ? -1 : 1))
      .slice(0, RELATED_MAX)
      .map(({ row }) => row);
  return { a: merged("a"), b: merged("b"), c: merged("c") };
}
