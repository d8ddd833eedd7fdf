/**
 * Ranks and quantiles over all fingerprints of a site. A shard reports how many of its fingerprints have each value of
 * the hour; the Census adds the shards' tables up; a rank is then a look-up of the *reported* value, so that value and
 * table always belong together.
 */
import { type CountOfCounts, countOfCounts, mergeCounts, RankTable } from "../sketch/count-of-counts.ts";
import type { RankValues } from "../window/rank-values.ts";

export type { RankValues };

/** What is ranked. */
export const RANKED = ["reqs", "ips", "uas", "paths"] as const;
export type Ranked = (typeof RANKED)[number];

export type RankCounts = Record<Ranked, CountOfCounts>;

/** A value each, in the order of RANKED. */
export function ofRanked<T>(make: (ranked: Ranked) => T): Record<Ranked, T> {
  return { reqs: make("reqs"), ips: make("ips"), uas: make("uas"), paths: make("paths") };
}

/** A shard's values at one moment: what it tells the Census, and what its ranks are looked up with. */
export class RankReport {
  readonly asOfMs: number;
  readonly counts: RankCounts;
  readonly #tags: Uint32Array;
  readonly #columns: Record<Ranked, Uint32Array>;

  /** Copies the values: the window's own columns change with the next request. */
  constructor(values: RankValues, asOfMs: number) {
    const { idEnd, others } = values;
    this.asOfMs = asOfMs;
    this.#tags = values.tags.slice(0, idEnd);
    this.#columns = ofRanked((ranked) => values[ranked].slice(0, idEnd));
    const { reqs } = this.#columns;
    this.counts = ofRanked((ranked) => countOfCounts(this.#columns[ranked], reqs, others));
  }

  /** Whether the report has this fingerprint under this id. */
  has(id: number, tag: number): boolean {
    return this.#tags[id] === tag && (this.#columns.reqs[id] ?? 0) > 0;
  }

  /** What was reported of an id that the report has. */
  value(id: number, ranked: Ranked): number {
    return this.#columns[ranked][id]!;
  }
}

/** Sum of the shards' tables. */
export function mergeRankCounts(reports: readonly RankCounts[]): RankCounts {
  return ofRanked((ranked) => mergeCounts(reports.map((report) => report[ranked])));
}

export type LocalRanks = Partial<
  Record<`${Ranked}_rank_1h` | "reqs_quantile_1h" | "ips_quantile_1h" | "population", number>
>;

const RANK_NAMES = ofRanked((ranked) => `${ranked}_rank_1h` as const);

/** The merged tables of a site, ready for look-ups. */
export class SiteRanks {
  readonly #tables: Record<Ranked, RankTable>;

  constructor(counts: RankCounts) {
    this.#tables = ofRanked((ranked) => new RankTable(counts[ranked]));
  }

  /**
   * Ranks of a fingerprint by its id and tag; none when it was not there yet at the report. A count of nothing known
   * (no request carried an address) has no rank.
   */
  of(report: RankReport, id: number, tag: number): LocalRanks {
    if (!report.has(id, tag)) return {};
    const ranks: LocalRanks = {};
    for (const ranked of RANKED) {
      const value = report.value(id, ranked);
      if (value === 0) continue;
      ranks[RANK_NAMES[ranked]] = this.#tables[ranked].rank(value);
      if (ranked === "uas" || ranked === "paths") continue;
      const quantile = this.#tables[ranked].quantile(value);
      if (quantile !== undefined) ranks[`${ranked}_quantile_1h`] = quantile;
    }
    ranks.population = this.#tables.reqs.population;
    return ranks;
  }
}
