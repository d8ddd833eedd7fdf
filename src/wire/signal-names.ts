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
export function isSignalValue(index: number, value: number): boolean {
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
