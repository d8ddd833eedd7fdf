/**
 * What became of every observation that reached a shard, since the site's first start. The names exclude each other:
 * whatever was sent is one of accepted, late, future, duplicate, stale, shed, or never arrived.
 */
import { COUNTERS, type CounterName, type Source } from "../wire/frame.ts";

/** What follows from the log's frames alone: reading the log again finds the same numbers. */
export interface LoggedTotals {
  /** Counted in the windows, in the overflow too. */
  accepted: number;
  /** Older than the hour when they arrived. */
  late: number;
  /** Too far ahead of the shard's clock. */
  future: number;
  /** Part of `accepted`: counted without their fingerprint, for want of room. */
  overflow: number;
  /** What senders say that they dropped themselves. */
  counters: Record<CounterName, number>;
  /** Everything that was written to the log, by the way it came. */
  sources: Partial<Record<Source, number>>;
  /** What became of it, by the way it came. What older code counted is in the sums alone. */
  results: Partial<Record<Source, Partial<Record<LoggedResult, number>>>>;
  /** Of what was written to the log, the part without a JA4. */
  withoutJa4: number;
}

/** What became of an observation of which the log has a trace. */
export type LoggedResult = "accepted" | "late" | "future" | "rejected" | "expired";

/** What leaves no frame in the log; saved once a minute, so that a crash costs the last minute's. */
export interface UnloggedTotals {
  /** Of frames that were taken before. */
  duplicate: number;
  /** Of frames too old to tell whether they were taken before. */
  stale: number;
  /** Refused for overload, and sent again by nobody of himself. */
  shed: number;
  /** Raises that a cooldown kept back. */
  suppressed: number;
}

export type Totals = LoggedTotals & UnloggedTotals;

export function noLogged(): LoggedTotals {
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<CounterName, number>;
  return { accepted: 0, late: 0, future: 0, overflow: 0, counters, sources: {}, results: {}, withoutJa4: 0 };
}

export function noUnlogged(): UnloggedTotals {
  return { duplicate: 0, stale: 0, shed: 0, suppressed: 0 };
}

/** Adds in place. What `from` lacks (code of before did not know it) is 0. */
export function addLogged(into: LoggedTotals, from: Partial<LoggedTotals>): void {
  into.accepted += from.accepted ?? 0;
  into.late += from.late ?? 0;
  into.future += from.future ?? 0;
  into.overflow += from.overflow ?? 0;
  for (const name of COUNTERS) into.counters[name] += from.counters?.[name] ?? 0;
  for (const [name, count] of Object.entries(from.sources ?? {})) {
    const source = name as Source;
    into.sources[source] = (into.sources[source] ?? 0) + count;
  }
  into.withoutJa4 += from.withoutJa4 ?? 0;
  for (const [name, byResult] of Object.entries(from.results ?? {})) {
    into.results[name as Source] ??= {};
    const sums = into.results[name as Source]!;
    for (const [result, count] of Object.entries(byResult)) {
      const key = result as LoggedResult;
      if (count > 0) sums[key] = (sums[key] ?? 0) + count;
    }
  }
}
