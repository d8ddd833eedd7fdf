/**
 * The part of a feed event that the feed itself reads; everything else in `data` passes through as it is. The whole
 * shape is in `src/schemas/feed.ts`.
 */
export interface FeedEvent {
  specversion: "1.0";
  /** ULID, made when it happened. */
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: "application/json";
  data: {
    kind: string;
    severity: "info" | "warning" | "critical";
    score?: number;
    ja4?: string;
    anomaly_id?: string;
    threshold?: string;
    silenced?: boolean;
    grouped?: boolean;
  };
}

/** Every built-in kind of the contract, whether this version runs it or not. */
export const ANOMALY_KINDS = [
  "surge",
  "slow_surge",
  "newcomer",
  "divergence",
  "impostor",
  "rare_here_hot",
  "rank_shift",
  "ua_rotation",
  "path_scan",
  "error_burst",
  "cache_bust",
  "ip_spread",
  "bot_shift",
  "family_swarm",
] as const;

/**
 * Every kind that an event can name, in the contract's words. A filter may ask for one that this version never raises: the
 * client may be newer.
 */
export const EVENT_KINDS: string[] = [
  ...ANOMALY_KINDS,
  ...["flash_crowd", "outage", "blind", "double_source", "storm"],
  "threshold",
];

/** Every type of a stored event. */
export const EVENT_TYPES = [
  ...["hellotide.anomaly.raised", "hellotide.anomaly.updated", "hellotide.anomaly.cleared"],
  ...["hellotide.threshold.raised", "hellotide.threshold.cleared"],
  ...["hellotide.site.raised", "hellotide.site.cleared"],
];

/** An envelope around `data`; `id` and time are the caller's. */
export function feedEvent<Data extends FeedEvent["data"]>(
  site: string,
  type: string,
  subject: string,
  id: string,
  time: string,
  data: Data,
): FeedEvent & { data: Data } {
  return {
    specversion: "1.0",
    id,
    source: `/sites/${site}`,
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data,
  };
}
