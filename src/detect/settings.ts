/** What every kind is set to where a site says nothing else (contract §5, `detection.kinds`). */
import type { KindName, KindSettings } from "./types.ts";

/**
 * `minReqs`: requests in the minute (divergence: in the hour, with the fact known). `minEffect`: how many times the
 * expected count or share.
 */
export const DEFAULT_KIND_SETTINGS: Record<KindName, KindSettings> = {
  surge: { enabled: true, minReqs: 50, minEffect: 2 },
  // Newcomers scatter over orders of magnitude, twice their mean is nothing.
  newcomer: { enabled: true, minReqs: 50, minEffect: 5 },
  divergence: { enabled: true, minReqs: 200, minEffect: 2 },
  ua_rotation: { enabled: true, minReqs: 50, minEffect: 2 },
  path_scan: { enabled: true, minReqs: 50, minEffect: 2 },
  error_burst: { enabled: true, minReqs: 50, minEffect: 2 },
};
