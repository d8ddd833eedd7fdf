/** Feature rows out of full forms, as NDJSON or CSV, and the pages of them that a shard hands out in order. */
import { type FeatureColumn, type FeatureFormat, featureColumns } from "../schemas/features.ts";
import { FEATURE_VERSION, type FeatureRow } from "../signals/features.ts";
import { FIRST_ID } from "../window/fingerprints.ts";
import type { Window } from "../window/window.ts";
import { globTest } from "../wire/ja4.ts";
import { KEY_WORDS, packKey, textOrder } from "../wire/key.ts";
import { Top } from "./top.ts";

export interface FeatureQuery {
  /** The last fingerprint of the page before; absent = from the start. */
  after?: string;
  /** A glob; absent = all. */
  ja4?: string;
  limit: number;
  format: FeatureFormat;
}

/** A shard's next rows in order of their fingerprints, ready to be sent. */
export interface FeaturePage {
  ja4s: string[];
  /** One a fingerprint, with the end of its line. */
  lines: string[];
  /** Nothing comes after these. */
  isLast: boolean;
  /** Shards whose counts the ranks lack. */
  missing: number[];
}

/** The row of a full form. */
export function featureRow(form: object): FeatureRow {
  const row: FeatureRow = {};
  for (const column of featureColumns()) {
    const value = valueAt(form, column);
    if (value !== undefined) row[column.name] = value;
  }
  return row;
}

function valueAt(form: object, { path }: FeatureColumn): number | string | undefined {
  if (path.length === 0) return FEATURE_VERSION;
  let value: unknown = form;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === "number" || typeof value === "string" ? value : undefined;
}

/** A full form as one line. */
export function featureText(form: object, format: FeatureFormat): string {
  if (format === "ndjson") return `${JSON.stringify(featureRow(form))}\n`;
  return csvLine(featureColumns().map((column) => valueAt(form, column)));
}

/** What comes before the first row: CSV names its columns. */
export function featureHead(format: FeatureFormat): string {
  return format === "ndjson" ? "" : csvLine(featureColumns().map(({ name }) => name));
}

/** RFC 4180; absent = empty. */
function csvLine(values: readonly (number | string | undefined)[]): string {
  const fields = values.map((value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${fields.join(",")}\r\n`;
}

/**
 * The first fingerprints after one, in order, that were seen in the hour; one more than the limit if there are so many. Every
 * page goes through all of them, so what most of them cost, a comparison of keys, must be little.
 */
export function fingerprintsAfter(
  window: Window,
  { after, ja4, limit }: Pick<FeatureQuery, "after" | "ja4" | "limit">,
): string[] {
  const { fingerprints } = window;
  const inScope = ja4 === undefined || ja4 === "*" ? undefined : globTest(ja4);
  const top = new Top(limit + 1, (aHead, a, bHead, b) =>
    aHead === bHead ? fingerprints.isTailBefore(a, b) : aHead < bHead,
  );
  const key = new Uint32Array(KEY_WORDS);
  const isFirst = after === undefined || !packKey(after, key, 0);
  const afterHead = isFirst ? -1 : textOrder(key[0]!, key[KEY_WORDS - 1]! >>> 1);
  for (let id = FIRST_ID; id < fingerprints.idEnd; id++) {
    if (!fingerprints.isLive(id)) continue;
    const head = fingerprints.headOrder(id);
    if (head < afterHead || (head === afterHead && fingerprints.compareTail(id, key, 0) <= 0)) continue;
    if (!top.takes(head, id) || window.reqs(id, "1h") === 0) continue;
    if (inScope?.(fingerprints.ja4(id)) === false) continue;
    top.offer(head, id);
  }
  return top.sorted().map(({ id }) => fingerprints.ja4(id));
}
