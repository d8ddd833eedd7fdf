/** The numbers of a whole site, as its thresholds compare them: what its shards count, added up. */
import type { WindowName } from "../config.ts";
import type { SiteNumbers } from "./evaluate.ts";
import { isSiteWindowSignal, type SiteWindowSignal } from "./signals.ts";

/** A shard's part. Fingerprints of different shards are different ones. */
export interface ShardTotals {
  windows: Record<WindowName, Record<SiteWindowSignal, number>>;
  sinceStart: Readonly<Record<string, number>>;
}

/** Sums of the shards' totals by name; `undefined` = nobody knows such a number. */
export function siteNumbers(shards: readonly ShardTotals[]): SiteNumbers {
  return ({ signal, window }) => {
    const ofShard = (shard: ShardTotals) => {
      if (isSiteWindowSignal(signal)) return window === undefined ? undefined : shard.windows[window][signal];
      return shard.sinceStart[signal.slice("since_start.".length)];
    };
    return shards.reduce<number | undefined>((sum, shard) => {
      const part = ofShard(shard);
      return part === undefined ? sum : (sum ?? 0) + part;
    }, undefined);
  };
}
