/** Sorted pages over a shard's fingerprints, and the merge of several shards' pages. */
import { rfc3339 } from "../base/time.ts";
import type { WindowName } from "../config.ts";
import type { FingerprintRow, SORTS } from "../schemas/reading.ts";
import { namesOf } from "../signals/names.ts";
import { FIRST_ID } from "../window/fingerprints.ts";
import { DISTINCTS, windowNumbers } from "../window/snapshot.ts";
import type { Window } from "../window/window.ts";
import { globTest } from "../wire/ja4.ts";
import { Top } from "./top.ts";

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
  const { fingerprints } = window;
  const { after, limit } = query;
  const inScope = query.ja4 === undefined || query.ja4 === "*" ? undefined : globTest(query.ja4);
  const sortBy = sortValues(window, query, scoreOf);
  const isBefore = valueOrder(query.order);
  const top = new Top(limit + 1, (aValue, aId, bValue, bId) =>
    aValue === bValue ? fingerprints.ja4(aId) < fingerprints.ja4(bId) : isBefore(aValue, bValue),
  );
  for (let id = FIRST_ID; id < fingerprints.idEnd; id++) {
    if (!fingerprints.isLive(id) || window.reqs(id, query.window) === 0) continue;
    if (inScope?.(fingerprints.ja4(id)) === false) continue;
    const value = sortBy(id);
    if (after !== undefined && !isBefore(after.value, value)) {
      if (after.value !== value || after.ja4 >= fingerprints.ja4(id)) continue;
    }
    top.offer(value, id);
  }
  return top.sorted().map(({ value, id }) => ({ value, row: rowOf(window, query.window, id, scoreOf) }));
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
  return a.value === b.value ? a.ja4 < b.ja4 : valueOrder(query.order)(a.value, b.value);
}

function valueOrder(order: ListQuery["order"]): (a: number, b: number) => boolean {
  return order === "desc" ? (a, b) => a > b : (a, b) => a < b;
}

/** What to sort by, by id. What is absent sorts as the smallest. */
function sortValues(
  window: Window,
  { sort, window: name }: ListQuery,
  scoreOf: (ja4: string) => number | undefined,
): (id: number) => number {
  const { fingerprints } = window;
  switch (sort) {
    case "reqs":
      return (id) => window.reqs(id, name);
    case "last_seen":
      return (id) => fingerprints.lastSeenMs(id);
    case "score":
      return (id) => scoreOf(fingerprints.ja4(id)) ?? -1;
    default: {
      const identity = DISTINCTS.indexOf(sort);
      return (id) => window.distinct(id, identity, name) ?? -1;
    }
  }
}

/** The short form of a fingerprint, with the numbers of one window. */
export function rowOf(
  window: Window,
  name: WindowName,
  id: number,
  scoreOf: (ja4: string) => number | undefined,
): FingerprintRow {
  const ja4 = window.fingerprints.ja4(id);
  const { reqs, ips, uas, paths, browser_ratio } = windowNumbers(window, id, name);
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
    names: namesOf(ja4),
  };
}
