/**
 * Ranks and quantiles over all fingerprints of a site. A shard reports how many of its fingerprints have each value of
 * the hour; the Census adds the shards' tables up; a rank is then a look-up of the *reported* value, so that value and
 * table always belong together.
 */
import {
  type CountOfCounts,
  countOfCounts,
  EMPTY_COUNTS,
  mergeCounts,
  RankTable,
} from "../sketch/count-of-counts.ts";
import { FIRST_ID } from "../window/fingerprints.ts";
import { REQS, TALLY_WIDTH } from "../window/tally.ts";
import type { Window } from "../window/window.ts";

/** What is ranked, with its identity (index into IDENTITIES; −1 = requests). */
export const RANKED = ["reqs", "ips", "uas", "paths"] as const;
export type Ranked = (typeof RANKED)[number];
const IDENTITY_OF: Record<Ranked, number> = { reqs: -1, ips: 0, uas: 1, paths: 2 };

export type RankCounts = Record<Ranked, CountOfCounts>;

export const NO_RANK_COUNTS: RankCounts = {
  reqs: EMPTY_COUNTS,
  ips: EMPTY_COUNTS,
  uas: EMPTY_COUNTS,
  paths: EMPTY_COUNTS,
};

/** A shard's values at one moment: what it tells the Census, and what its ranks are looked up with. */
export class RankReport {
  readonly asOfMs: number;
  readonly counts: RankCounts;
  readonly #values = new Map<string, Uint32Array>();

  constructor(window: Window) {
    this.asOfMs = window.nowMs;
    const hour = window.fingerprints.hourTable;
    for (const [ja4, id] of window.fingerprints.entries()) {
      if (id < FIRST_ID) continue;
      const values = Uint32Array.from(RANKED, (ranked) => {
        const identity = IDENTITY_OF[ranked];
        return identity < 0 ? hour[id * TALLY_WIDTH + REQS]! : (window.distinct(id, identity, "1h") ?? 0);
      });
      if (values[0]! > 0) this.#values.set(ja4, values);
    }
    const column = (ranked: Ranked) => {
      const at = RANKED.indexOf(ranked);
      return countOfCounts(Array.from(this.#values.values(), (values) => values[at]!));
    };
    this.counts = { reqs: column("reqs"), ips: column("ips"), uas: column("uas"), paths: column("paths") };
  }

  /** What was reported of a fingerprint; `undefined` when it was not there yet. */
  value(ja4: string, ranked: Ranked): number | undefined {
    return this.#values.get(ja4)?.[RANKED.indexOf(ranked)];
  }
}

/** Sum of the shards' tables. */
export function mergeRankCounts(reports: readonly RankCounts[]): RankCounts {
  const column = (ranked: Ranked) => mergeCounts(reports.map((report) => report[ranked]));
  return { reqs: column("reqs"), ips: column("ips"), uas: column("uas"), paths: column("paths") };
}

export type LocalRanks = Partial<
  Record<`${Ranked}_rank_1h` | "reqs_quantile_1h" | "ips_quantile_1h" | "population", number>
>;

/** The merged tables of a site, ready for look-ups. */
export class SiteRanks {
  /** Age of the oldest shard's numbers in these tables, ms since the epoch. */
  readonly asOfMs: number;
  readonly #tables: Record<Ranked, RankTable>;

  constructor(counts: RankCounts, asOfMs: number) {
    this.asOfMs = asOfMs;
    this.#tables = {
      reqs: new RankTable(counts.reqs),
      ips: new RankTable(counts.ips),
      uas: new RankTable(counts.uas),
      paths: new RankTable(counts.paths),
    };
  }

  /** Ranks of a reported fingerprint. A count of nothing known (no request carried an address) has no rank. */
  of(ja4: string, report: RankReport): LocalRanks {
    const ranks: LocalRanks = {};
    for (const ranked of RANKED) {
      const value = report.value(ja4, ranked);
      if (value === undefined) return {};
      if (value === 0) continue;
      ranks[`${ranked}_rank_1h`] = this.#tables[ranked].rank(value);
      if (ranked === "uas" || ranked === "paths") continue;
      const quantile = this.#tables[ranked].quantile(value);
      if (quantile !== undefined) ranks[`${ranked}_quantile_1h`] = quantile;
    }
    ranks.population = this.#tables.reqs.population;
    return ranks;
  }
}
