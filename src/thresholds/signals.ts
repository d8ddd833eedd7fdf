/**
 * Everything that a threshold can compare, by name, and what each number can be at all. Names of a fingerprint's numbers are
 * those of the full form (contract §5), those of the site's are the summary's.
 */
import { DIVERGING_RATIOS } from "../detect/offsets.ts";
import type { DistinctName, RatioName } from "../window/snapshot.ts";
import { EVENT_KINDS } from "../wire/event.ts";
import { RATIOS } from "../wire/flags.ts";
import { COUNTERS } from "../wire/frame.ts";
import { GLOBAL_SIGNALS } from "../wire/signal-names.ts";

/** A fingerprint's counts and ratios; each needs a window. */
export const WINDOW_SIGNALS = [
  "reqs",
  "ips",
  "uas",
  "paths",
  "asns",
  "hosts",
  "h2h3_ratio",
  "heuristic_ratio",
  "browser_ratio",
  "bot_ratio",
  "cache_ratio",
  "error_ratio",
] as const satisfies ("reqs" | DistinctName | RatioName)[];
export type WindowSignal = (typeof WINDOW_SIGNALS)[number];

const SITE_WIDE_KINDS = ["flash_crowd", "outage", "blind", "double_source", "storm", "threshold"];
const DIVERGING = DIVERGING_RATIOS.map((ratio) => `${ratio}_ratio_1h`);

/** A fingerprint's other numbers; none has a window. Some are never known to this version, and absent then. */
export const FORM_SIGNALS: readonly string[] = [
  ...RATIOS.map((ratio) => `local.${ratio}_ratio_1h`),
  ...GLOBAL_SIGNALS.filter((name) => !name.includes("_ratio_")).map((name) => `local.${name}`),
  ...["local.population", "local.asns_1h", "local.hosts_1h"],
  ...[...GLOBAL_SIGNALS, "population"].map((name) => `global.${name}`),
  ...DIVERGING.map((name) => `combined.${name}`),
  ...DIVERGING.map((name) => `divergence.${name}`),
  "score",
  ...EVENT_KINDS.filter((kind) => !SITE_WIDE_KINDS.includes(kind)).map((kind) => `score.${kind}`),
];

/** The summary's numbers in a window … */
export const SITE_WINDOW_SIGNALS = ["reqs", "fingerprints", "without_ja4", "without_signals"] as const;
export type SiteWindowSignal = (typeof SITE_WINDOW_SIGNALS)[number];
/** … and its counters since the site's first start, which only grow. */
export const SITE_COUNTERS: readonly string[] = [
  ...["accepted", "late", "future", "duplicate", "stale", "shed", "overflow", "suppressed", ...COUNTERS].map(
    (name) => `since_start.${name}`,
  ),
];

/** Every name there is, of fingerprints and sites. */
export const THRESHOLD_SIGNALS: readonly string[] = [
  ...new Set<string>([...WINDOW_SIGNALS, ...SITE_WINDOW_SIGNALS, ...FORM_SIGNALS, ...SITE_COUNTERS]),
];

export function isWindowSignal(signal: string): signal is WindowSignal {
  return (WINDOW_SIGNALS as readonly string[]).includes(signal);
}

export function isSiteWindowSignal(signal: string): signal is SiteWindowSignal {
  return (SITE_WINDOW_SIGNALS as readonly string[]).includes(signal);
}

/** Whether a comparison of it names a window. */
export function needsWindow(signal: string): boolean {
  return isWindowSignal(signal) || isSiteWindowSignal(signal);
}

/** Whether thresholds of this scope can compare it. */
export function isOfScope(signal: string, scope: "fingerprint" | "site"): boolean {
  return scope === "site"
    ? isSiteWindowSignal(signal) || SITE_COUNTERS.includes(signal)
    : isWindowSignal(signal) || FORM_SIGNALS.includes(signal);
}

/** The least and the most that a number can be: shares 0–1, scores 0–30, ranks from 1, counts from 0. */
export function rangeOf(signal: string): { least: number; most: number } {
  if (signal.startsWith("score") || signal.startsWith("divergence.")) return { least: 0, most: 30 };
  if (signal.includes("_ratio") || signal.includes("_quantile")) return { least: 0, most: 1 };
  return { least: signal.includes("_rank_") ? 1 : 0, most: Number.POSITIVE_INFINITY };
}
