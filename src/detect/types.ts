/** What the detectors see, and what they say. No clock, no storage: everything comes in as a parameter. */
import type { WindowName } from "../config.ts";
import type { GlobalSignals } from "../signals/global.ts";
import type { Tally } from "../window/tally.ts";
import type { Memory } from "./memory.ts";

/** The built-in kinds that exist today; `docs/SPEC.md` says what each means. */
export const KINDS = [
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
export type KindName = (typeof KINDS)[number];

export type Severity = "info" | "warning" | "critical";

/** One fingerprint in one tick. Minutes are numbers since the epoch; minute m covers (m·60 s, (m+1)·60 s]. */
export interface Subject {
  ja4: string;
  /** Event time of its first request, ms. */
  firstSeenMs: number;
  /** Its tally of one minute of the last hour; `undefined` when it had no request in it. Valid until the next call. */
  minute(minute: number): Tally | undefined;
  /** The requests of such a minute, 0 when it had none. */
  reqs(minute: number): number;
  /** Its tally over the 1h window. */
  hour: Tally;
  /** Cloudflare's signals, seen within the last hour; absent when none are known. */
  global: GlobalSignals | undefined;
}

/** The shard's whole population in one tick, for rates that a fingerprint is compared with. */
export interface Site {
  /** Event time of the first request the site ever sent, ms. */
  firstDataMs: number;
  /** Time of the newest data that counts, ms. */
  asOfMs: number;
  /** The minute that is filling now. */
  minuteNow: number;
  /** Tally of all fingerprints of one minute; `undefined` when the site was silent. */
  minute(minute: number): Tally | undefined;
  /** The requests of such a minute, 0 when it was silent. */
  reqs(minute: number): number;
  /** Requests of such a minute that came without a JA4; absent = none. */
  withoutJa4?(minute: number): number;
  /** How many times the usual everybody sends now (`site/pulse.ts`); absent = 1. */
  crowd?: number;
  /** Every fingerprint with a request in the last hour. */
  subjects(): Iterable<Subject>;
}

export interface Because {
  signal: string;
  local: number;
  expected: number;
  global?: number;
  p: number;
}

/** What one kind says about one fingerprint in one tick. No verdict = nothing to test: absence is neutral. */
export interface Verdict {
  /** Calibrated probability of something at least as strange on a normal day, 0 < p ≤ 1. */
  p: number;
  /** −log10 p, at most 30. */
  score: number;
  /** Volume, effect size and p together are enough to raise. */
  on: boolean;
  /** Still strange enough to keep a running episode alive. */
  hold: boolean;
  window: WindowName;
  observed: number;
  expected: number;
  low: number;
  high: number;
  unit: string;
  because: Because[];
  /** One plain sentence without the evidence: "340 requests in a minute where 12 are usual". */
  summary: string;
}

/** One detector: a conjugate predictive test with its own warm-up. */
export interface Kind {
  name: KindName;
  /** No verdict before the site has this much data, ms of event time. */
  warmUpMs: number;
  /** No raise below this calibrated score, however small the site; absent = FLOOR_SCORE of the engine. */
  floorScore?: number;
  /**
   * Its evidence gathers from test to test, so that their quantile says nothing: it is calibrated by its candidates alone
   * (`budget.ts`).
   */
  isSequential?: boolean;
  /** It tests the hour and not the minute: everyone with a request is tested, not only who has many in a minute. */
  isOfHour?: boolean;
  /**
   * Prepares what all subjects are compared with (site-wide rates, fitted offsets), once a tick, and returns the
   * test. `minute` is the minute under test (the filling one or the one before).
   */
  prepare(
    site: Site,
    settings: KindSettings,
    memory: Memory,
  ): (subject: Subject, minute: number) => Verdict | undefined;
}

/** What a group of fingerprints does together, told as one anomaly. */
export interface GroupVerdict {
  /** A glob that stands for the group: `t13d1513h2_8daaf6152771_*`. */
  ja4: string;
  verdict: Verdict;
}

/** A detector of groups: their members are too many, and each too small, to be told one by one. */
export interface GroupKind extends Pick<Kind, "name" | "warmUpMs" | "floorScore"> {
  /** The groups that are strange in `minute` (the filling one or the one before); no glob twice. */
  groups(site: Site, settings: KindSettings, minute: number): GroupVerdict[];
  /** Whether a group's glob covers a fingerprint. */
  covers(glob: string, ja4: string): boolean;
}

/** Per-kind settings of a site (contract §5, `detection.kinds`). */
export interface KindSettings {
  enabled: boolean;
  minReqs: number;
  minEffect: number;
}

/** Shares of what an anomaly's requests look like, strongest first; at most three a list, five ray ids. */
export interface Evidence {
  paths: [string, number][];
  hosts: [string, number][];
  asns: [number, number][];
  statuses: [number, number][];
  methods: [string, number][];
  ray_ids: string[];
}

/** One request kept as evidence. It stands for `weight` requests of its fingerprint. */
export interface Sample {
  ja4: string;
  atMs: number;
  weight: number;
  path?: string;
  host?: string;
  method?: string;
  status?: number;
  asn?: number;
  rayId?: string;
}

/** A running anomaly: raised once, updated at most once a minute, cleared once. Plain data, stored as JSON. */
export interface Episode {
  anomalyId: string;
  kind: KindName;
  ja4: string;
  severity: Severity;
  startedAtMs: number;
  /** Strongest score so far. */
  peak: number;
  /** When the verdict last held (`hold`). */
  heldAtMs: number;
  /** When the fingerprint last had a request. */
  seenAtMs: number;
  updatedAtMs: number;
  /** A silence covers it: kept, and not delivered unless asked for. */
  silenced?: boolean;
  last: Verdict;
}

export type ClearReason = "recovered" | "quiet" | "silenced" | "disabled" | "deleted" | "new_normal";

/** What an episode tells the world. */
export type EpisodeEvent =
  | { type: "raised"; episode: Episode }
  | { type: "updated"; episode: Episode }
  | { type: "cleared"; episode: Episode; reason: ClearReason };
