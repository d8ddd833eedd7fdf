/** A shard's side of the Census: what it reported last, and the site's tables that came back. */
import { OBJECT_CALL_TIMEOUT_MS, RANKS_FRESH_MS } from "../src/config.ts";
import type { MergedRanks, ShardReport } from "../src/signals/census.ts";
import { type LocalRanks, RankReport, SiteRanks } from "../src/signals/ranks.ts";
import type { Window } from "../src/window/window.ts";
import type { ShardPlace, Stubs } from "./stubs.ts";
import { withTimeout } from "./timeout.ts";

export class RanksLink {
  readonly #window: Window;
  readonly #stubs: Stubs;
  readonly #place: ShardPlace;
  #report: RankReport | undefined;
  #ranks: SiteRanks | undefined;
  #missing: number[] = [];
  #running: Promise<void> | undefined;
  #exchangedMs = 0;
  /** Event time of the site's first request, as the Census knows it. */
  firstDataMs: number | undefined;

  constructor(window: Window, stubs: Stubs, place: ShardPlace) {
    this.#window = window;
    this.#stubs = stubs;
    this.#place = place;
  }

  /** When the newest numbers were counted and merged; `undefined` = no ranks yet. */
  get asOfMs(): number | undefined {
    return this.#ranks?.asOfMs;
  }

  /** Shards whose numbers were missing the last time. */
  get missing(): readonly number[] {
    return this.#missing;
  }

  /** The shard's numbers as of now. `nextMs`: its next tick; absent = it sleeps. */
  static shardReport(report: RankReport, firstDataMs: number, nextMs: number | undefined): ShardReport {
    return {
      asOfMs: report.asOfMs,
      ...(nextMs === undefined ? {} : { nextMs }),
      ...(firstDataMs === 0 ? {} : { firstDataMs }),
      counts: report.counts,
    };
  }

  /** Reports and takes the merged tables. Throws when the Census does not answer; the old ranks stay then. */
  exchange(shards: number, firstDataMs: number, nextMs: number | undefined): Promise<void> {
    // Calls that come while one is under way share it: its numbers are at most as old as the wait.
    this.#running ??= this.#exchange(shards, firstDataMs, nextMs).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Whether an answer that shows ranks should exchange first. */
  isStale(nowMs: number): boolean {
    return nowMs - this.#exchangedMs > RANKS_FRESH_MS;
  }

  of(ja4: string): LocalRanks {
    if (this.#ranks === undefined || this.#report === undefined) return {};
    return this.#ranks.of(ja4, this.#report);
  }

  async #exchange(shards: number, firstDataMs: number, nextMs: number | undefined): Promise<void> {
    const report = new RankReport(this.#window);
    const { site, epoch, shard } = this.#place;
    const merged: MergedRanks = await withTimeout(
      this.#stubs
        .census(site)
        .report(shard, RanksLink.shardReport(report, firstDataMs, nextMs), { epoch, shards }),
      OBJECT_CALL_TIMEOUT_MS,
      "census",
    );
    this.#exchangedMs = report.asOfMs;
    this.#missing = merged.missing;
    this.firstDataMs = merged.firstDataMs;
    // Tables without a shard would rank everyone too high: the older, whole ones are better.
    if (!merged.complete) return;
    this.#report = report;
    this.#ranks = new SiteRanks(merged.counts, merged.asOfMs);
  }
}
