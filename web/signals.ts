/** Names of the API that the dashboard offers to choose from, and what they mean to a reader. */
import type { Schemas } from "../client/index.ts";
import { words } from "./format.ts";

type KindName = Schemas["Anomaly"]["kind"];
export type SignalName = Schemas["Comparison"]["signal"];

const KINDS = [
  ...["surge", "slow_surge", "newcomer", "divergence", "impostor", "rare_here_hot", "rank_shift"],
  ...["ua_rotation", "path_scan", "error_burst", "cache_bust", "ip_spread", "bot_shift", "family_swarm"],
] as readonly KindName[];
const SITE_KINDS = ["flash_crowd", "outage", "blind", "double_source", "storm"] as const;

/** Of every kind that the feed has. */
export const KIND_CHOICES: readonly (readonly [value: string, text: string])[] = [
  ["", "all kinds"],
  ...[...KINDS, ...SITE_KINDS, "threshold"].map((name) => [name, words(name)] as const),
];

export interface Explained {
  readonly signal: keyof Schemas["LocalSignals"] & keyof Schemas["GlobalSignals"];
  readonly form: "ratio" | "rank" | "quantile";
  readonly text: string;
}

/** The ten of Cloudflare's Signals Intelligence, and which way they go. */
export const EXPLAINED: readonly Explained[] = [
  { signal: "browser_ratio_1h", form: "ratio", text: "requests with a browser's user agent" },
  { signal: "h2h3_ratio_1h", form: "ratio", text: "requests over HTTP/2 or HTTP/3" },
  { signal: "cache_ratio_1h", form: "ratio", text: "requests that could be cached" },
  { signal: "heuristic_ratio_1h", form: "ratio", text: "requests that heuristics caught as bots" },
  { signal: "reqs_rank_1h", form: "rank", text: "by requests; 1 sends most" },
  { signal: "ips_rank_1h", form: "rank", text: "by addresses; 1 has most" },
  { signal: "uas_rank_1h", form: "rank", text: "by user agents; 1 has most" },
  { signal: "paths_rank_1h", form: "rank", text: "by paths; 1 asks for most" },
  { signal: "reqs_quantile_1h", form: "quantile", text: "share of fingerprints that send no more than it" },
  { signal: "ips_quantile_1h", form: "quantile", text: "share of fingerprints with no more addresses" },
];

const isRatio = ({ form }: Explained) => form === "ratio";
const WORLD_RATIOS = EXPLAINED.filter(isRatio).map(({ signal }) => signal);
const PLACES = EXPLAINED.filter((one) => !isRatio(one)).map(({ signal }) => signal);

const COUNTS = ["reqs", "ips", "uas", "paths", "asns", "hosts"];
const RATIOS = ["h2h3", "heuristic", "browser", "bot", "cache", "error"].map((name) => `${name}_ratio`);
const DROPPED = [
  "late",
  "future",
  "duplicate",
  "stale",
  "shed",
  "overflow",
  "rejected",
  "expired",
  "lost_at_edge",
];

/** Signals of a fingerprint that a threshold may watch, by what they are. */
export const SIGNAL_GROUPS: readonly (readonly [string, readonly SignalName[]])[] = [
  ["in a window", [...COUNTS, ...RATIOS] as SignalName[]],
  ["strangeness", ["score", ...KINDS.map((kind) => `score.${kind}`)] as SignalName[]],
  ["against the world", WORLD_RATIOS.map((name) => `divergence.${name}`) as SignalName[]],
  ["places on this site", PLACES.map((name) => `local.${name}`) as SignalName[]],
  ["worldwide", [...PLACES, ...WORLD_RATIOS].map((name) => `global.${name}`) as SignalName[]],
  ["both together", WORLD_RATIOS.map((name) => `combined.${name}`) as SignalName[]],
];
export const SITE_SIGNAL_GROUPS: typeof SIGNAL_GROUPS = [
  ["in a window", ["reqs", "fingerprints", "without_ja4", "without_signals"]],
  ["dropped, since the start", DROPPED.map((name) => `since_start.${name}`) as SignalName[]],
];
const WINDOWED: readonly string[] = [
  ...COUNTS,
  ...RATIOS,
  ...["fingerprints", "without_ja4", "without_signals"],
];

export function isWindowed(signal: string): boolean {
  return WINDOWED.includes(signal);
}

/** What a counter of what was dropped means, for `summary`. */
export const COUNTERS: Readonly<Record<keyof Schemas["Summary"]["since_start"], string>> = {
  accepted: "counted",
  duplicate: "came again and were counted once",
  late: "too old for the windows when they came",
  future: "dated in the future",
  stale: "in frames that arrived too late to be told apart from repeats",
  shed: "left out by a shard under more load than it can take",
  overflow: "of fingerprints beyond what a shard tracks",
  suppressed: "events that storms and silences held back",
  rejected: "not understood",
  expired: "older than an hour when they were sent",
  lost_at_edge: "lost in isolates whose sending failed for good",
  fields_dropped: "single fields that were not understood; the request counted",
};
