import { ARENAS_MAX_BYTES, FINGERPRINTS_MAX, ROWS_HELD_MAX, TRACKED_MAX } from "../config.ts";

/** What a shard holds at most; the defaults are those of config.ts. */
export interface WindowLimits {
  fingerprints: number;
  rows: number;
  tracked: number;
  arenaBytes: number;
}

export const LIMITS: WindowLimits = {
  fingerprints: FINGERPRINTS_MAX,
  rows: ROWS_HELD_MAX,
  tracked: TRACKED_MAX,
  arenaBytes: ARENAS_MAX_BYTES,
};
