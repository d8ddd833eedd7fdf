/** A site's detection settings, and what holds where it says nothing else (contract §5). */
import { MINUTE_MS } from "../config.ts";
import type { KindName, KindSettings } from "./types.ts";

export interface DetectionSettings {
  /** Raises a day that the built-in kinds together may have on days without attacks. */
  alertBudgetPerDay: number;
  /** How far `as_of` lies behind the clock, for sources that deliver late. */
  delayMs: number;
  /** Past `raises` in `perMs` a site's raises are grouped. */
  storm: { raises: number; perMs: number };
  kinds: Record<KindName, KindSettings>;
}

/**
 * `minReqs`: requests in the minute (divergence, impostor: in the hour, with the fact known). `minEffect`: how many times the
 * expected count or share.
 */
export const DEFAULT_KIND_SETTINGS: Record<KindName, KindSettings> = {
  surge: { enabled: true, minReqs: 50, minEffect: 2 },
  // A lasting rise is anything beyond what scatter explains; requests of the hour.
  slow_surge: { enabled: true, minReqs: 50, minEffect: 1.15 },
  // Newcomers scatter over orders of magnitude, twice their mean is nothing.
  newcomer: { enabled: true, minReqs: 50, minEffect: 5 },
  divergence: { enabled: true, minReqs: 200, minEffect: 2 },
  impostor: { enabled: true, minReqs: 200, minEffect: 2 },
  rare_here_hot: { enabled: true, minReqs: 200, minEffect: 3 },
  // Places among the site's fingerprints, ten times nearer to the top.
  rank_shift: { enabled: true, minReqs: 200, minEffect: 10 },
  // Ten new agents in a minute tell by themselves.
  ua_rotation: { enabled: true, minReqs: 10, minEffect: 2 },
  path_scan: { enabled: true, minReqs: 50, minEffect: 2 },
  error_burst: { enabled: true, minReqs: 50, minEffect: 2 },
  cache_bust: { enabled: true, minReqs: 50, minEffect: 2 },
  ip_spread: { enabled: true, minReqs: 50, minEffect: 2 },
  bot_shift: { enabled: true, minReqs: 50, minEffect: 2 },
  // Each member brings a request or two, and a shard sees its share of them only.
  family_swarm: { enabled: true, minReqs: 20, minEffect: 2 },
};

export const DEFAULT_DETECTION: DetectionSettings = {
  alertBudgetPerDay: 5,
  delayMs: 0,
  storm: { raises: 20, perMs: 5 * MINUTE_MS },
  kinds: DEFAULT_KIND_SETTINGS,
};
