/** Which format a log has. */
import { parseCombined, parseCommon } from "./access-log.ts";
import { isLogpush, parseLogpush, parseNdjson, parseObject } from "./json-log.ts";
import type { LineParser } from "./record.ts";

export const FORMATS = ["combined", "common", "ndjson", "logpush"] as const;
export type Format = (typeof FORMATS)[number];

export const PARSERS: Readonly<Record<Format, LineParser>> = {
  combined: parseCombined,
  common: parseCommon,
  ndjson: parseNdjson,
  logpush: parseLogpush,
};

/** Lines that are looked at to guess the format. */
export const SAMPLE_LINES = 50;

/** By the lines that can be read; `undefined` when that is none. The richer format wins a tie: all combined lines are common. */
export function guessFormat(lines: readonly string[]): Format | undefined {
  const objects = lines.map(parseObject).filter((parsed) => typeof parsed !== "string");
  if (objects.length > lines.length / 2) return objects.some(isLogpush) ? "logpush" : "ndjson";
  const readable = (parser: LineParser) => lines.filter((line) => "record" in parser(line)).length;
  const combined = readable(parseCombined);
  const common = readable(parseCommon);
  if (common === 0) return undefined;
  return combined * 2 >= common ? "combined" : "common";
}
