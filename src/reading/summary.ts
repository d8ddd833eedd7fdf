/** The site in numbers: each shard's share, and their sum (contract §4 `summary`). */
import { rfc3339 } from "../base/time.ts";
import { WINDOWS, type WindowName } from "../config.ts";
import { ALL_KINDS } from "../detect/kinds/all.ts";
import type { SummaryAnswer } from "../schemas/summary.ts";
import { REQS, WITHOUT_SIGNALS } from "../window/tally.ts";
import { windowFrom } from "../window/time.ts";
import type { Window } from "../window/window.ts";

type SinceStart = SummaryAnswer["since_start"];

export interface ShardSummary {
  shard: number;
  asOfMs: number;
  /** Bytes by part. */
  memory: Record<string, number>;
  /** What was done to stay within memory. */
  pressure: { tracked: number; evicted: number; folded: number; scores_lost: number; calls_refused: number };
  fingerprints: number;
  ranksAsOfMs: number | undefined;
  /** Event time of the site's first request, as far as this shard knows. */
  firstDataMs: number | undefined;
  windows: Record<
    WindowName,
    { reqs: number; fingerprints: number; without_ja4: number; without_signals: number }
  >;
  sinceStart: SinceStart;
  sources: SummaryAnswer["sources"];
  /** What became of observations by the way they came, and how many had no JA4, since the first start. */
  results: Record<string, Record<string, number>>;
  withoutJa4: number;
  /** The shard's hour holds sampled requests. */
  isSampled: boolean;
}

/** A shard's windows in total. */
export function windowTotals(window: Window): ShardSummary["windows"] {
  const of = (name: WindowName) => {
    const { all, fingerprints, withoutJa4 } = window.total(name);
    return {
      reqs: all[REQS]!,
      fingerprints,
      without_ja4: withoutJa4,
      // Without a JA4 there is nothing that signals could belong to: counted there already.
      without_signals: all[WITHOUT_SIGNALS]! - withoutJa4,
    };
  };
  return { "1m": of("1m"), "5m": of("5m"), "1h": of("1h") };
}

export function mergeSummaries(site: string, shards: readonly ShardSummary[], nowMs: number): SummaryAnswer {
  const asOfMs = shards.reduce((oldest, shard) => Math.min(oldest, shard.asOfMs), nowMs);
  const sum = (of: (shard: ShardSummary) => number) => shards.reduce((total, shard) => total + of(shard), 0);
  const windowOf = (name: WindowName) => ({
    from: rfc3339(windowFrom(name, asOfMs)),
    reqs: sum((shard) => shard.windows[name].reqs),
    fingerprints: sum((shard) => shard.windows[name].fingerprints),
    without_ja4: sum((shard) => shard.windows[name].without_ja4),
    without_signals: sum((shard) => shard.windows[name].without_signals),
  });
  const [oneMinute, fiveMinutes, hour] = WINDOWS;
  const sinceStart = Object.fromEntries(
    Object.keys(shards[0]?.sinceStart ?? {}).map((name) => [
      name,
      sum((shard) => shard.sinceStart[name as keyof SinceStart]),
    ]),
  ) as SinceStart;
  const sources: SummaryAnswer["sources"] = {};
  for (const shard of shards) {
    for (const [name, count] of Object.entries(shard.sources)) {
      const source = name as keyof typeof sources;
      sources[source] = (sources[source] ?? 0) + count;
    }
  }
  const ranks = shards.flatMap(({ ranksAsOfMs }) => ranksAsOfMs ?? []);
  const warmUp = warmUpOf(shards, nowMs);
  return {
    site,
    as_of: rfc3339(asOfMs),
    ...(ranks.length === 0 ? {} : { ranks_as_of: rfc3339(Math.min(...ranks)) }),
    windows: {
      [oneMinute]: windowOf(oneMinute),
      [fiveMinutes]: windowOf(fiveMinutes),
      [hour]: windowOf(hour),
    } as SummaryAnswer["windows"],
    ...(shards.some(({ isSampled }) => isSampled) ? { sampled: true as const } : {}),
    since_start: sinceStart,
    sources,
    ...(warmUp === undefined ? {} : { warm_up: warmUp }),
    shards: shards.map(({ shard, asOfMs: at, fingerprints, memory, pressure }) => ({
      shard,
      as_of: rfc3339(at),
      fingerprints,
      bytes: Object.values(memory).reduce((sum, bytes) => sum + bytes, 0),
      memory,
      ...pressure,
    })),
  };
}

/** Which kinds are still silent, and until when the last of them is; nothing once all speak. */
function warmUpOf(shards: readonly ShardSummary[], nowMs: number): SummaryAnswer["warm_up"] {
  const first = Math.min(...shards.map(({ firstDataMs }) => firstDataMs ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(first)) return undefined;
  const cold = ALL_KINDS.filter(({ warmUpMs }) => nowMs < first + warmUpMs);
  if (cold.length === 0) return undefined;
  const until = first + Math.max(...cold.map(({ warmUpMs }) => warmUpMs));
  return { until: rfc3339(until), kinds: cold.map(({ name }) => name) };
}
