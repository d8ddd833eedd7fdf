/**
 * The names of Cloudflare's ten global signals (Signals Intelligence, `request.cf.botManagement.ja4Signals`):
 * https://developers.cloudflare.com/bots/additional-configurations/ja3-ja4-fingerprint/signals-intelligence/
 */

/** Cloudflare's names, in the order of the dense form. */
export const GLOBAL_SIGNALS = [
  "h2h3_ratio_1h",
  "heuristic_ratio_1h",
  "browser_ratio_1h",
  "cache_ratio_1h",
  "reqs_rank_1h",
  "uas_rank_1h",
  "paths_rank_1h",
  "ips_rank_1h",
  "reqs_quantile_1h",
  "ips_quantile_1h",
] as const;
export type GlobalSignalName = (typeof GLOBAL_SIGNALS)[number];

/** Whether a value can be a ratio or a quantile; ranks start at 1. NaN is neither. */
function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}
function isRank(value: unknown): value is number {
  return typeof value === "number" && value >= 1 && value < Number.POSITIVE_INFINITY;
}

/** Whether a number can be that signal. */
export function isSignalValue(name: GlobalSignalName, value: number): boolean {
  return name.includes("_rank_") ? isRank(value) : isShare(value);
}

/**
 * Reads what Cloudflare says of a fingerprint into `into`, in the order of GLOBAL_SIGNALS, NaN = absent: flat as
 * `ja4Signals` or in the groups of `jaSignalsParsed`. What is no usable number is dropped one by one. Whether there was any.
 */
export function readSignals(value: Readonly<Record<string, unknown>>, into: Float64Array): boolean {
  into.fill(Number.NaN);
  let found = readFlat(value, into);
  const { ratios, ranks, quantiles } = value;
  if (isObject(ratios)) found = readFlat(ratios, into) || found;
  if (isObject(ranks)) found = readFlat(ranks, into) || found;
  if (isObject(quantiles)) found = readFlat(quantiles, into) || found;
  return found;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Name by name, not in a loop: a property read by a name that is known costs a tenth of one by a name from a list. */
function readFlat(from: Readonly<Record<string, unknown>>, into: Float64Array): boolean {
  let found = false;
  let value = from.h2h3_ratio_1h;
  if (isShare(value)) found = put(into, 0, value);
  value = from.heuristic_ratio_1h;
  if (isShare(value)) found = put(into, 1, value);
  value = from.browser_ratio_1h;
  if (isShare(value)) found = put(into, 2, value);
  value = from.cache_ratio_1h;
  if (isShare(value)) found = put(into, 3, value);
  value = from.reqs_rank_1h;
  if (isRank(value)) found = put(into, 4, value);
  value = from.uas_rank_1h;
  if (isRank(value)) found = put(into, 5, value);
  value = from.paths_rank_1h;
  if (isRank(value)) found = put(into, 6, value);
  value = from.ips_rank_1h;
  if (isRank(value)) found = put(into, 7, value);
  value = from.reqs_quantile_1h;
  if (isShare(value)) found = put(into, 8, value);
  value = from.ips_quantile_1h;
  if (isShare(value)) found = put(into, 9, value);
  return found;
}

function put(into: Float64Array, at: number, value: number): true {
  into[at] = value;
  return true;
}
