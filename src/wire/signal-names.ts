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

/** Ratios and quantiles lie in 0–1, ranks start at 1. By index. */
const LEAST = Float64Array.from(GLOBAL_SIGNALS, (name) => (name.includes("_rank_") ? 1 : 0));
const MOST = Float64Array.from(GLOBAL_SIGNALS, (name) => (name.includes("_rank_") ? Number.MAX_VALUE : 1));

/** Whether a number can be the signal at `index` of GLOBAL_SIGNALS. NaN cannot. */
function isSignalValue(index: number, value: number): boolean {
  return value >= LEAST[index]! && value <= MOST[index]!;
}

/** Whether `values[at …]` are signals in the dense form, NaN for an absent one. */
export function areSignals(values: Float64Array, at: number): boolean {
  for (let i = 0; i < GLOBAL_SIGNALS.length; i++) {
    const value = values[at + i]!;
    // Both are false for NaN.
    if (value < LEAST[i]! || value > MOST[i]!) return false;
  }
  return true;
}

/**
 * Reads what Cloudflare says of a fingerprint into `into`, in the order of GLOBAL_SIGNALS, NaN = absent: flat as
 * `ja4Signals` or in the groups of `jaSignalsParsed`. What is no usable number is dropped one by one. Whether there was any.
 */
export function readSignals(value: Readonly<Record<string, unknown>>, into: Float64Array): boolean {
  for (let i = 0; i < GLOBAL_SIGNALS.length; i++) into[i] = Number.NaN;
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
  let found = take(from.h2h3_ratio_1h, 0, into);
  found = take(from.heuristic_ratio_1h, 1, into) || found;
  found = take(from.browser_ratio_1h, 2, into) || found;
  found = take(from.cache_ratio_1h, 3, into) || found;
  found = take(from.reqs_rank_1h, 4, into) || found;
  found = take(from.uas_rank_1h, 5, into) || found;
  found = take(from.paths_rank_1h, 6, into) || found;
  found = take(from.ips_rank_1h, 7, into) || found;
  found = take(from.reqs_quantile_1h, 8, into) || found;
  return take(from.ips_quantile_1h, 9, into) || found;
}

function take(value: unknown, index: number, into: Float64Array): boolean {
  if (typeof value !== "number" || !isSignalValue(index, value)) return false;
  into[index] = value;
  return true;
}
