/**
 * Ticks of a site's shards and its Census in one process, without the platform between them; bytes are those of the calls'
 * arguments. Prints a RankResult.
 *
 * `tables` is the product. `values` is what one does first: every shard sends its fingerprints' values, the Census sorts
 * them all and sends the sorted lists back; look-ups are binary searches there as well.
 */

import { median } from "../../scripts/lib/bench/stats.ts";
import { CensusBook } from "../../src/signals/census.ts";
import {
  encodeRankCounts,
  type RankTables,
  readCensusAnswer,
  readShardReport,
  type ShardReport,
} from "../../src/signals/census-wire.ts";
import {
  type LocalRanks,
  ofRanked,
  RANKED,
  RankReport,
  type RankValues,
  SiteRanks,
} from "../../src/signals/ranks.ts";
import { generator } from "../lib/random.ts";

export interface RankInput {
  readonly variant: "tables" | "values";
  readonly fingerprints: number;
  readonly shards: number;
  readonly ticks: number;
}

export interface RankResult {
  /** Medians over shards and ticks. */
  readonly shard_ms: number;
  readonly census_ms: number;
  readonly sent_bytes: number;
  readonly received_bytes: number;
  readonly lookup_ns: number;
  /** Of the product's own way of counting, whatever the variant. */
  readonly count_50k_ms: number;
  /** Sum of all ranks at the end: the same for every variant. */
  readonly rank_sum: number;
}

interface Tick {
  shardMs: number;
  censusMs: number;
  sent: number;
  received: number;
}

/** One way to do it: `tick` is one exchange of one shard, `ranks` a look-up in what it got back. */
interface Way {
  tick(shard: number, values: RankValues, nowMs: number): Tick;
  ranks(shard: number, id: number, values: RankValues): LocalRanks;
}

const NOW = 1_763_899_202_000;
const TICK_MS = 5_000;
const SEED = 20_261_123;
/** Requests of the hour of the busiest fingerprint; the n-th has 1/n of them (Zipf's law). 12 times as many in all. */
const TOP_REQS = 3_000_000;
const LARGE = 50_000;

/** The site's hour on each shard: addresses grow nearly with the requests, paths slowly, agents hardly. */
function site({ fingerprints, shards }: Pick<RankInput, "fingerprints" | "shards">): RankValues[] {
  const random = generator(SEED);
  const rows: number[][][] = Array.from({ length: shards }, () => []);
  for (let n = 1; n <= fingerprints; n++) {
    const reqs = Math.max(1, Math.round((TOP_REQS / n) * (0.7 + 0.6 * random())));
    const grown = (power: number) => Math.max(1, Math.round(reqs ** (power * (0.8 + 0.3 * random()))));
    rows[Math.floor(shards * random())]!.push([reqs, Math.min(reqs, grown(0.8)), grown(0.15), grown(0.45)]);
  }
  return rows.map((of) => {
    const column = (value: (row: number[], id: number) => number) => Uint32Array.from(of, value);
    return {
      idEnd: of.length,
      tags: column((_, id) => id * 31),
      reqs: column((row) => row[0]!),
      ips: column((row) => row[1]!),
      uas: column((row) => row[2]!),
      paths: column((row) => row[3]!),
      others: 0,
    };
  });
}

/** A tick's traffic: a fingerprint in four gets requests. */
function move(values: RankValues, random: () => number): void {
  for (let id = 0; id < values.idEnd; id++) {
    if (random() > 0.25) continue;
    values.reqs[id]! += 1 + Math.floor(values.reqs[id]! / 500);
    if (random() < 0.5) values.ips[id]! += 1;
  }
}

function elapsed<T>(work: () => T): { ms: number; value: T } {
  const from = process.hrtime.bigint();
  const value = work();
  return { ms: Number(process.hrtime.bigint() - from) / 1e6, value };
}

function bytesOf(tables: RankTables | undefined): number {
  return tables === undefined ? 0 : RANKED.reduce((sum, ranked) => sum + tables[ranked].length, 0);
}

