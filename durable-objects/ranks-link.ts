/** A shard's side of the Census: what it reported last, and the site's tables that came back. */
import { sameBytes } from "../src/base/hash.ts";
import { OBJECT_CALL_TIMEOUT_MS, RANKS_FRESH_MS } from "../src/config.ts";
import { addTotals, type SiteTotals, totalsOf } from "../src/signals/blast-radius.ts";
import {
  encodeRankCounts,
  type RankTables,
  type ReadAnswer,
  readCensusAnswer,
  type ShardReport,
} from "../src/signals/census-wire.ts";
import type { Pulse } from "../src/signals/pulse.ts";
import { type LocalRanks, RANKED, RankReport, type RankValues, SiteRanks } from "../src/signals/ranks.ts";
import { EVERYTHING } from "../src/window/fingerprints.ts";
import type { Tally } from "../src/window/tally.ts";
import { withTimeout } from "./timeout.ts";

/** Who reports; `known`: revision of the merged tables that it has. */
export interface Reporter {
  epoch: number;
  shard: number;
  shards: number;
  known: number | undefined;
}

/** What a shard needs of the Census. Its code may be older or newer than ours, so its answer is anything. */
export interface CensusObject {
  exchange(report: ShardReport, reporter: Reporter): Promise<unknown>;
}

/** What it needs of the shard's window. */
export interface RankedWindow {
  readonly nowMs: number;
  rankValues(): RankValues;
  /** Sums over the whole shard's hour. */
  tally(id: number, window: "1h"): Tally;
  readonly fingerprints: { id(ja4: string): number | undefined; tag(id: number): number };
}

export class RanksLink {
  readonly #window: RankedWindow;
  readonly #census: () => CensusObject;
  readonly #place: { epoch: number; shard: number };
  readonly #pulse: () => Pulse;
  /** What ranks are looked up with: values and tables of one exchange. */
  #held: { report: RankReport; ranks: SiteRanks; revision: number; asOfMs: number } | undefined;
  /** The newest encoded tables; their revision changes with them. */
  #tables: { revision: number; encoded: RankTables } | undefined;
  /** Revision that the Census has of us. */
  #toldRevision: number | undefined;
  /** The other shards' hours in total, as of the newest whole answer. */
  #others: SiteTotals | undefined;
  /** Newest pulses of the site's other shards. */
  #pulses: Pulse[] = [];
  #missing: number[] = [];
  #running: Promise<boolean> | undefined;
  #exchangedMs = 0;
  /** Event time of the site's first request, as the Census knows it. */
  firstDataMs: number | undefined;

  /** `census`: a fresh stub a call; `pulse`: the shard's own, as of now. */
  constructor(
    window: RankedWindow,
    place: { epoch: number; shard: number },
    census: () => CensusObject,
    pulse: () => Pulse,
  ) {
    this.#pulse = pulse;
    this.#window = window;
    this.#place = place;
    this.#census = census;
  }

  /** When the newest numbers were counted and merged; `undefined` = no ranks yet. */
  get asOfMs(): number | undefined {
    return this.#held?.asOfMs;
  }

  /** Shards whose numbers were missing or overdue the last time. */
  get missing(): readonly number[] {
    return this.#missing;
  }

  /** What the site's other shards did when they last told. */
  get pulses(): readonly Pulse[] {
    return this.#pulses;
  }

  /** The shard's numbers as of now, whole. `nextMs`: its next tick; absent = it sleeps. */
  fullReport(firstDataMs: number, nextMs: number | undefined): ShardReport {
    const { told, encoded } = this.#count(firstDataMs, nextMs);
    return { ...told, tables: encoded };
  }

  /**
   * Reports and takes the merged tables; false when the Census speaks another form. Throws when it does not answer. In
   * both cases the old ranks stay.
   */
  exchange(shards: number, firstDataMs: number, nextMs: number | undefined): Promise<boolean> {
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
    const id = this.#window.fingerprints.id(ja4);
    if (this.#held === undefined || id === undefined) return {};
    return this.#held.ranks.of(this.#held.report, id, this.#window.fingerprints.tag(id));
  }

  /** The site's hour in total: this shard as of now, the others as they last told; `undefined` = not known. */
  totals(): SiteTotals | undefined {
    return this.#others === undefined ? undefined : addTotals(this.#others, this.#own());
  }

  #own(): SiteTotals {
    return totalsOf(this.#window.tally(EVERYTHING, "1h"));
  }

  async #exchange(shards: number, firstDataMs: number, nextMs: number | undefined): Promise<boolean> {
    const { report, told, encoded } = this.#count(firstDataMs, nextMs);
    const isHeld = this.#toldRevision === told.revision;
    let answer = await this.#call(isHeld ? told : { ...told, tables: encoded }, shards);
    // It started again since.
    if (answer === "not_held") answer = await this.#call({ ...told, tables: encoded }, shards);
    this.#exchangedMs = report.asOfMs;
    if (typeof answer === "string") {
      this.#toldRevision = undefined;
      return false;
    }
    this.#toldRevision = told.revision;
    this.#missing = answer.missing;
    this.#pulses = (answer.pulses ?? [])
      .filter(([shard]) => shard !== this.#place.shard)
      .map(([, pulse]) => pulse);
    this.firstDataMs = answer.firstDataMs;
    // Tables without a shard would rank everyone too high: the older, whole ones are better.
    if (answer.complete) {
      this.#hold(report, answer);
      this.#holdOthers(told.totals, answer.totals);
    }
    return true;
  }

  /** Without its own numbers, so that these can be added as of now: no share is then above 1. */
  #holdOthers(own: SiteTotals | undefined, site: SiteTotals | undefined): void {
    this.#others =
      own === undefined || site === undefined
        ? undefined
        : { reqs: site.reqs - own.reqs, browserReqs: site.browserReqs - own.browserReqs };
  }

  /** No tables = those that are held already: as many fingerprints have each value, though perhaps other ones. */
  #hold(report: RankReport, { counts, revision, asOfMs }: Exclude<ReadAnswer, string>): void {
    if (counts !== undefined) this.#held = { report, ranks: new SiteRanks(counts), revision, asOfMs };
    else if (this.#held?.revision === revision) this.#held = { ...this.#held, report, asOfMs };
  }

  #call(told: ShardReport, shards: number): Promise<ReadAnswer | "unknown_form"> {
    const reporter = { ...this.#place, shards, known: this.#held?.revision };
    return withTimeout(
      this.#census().exchange(told, reporter).then(readCensusAnswer),
      OBJECT_CALL_TIMEOUT_MS,
      "census",
    );
  }

  #count(firstDataMs: number, nextMs: number | undefined) {
    const report = new RankReport(this.#window.rankValues(), this.#window.nowMs);
    const encoded = encodeRankCounts(report.counts);
    const told: ShardReport = {
      asOfMs: report.asOfMs,
      ...(nextMs === undefined ? {} : { nextMs }),
      ...(firstDataMs === 0 ? {} : { firstDataMs }),
      totals: this.#own(),
      pulse: this.#pulse(),
      revision: this.#revisionOf(encoded, report.asOfMs),
    };
    return { report, told, encoded };
  }

  #revisionOf(encoded: RankTables, nowMs: number): number {
    const before = this.#tables;
    if (before !== undefined && RANKED.every((name) => sameBytes(before.encoded[name], encoded[name]))) {
      return before.revision;
    }
    // With the clock in it: after a restart no other tables get a number that the Census knows.
    const revision = Math.max((before?.revision ?? 0) + 1, nowMs);
    this.#tables = { revision, encoded };
    return revision;
  }
}
