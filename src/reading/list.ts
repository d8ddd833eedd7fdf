/** Sorted pages over a shard's fingerprints, and the merge of several shards' pages. */
import { rfc3339 } from "../base/time.ts";
import type { WindowName } from "../config.ts";
import type { FingerprintRow, SORTS } from "../schemas/reading.ts";
import { windowNumbers } from "../window/snapshot.ts";
import { REQS, TALLY_WIDTH } from "../window/tally.ts";
import type { Window } from "../window/window.ts";
import { globTest } from "../wire/ja4.ts";

export type SortKey = (typeof SORTS)[number];

export interface ListQuery {
  sort: SortKey;
  order: "asc" | "desc";
  window: WindowName;
  ja4: string | undefined;
  limit: number;
  /** The last row of the page before: its sort value and fingerprint. */
  after: { value: number; ja4: string } | undefined;
}

/** A row with the value that it is sorted by. */
export interface ListedRow {
  value: number;
  row: FingerprintRow;
}

/** Up to `limit` + 1 rows, so that the merger knows whether another page follows. */
export function listFingerprints(
  window: Window,
  query: ListQuery,
  scoreOf: (ja4: string) => number | undefined,
): ListedRow[] {
  const inScope = query.ja4 === undefined ? () => true : globTest(query.ja4);
  const table = window.tallies(query.window);
  const found: { ja4: string; id: number; value: number }[] = [];
  for (const [ja4, id] of window.fingerprints.entries()) {
    if ((table[id * TALLY_WIDTH + REQS] ?? 0) === 0 || !inScope(ja4)) continue;
    const value = sortValue(window, query, ja4, id, scoreOf);
    if (query.after === undefined || comesBefore(query, query.after, { value, ja4 }))
      found.push({ ja4, id, value });
  }
  found.sort((a, b) => (comesBefore(query, a, b) ? -1 : 1));
  return found
    .slice(0, query.limit + 1)
    .map(({ ja4, id, value }) => ({ value, row: rowOf(window, query, ja4, id, scoreOf) }));
}

/** One page out of several shards' rows, and where the next one starts. */
export function mergeLists(
  query: ListQuery,
  lists: readonly ListedRow[][],
): { rows: FingerprintRow[]; next: { value: number; ja4: string } | undefined } {
  const all = lists.flat().sort((a, b) => (comesBefore(query, keyOf(a), keyOf(b)) ? -1 : 1));
  const page = all.slice(0, query.limit);
  const last = page[page.length - 1];
  return {
    rows: page.map(({ row }) => row),
    next: all.length > query.limit && last !== undefined ? keyOf(last) : undefined,
  };
}

function keyOf({ value, row }: ListedRow): { value: number; ja4: string } {
  return { value, ja4: row.ja4 };
}

/** Order of the list; equal values by fingerprint, so that pages neither repeat nor skip. */
function comesBefore(
  query: ListQuery,
  a: { value: number; ja4: string },
  b: { value: number; ja4: string },
): boolean {
  if (a.value !== b.value) return query.order === "desc" ? a.value > b.value : a.value < b.value;
  return a.ja4 < b.ja4;
}

/** What is absent sorts as the smallest. */
function sortValue(
  window: Window,
  query: ListQuery,
  ja4: string,
  id: number,
  scoreOf: (ja4: string) => number | undefined,
): number {
  switch (query.sort) {
    case "reqs":
      return window.tallies(query.window)[id * TALLY_WIDTH + REQS]!;
    case "last_seen":
      return window.fingerprints.lastSeenMs(id);
    case "score":
      return scoreOf(ja4) ?? -1;
    default:
      return window.distinct(id, { ips: 0, uas: 1, paths: 2 }[query.sort], query.window) ?? -1;
  }
}

function rowOf(
  window: Window,
  query: ListQuery,
  ja4: string,
  id: number,
  scoreOf: (ja4: string) => number | undefined,
): FingerprintRow {
  const { reqs, ips, uas, paths, browser_ratio } = windowNumbers(window, id, query.window);
  const score = scoreOf(ja4);
  return {
    ja4,
    reqs,
    ...(ips === undefined ? {} : { ips }),
    ...(uas === undefined ? {} : { uas }),
    ...(paths === undefined ? {} : { paths }),
    ...(browser_ratio === undefined ? {} : { browser_ratio }),
    ...(score === undefined ? {} : { score }),
    last_seen: rfc3339(window.fingerprints.lastSeenMs(id)),
  };
}