function tables(shards: number): Way {
  const book = new CensusBook(NOW, TICK_MS);
  const held: { report: RankReport; ranks: SiteRanks }[] = [];
  return {
    tick: (shard, values, nowMs) => {
      const build = elapsed(() => {
        const report = new RankReport(values, nowMs);
        const told: ShardReport = { asOfMs: nowMs, revision: nowMs, tables: encodeRankCounts(report.counts) };
        return { report, told };
      });
      const { report, told } = build.value;
      const census = elapsed(() => {
        const read = readShardReport(told);
        if (read === "unknown_form" || !book.take(shard, read)) throw new Error("a report is refused");
        return book.answer(shards, nowMs, undefined);
      });
      const take = elapsed(() => {
        const answer = readCensusAnswer(census.value);
        // In the first round not every shard has reported yet.
        if (typeof answer !== "string" && answer.counts !== undefined)
          held[shard] = { report, ranks: new SiteRanks(answer.counts) };
      });
      const received = census.value.ok ? bytesOf(census.value.tables) : 0;
      return { shardMs: build.ms + take.ms, censusMs: census.ms, sent: bytesOf(told.tables), received };
    },
    ranks: (shard, id, values) => {
      const { report, ranks } = held[shard]!;
      return ranks.of(report, id, values.tags[id]!);
    },
  };
}

type Lists = Record<(typeof RANKED)[number], number[]>;

function values(): Way {
  const all: Lists[] = [];
  const held: { own: Lists; sorted: Lists }[] = [];
  return {
    tick: (shard, columns) => {
      const build = elapsed(() => {
        const own = ofRanked((ranked) => Array.from(columns[ranked]));
        return { own, text: JSON.stringify(own) };
      });
      const { own, text } = build.value;
      const census = elapsed(() => {
        all[shard] = JSON.parse(text) as Lists;
        const lists = all.filter((one) => one !== undefined);
        const sorted = ofRanked((ranked) =>
          Array.from(Float64Array.from(lists.flatMap((one) => one[ranked])).sort()),
        );
        return JSON.stringify(sorted);
      });
      const take = elapsed(() => {
        held[shard] = { own, sorted: JSON.parse(census.value) as Lists };
      });
      return {
        shardMs: build.ms + take.ms,
        censusMs: census.ms,
        sent: text.length,
        received: census.value.length,
      };
    },
    ranks: (shard, id) => {
      const { own, sorted } = held[shard]!;
      const ranks: LocalRanks = { population: sorted.reqs.length };
      for (const ranked of RANKED) {
        const value = own[ranked][id]!;
        const population = sorted[ranked].length;
        ranks[`${ranked}_rank_1h`] = 1 + population - fewerThan(sorted[ranked], value + 1);
        if (ranked === "uas" || ranked === "paths") continue;
        ranks[`${ranked}_quantile_1h`] = fewerThan(sorted[ranked], value) / population;
      }
      return ranks;
    },
  };
}

function fewerThan(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const input = JSON.parse(process.argv[2] ?? "") as RankInput;
const shards = site(input);
const random = generator(SEED + 1);
const way = input.variant === "tables" ? tables(input.shards) : values();
const ticks: Tick[] = [];
for (let round = 0; round < input.ticks + 2; round++) {
  const nowMs = NOW + round * TICK_MS;
  for (const columns of shards) move(columns, random);
  const done = shards.map((columns, shard) => way.tick(shard, columns, nowMs));
  // One to fill the Census and one to warm up.
  if (round >= 2) ticks.push(...done);
}
// All shards look up in the same tables, those of after the last move.
shards.forEach((columns, shard) => void way.tick(shard, columns, NOW + (input.ticks + 2) * TICK_MS));
const lookUp = () => {
  let sum = 0;
  shards.forEach((columns, shard) => {
    for (let id = 0; id < columns.idEnd; id++) {
      const ranks = way.ranks(shard, id, columns);
      for (const ranked of RANKED) sum += ranks[`${ranked}_rank_1h`] ?? 0;
      sum += Math.round((ranks.reqs_quantile_1h ?? 0) * (ranks.population ?? 0));
    }
  });
  return sum;
};
lookUp();
const looked = elapsed(lookUp);
const large = site({ fingerprints: LARGE, shards: 1 })[0]!;
const counted = Array.from({ length: 21 }, () => elapsed(() => new RankReport(large, NOW)).ms);
const column = (of: (tick: Tick) => number) => median(ticks.map(of));
const result: RankResult = {
  shard_ms: column(({ shardMs }) => shardMs),
  census_ms: column(({ censusMs }) => censusMs),
  sent_bytes: column(({ sent }) => sent),
  received_bytes: column(({ received }) => received),
  lookup_ns: (looked.ms * 1e6) / input.fingerprints,
  count_50k_ms: median(counted),
  rank_sum: looked.value,
};
process.stdout.write(JSON.stringify(result));
