/** What the Census knows of a site's shards, and what it answers them; pure. */
import { HOUR_MS, MINUTE_MS } from "../config.ts";
import { EMPTY_COUNTS } from "../sketch/count-of-counts.ts";
import { addTotals, type SiteTotals } from "./blast-radius.ts";
import { type CensusAnswer, encodeRankCounts, type RankTables, type ReadReport } from "./census-wire.ts";
import type { Pulse } from "./pulse.ts";
import { mergeRankCounts, ofRanked, type RankCounts } from "./ranks.ts";

/** Idle shards tell theirs once a minute. */
const PULSE_FRESH_MS = 2.5 * MINUTE_MS;

const NO_REQUESTS: SiteTotals = { reqs: 0, browserReqs: 0 };

interface Held extends ReadReport {
  counts: RankCounts;
  /** Whether its numbers left the tables because the shard was silent for an hour. */
  isAged: boolean;
}

/** The newest report of every shard, and their sum. */
export class CensusBook {
  readonly #startedMs: number;
  readonly #tickMs: number;
  readonly #held = new Map<number, Held>();
  #tables: RankTables | undefined;
  #revision = 0;

  /** `startedMs`: since when this Census listens; `tickMs`: the shards' pause between reports under traffic. */
  constructor(startedMs: number, tickMs: number) {
    this.#startedMs = startedMs;
    this.#tickMs = tickMs;
  }

  /** Takes a shard's report in place of its older one; false when it leaves out tables that are not here. */
  take(shard: number, report: ReadReport): boolean {
    const held = this.#held.get(shard);
    const { counts, ...times } = report;
    if (counts !== undefined) {
      this.#held.set(shard, { ...times, counts, isAged: false });
      this.#tables = undefined;
      return true;
    }
    if (held === undefined || held.isAged || held.revision !== report.revision) return false;
    const { counts: same, isAged } = held;
    this.#held.set(shard, { ...times, counts: same, isAged });
    return true;
  }

  has(shard: number): boolean {
    return this.#held.has(shard);
  }

  /** The shards that were never heard of since the start. */
  unheard(shards: number): number[] {
    return Array.from({ length: shards }, (_, i) => i).filter((i) => !this.has(i));
  }

  /**
   * The sum over all shards. `known`: revision of the tables that the asker has; they are not sent again.
   *
   * A shard that sleeps or idles has told everything up to its next tick: what came in since would have woken it within
   * a tick, so its numbers count as two ticks old, not older. One that is overdue is named; its last numbers stay in
   * the tables for as long as they can be in its hour. One that was never heard of makes the answer incomplete, also for
   * an hour at most: by then a Census that had not restarted would have let go of its numbers, too.
   */
  answer(shards: number, nowMs: number, known: number | undefined): CensusAnswer {
    this.#forget(shards, nowMs);
    const unheard = this.unheard(shards);
    const missing = [...unheard];
    let asOfMs = nowMs;
    let firstDataMs = Number.POSITIVE_INFINITY;
    for (const [shard, report] of this.#held) {
      const isOnTime = report.nextMs === undefined || nowMs <= report.nextMs + this.#tickMs;
      if (!isOnTime) missing.push(shard);
      if (isOnTime) asOfMs = Math.min(asOfMs, Math.max(report.asOfMs, nowMs - 2 * this.#tickMs));
      else if (!report.isAged) asOfMs = Math.min(asOfMs, report.asOfMs);
      firstDataMs = Math.min(firstDataMs, report.firstDataMs ?? Number.POSITIVE_INFINITY);
    }
    const complete = unheard.length === 0 || nowMs - this.#startedMs > HOUR_MS;
    const tables = complete ? this.#merged(nowMs) : undefined;
    const totals = complete ? this.#totals() : undefined;
    return {
      ok: true,
      complete,
      missing: missing.sort((a, b) => a - b),
      asOfMs,
      ...(Number.isFinite(firstDataMs) ? { firstDataMs } : {}),
      revision: this.#revision,
      ...(totals === undefined ? {} : { totals }),
      pulses: this.#pulses(nowMs),
      ...(tables === undefined || known === this.#revision ? {} : { tables }),
    };
  }

  /** Lets go of shards that the site does not have, and of numbers that have left every hour. */
  #forget(shards: number, nowMs: number): void {
    for (const [shard, report] of this.#held) {
      if (shard >= shards) {
        this.#held.delete(shard);
        this.#tables = undefined;
      } else if (!report.isAged && report.asOfMs < nowMs - HOUR_MS) {
        report.counts = ofRanked(() => EMPTY_COUNTS);
        report.totals = NO_REQUESTS;
        report.isAged = true;
        this.#tables = undefined;
      }
    }
  }

  #pulses(nowMs: number): [number, Pulse][] {
    return [...this.#held].flatMap(([shard, { pulse, asOfMs }]) =>
      pulse === undefined || nowMs - asOfMs > PULSE_FRESH_MS
        ? []
        : [[shard, pulse] satisfies [number, Pulse]],
    );
  }

  /** `undefined` when a shard did not tell its own. */
  #totals(): SiteTotals | undefined {
    let sum = NO_REQUESTS;
    for (const { totals } of this.#held.values()) {
      if (totals === undefined) return undefined;
      sum = addTotals(sum, totals);
    }
    return sum;
  }

  #merged(nowMs: number): RankTables {
    if (this.#tables === undefined) {
      this.#tables = encodeRankCounts(
        mergeRankCounts(Array.from(this.#held.values(), ({ counts }) => counts)),
      );
      // With the clock in it: a Census that starts again must not give another table a number that shards know.
      this.#revision = Math.max(this.#revision + 1, nowMs);
    }
    return this.#tables;
  }
}
