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

/** Whether a number can be that signal: ratios and quantiles lie in 0–1, ranks start at 1. */
export function isSignalValue(name: GlobalSignalName, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  return name.includes("_rank_") ? value >= 1 : value >= 0 && value <= 1;
}
