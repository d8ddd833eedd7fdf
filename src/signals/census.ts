/** What shards tell the Census and what it makes of it; pure. */
import { mergeRankCounts, type RankCounts } from "./ranks.ts";

export interface ShardReport {
  /** When the shard counted, ms. */
  asOfMs: number;
  /** When it counts again at the latest, if nothing comes in until then; absent = it is empty and sleeps. */
  nextMs?: number;
  /** Event time of its first request ever; absent = none yet. */
  firstDataMs?: number;
  counts: RankCounts;
}

export interface MergedRanks {
  /** False while a shard is missing: its fingerprints are in no table, so every rank would be too good. */
  complete: boolean;
  missing: number[];
  /** Age of the oldest shard's numbers. */
  asOfMs: number;
  /** Event time of the site's first request; absent = none yet. */
  firstDataMs?: number;
  counts: RankCounts;
}

/**
 * Adds the newest report of every shard up. A shard that sleeps or idles has told everything up to its next tick: what
 * came in since would have woken it within a tick, so its numbers count as two ticks old, not older.
 */
export function mergeReports(
  reports: ReadonlyMap<number, ShardReport>,
  shards: number,
  nowMs: number,
  tickMs: number,
): MergedRanks {
  const missing: number[] = [];
  const counts: RankCounts[] = [];
  let asOfMs = nowMs;
  let firstDataMs = Number.POSITIVE_INFINITY;
  for (let shard = 0; shard < shards; shard++) {
    const report = reports.get(shard);
    if (report === undefined) {
      missing.push(shard);
      continue;
    }
    counts.push(report.counts);
    const onTime = report.nextMs === undefined || nowMs <= report.nextMs + tickMs;
    asOfMs = Math.min(asOfMs, onTime ? Math.max(report.asOfMs, nowMs - 2 * tickMs) : report.asOfMs);
    firstDataMs = Math.min(firstDataMs, report.firstDataMs ?? Number.POSITIVE_INFINITY);
  }
  return {
    complete: missing.length === 0,
    missing,
    asOfMs,
    ...(Number.isFinite(firstDataMs) ? { firstDataMs } : {}),
    counts: mergeRankCounts(counts),
  };
}
