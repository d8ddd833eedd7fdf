/** Ranks against sorted lists: tables, their bytes, and the whole way over many shards. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CensusBook } from "../../src/signals/census.ts";
import { encodeRankCounts, readCensusAnswer, readShardReport } from "../../src/signals/census-wire.ts";
import { RANKED, RankReport, type RankValues, SiteRanks } from "../../src/signals/ranks.ts";
import {
  type CountOfCounts,
  countOfCounts,
  mergeCounts,
  RankTable,
} from "../../src/sketch/count-of-counts.ts";
import { CountsError, decodeCounts, encodeCounts } from "../../src/sketch/counts-codec.ts";
import { FEW_RUNS } from "../support/runs.ts";

const NOW = Date.parse("2026-11-23T12:00:02Z");
const SEED = 20_261_123;

/** Small values with many ties, around the end of direct counting, and any. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 30 }) },
  { weight: 2, arbitrary: fc.integer({ min: 4_090, max: 4_100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
);
const values = fc.array(value, { minLength: 1, maxLength: 200 });
const tableOf = (list: readonly number[]) => countOfCounts(Uint32Array.from(list));

describe("tables", () => {
  it("COC-1: equal a sorted list's: 1 + strictly more, strictly fewer / population", () => {
    fc.assert(
      fc.property(values, (list) => {
        const table = new RankTable(tableOf(list));
        expect(table.population).toBe(list.length);
        for (const one of new Set(list)) {
          expect(table.rank(one)).toBe(1 + list.filter((other) => other > one).length);
          expect(table.quantile(one)).toBe(list.filter((other) => other < one).length / list.length);
        }
      }),
    );
  });

  it("COC-2: merging shards' tables equals counting all fingerprints at once, in any order", () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 6 }), (shards) => {
        const tables = shards.map(tableOf);
        const whole = tableOf(shards.flat());
        expect(mergeCounts(tables)).toEqual(whole);
        expect(mergeCounts([...tables].reverse())).toEqual(whole);
        expect(mergeCounts([mergeCounts(tables.slice(0, 1)), ...tables.slice(1)])).toEqual(whole);
        expect(mergeCounts([whole, tableOf([])])).toEqual(whole);
      }),
    );
  });

  it("COC-3: nobody to compare with has no quantile", () => {
    const empty = new RankTable(tableOf([]));
    expect([empty.population, empty.rank(5), empty.quantile(5)]).toEqual([0, 1, undefined]);
  });
});

describe("tables as bytes", () => {
  const table = fc
    .uniqueArray(fc.tuple(value, fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 40 }))), {
      selector: ([one]) => one,
      maxLength: 60,
    })
    .map((pairs): CountOfCounts => {
      const sorted = pairs.toSorted((a, b) => a[0] - b[0]);
      return {
        values: Uint32Array.from(sorted, ([one]) => one),
        counts: Float64Array.from(sorted, ([, count]) => count),
      };
    });

  it("COC-4: decode to the same table, and encode to the same bytes again", () => {
    fc.assert(
      fc.property(table, (one) => {
        const bytes = encodeCounts(one);
        expect(decodeCounts(bytes)).toEqual(one);
        expect(encodeCounts(decodeCounts(bytes))).toEqual(bytes);
      }),
    );
  });

  it("COC-4: the form is fixed", () => {
    const one = { values: Uint32Array.of(0, 1, 2, 300), counts: Float64Array.of(1, 200, 1, 2) };
    // Version 1, four pairs: 0 × 1, +1 × 200, +1 × 1, +298 × 2 = 297 · 2 + 1.
    expect([...encodeCounts(one)]).toEqual([1, 4, 0, 1, 0xc6, 0x01, 0, 0xd3, 0x04, 0]);
    expect([...encodeCounts(tableOf([]))]).toEqual([1, 0]);
  });

  it("COC-5: any bytes are a table in its only form, or refused with a typed error", () => {
    const damaged = fc
      .tuple(
        table,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.nat(),
      )
      .map(([one, changes, cut]) => {
        const bytes = encodeCounts(one);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return bytes.slice(0, bytes.length - (cut % 3));
      });
    const versioned = fc.uint8Array({ maxLength: 40 }).map((rest) => Uint8Array.of(1, ...rest));
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), versioned, damaged), (bytes) => {
        let decoded: CountOfCounts;
        try {
          decoded = decodeCounts(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CountsError);
          refused++;
          return;
        }
        taken++;
        expect(encodeCounts(decoded)).toEqual(bytes);
      }),
      { numRuns: 2_000, seed: SEED },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(100);
  });

  it.each([
    ["nothing", [], "unknown_version"],
    ["another version", [2, 0], "unknown_version"],
    ["the version alone", [1], "malformed"],
    ["more pairs than bytes", [1, 0xff, 0xff, 0xff, 0x7f], "malformed"],
    ["a pair cut off", [1, 1, 0x80], "malformed"],
    ["bytes behind the end", [1, 0, 0], "malformed"],
    ["a number written too long", [1, 1, 0x80, 0x00], "malformed"],
    ["a value of 2³²", [1, 1, 0x80, 0x80, 0x80, 0x80, 0x20], "malformed"],
    ["too many fingerprints", [1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], "malformed"],
    ["a number over 2⁵³", [1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "malformed"],
  ])("COC-5: %s is refused", (_, bytes, fault) => {
    expect(() => decodeCounts(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ fault }));
  });

  it("COC-5: the largest value is none of them", () => {
    const largest = tableOf([2 ** 32 - 1]);
    expect(decodeCounts(encodeCounts(largest))).toEqual(largest);
  });
});

/** One fingerprint's values. */
type Client = Record<(typeof RANKED)[number], number>;

/** Columns in which the clients' ids start at `from`, as a window gives them; what lies before has no fingerprint. */
function columnsOf(clients: readonly Client[], others = 0, from = 2): RankValues {
  const column = (of: (client: Client, at: number) => number) =>
    Uint32Array.from({ length: from + clients.length }, (_, id) =>
      id < from ? 0 : of(clients[id - from]!, id - from),
    );
  return {
    idEnd: from + clients.length,
    tags: column((_, at) => at * 7),
    reqs: column(({ reqs }) => reqs),
    ips: column(({ ips }) => ips),
    uas: column(({ uas }) => uas),
    paths: column(({ paths }) => paths),
    others,
  };
}

/** Every shard's report through the book and the bytes, both ways; answers each client's ranks. */
function ranksOf(shards: readonly { clients: readonly Client[]; others: number }[]) {
  const book = new CensusBook(NOW, 5_000);
  const reports = shards.map(({ clients, others }) => new RankReport(columnsOf(clients, others), NOW));
  reports.forEach((report, shard) => {
    const read = readShardReport({ asOfMs: NOW, revision: 1, tables: encodeRankCounts(report.counts) });
    expect(read !== "unknown_form" && book.take(shard, read)).toBe(true);
  });
  const answer = readCensusAnswer(book.answer(shards.length, NOW, undefined));
  if (typeof answer === "string" || answer.counts === undefined) throw new Error("no tables");
  const ranks = new SiteRanks(answer.counts);
  return shards.flatMap(({ clients }, shard) =>
    clients.map((_, at) => ranks.of(reports[shard]!, at + 2, at * 7)),
  );
}

/** The same from sorted lists of all values, an entry for each of the `others`. */
function sortedRanks(clients: readonly Client[], others: number) {
  const lists = RANKED.map((ranked) =>
    Float64Array.from([...clients.map((client) => client[ranked]), ...Array<number>(others).fill(1)]).sort(),
  );
  return clients.map((client) => {
    const ranks: Record<string, number> = { population: clients.length + others };
    RANKED.forEach((ranked, i) => {
      if (client[ranked] === 0) return;
      const fewer = partition(lists[i]!, (one) => one < client[ranked]);
      const upTo = partition(lists[i]!, (one) => one <= client[ranked]);
      ranks[`${ranked}_rank_1h`] = 1 + lists[i]!.length - upTo;
      if (i < 2) ranks[`${ranked}_quantile_1h`] = fewer / lists[i]!.length;
    });
    return ranks;
  });
}

/** Length of the sorted list's part that passes. */
function partition(list: Float64Array, passes: (one: number) => boolean): number {
  let size = 0;
  for (let step = 2 ** 20; step >= 1; step /= 2) {
    if (size + step <= list.length && passes(list[size + step - 1]!)) size += step;
  }
  return size;
}

describe("over shards", () => {
  const client = fc.record({ reqs: fc.integer({ min: 1, max: 40 }), ips: value, uas: value, paths: value });
  const shard = fc.record({
    clients: fc.array(client, { maxLength: 60 }),
    others: fc.oneof(fc.constant(0), fc.nat({ max: 50 })),
  });

  it("RANK-4: exact with ties, zeros, empty shards and fingerprints beyond capacity", () => {
    fc.assert(
      fc.property(fc.array(shard, { minLength: 1, maxLength: 5 }), (shards) => {
        const others = shards.reduce((sum, one) => sum + one.others, 0);
        expect(ranksOf(shards)).toEqual(
          sortedRanks(
            shards.flatMap(({ clients }) => clients),
            others,
          ),
        );
      }),
    );
  });

  it.skipIf(FEW_RUNS)(
    `RANK-2: 100,000 fingerprints on 16 shards equal a sorted list's (seed ${SEED})`,
    () => {
      let state = SEED;
      const random = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      const shards = Array.from({ length: 16 }, () => ({ clients: [] as Client[], others: 0 }));
      for (let i = 0; i < 100_000; i++) {
        const reqs = 1 + Math.floor(2_000_000 / (1 + 100_000 * random()));
        const share = () => Math.floor((reqs + 1) * random() ** 4);
        shards[Math.floor(16 * random())]!.clients.push({ reqs, ips: share(), uas: share(), paths: share() });
      }
      const actual = ranksOf(shards);
      const expected = sortedRanks(
        shards.flatMap(({ clients }) => clients),
        0,
      );
      // Compared as text: a deep comparison of 100,000 objects takes a minute.
      const text = (ranks: Record<string, number>) => JSON.stringify(Object.entries(ranks).sort());
      const wrong = actual.flatMap((ranks, i) => (text(ranks) === text(expected[i]!) ? [] : [i]));
      expect([actual.length, wrong.slice(0, 5)]).toEqual([100_000, []]);
    },
  );

  it("RANK-3: an id of another fingerprint has no ranks, and a report does not change with the window", () => {
    const columns = columnsOf([{ reqs: 5, ips: 1, uas: 1, paths: 1 }]);
    const report = new RankReport(columns, NOW);
    const ranks = new SiteRanks(report.counts);
    columns.reqs.fill(9);
    columns.tags.fill(1);
    expect(ranks.of(report, 2, 0)).toMatchObject({ reqs_rank_1h: 1, reqs_quantile_1h: 0, population: 1 });
    expect(report.value(2, "reqs")).toBe(5);
    // Another tag, an id without a fingerprint, an id that was not there yet.
    for (const [id, tag] of [
      [2, 1],
      [1, 0],
      [3, 0],
    ] as const)
      expect(ranks.of(report, id, tag)).toEqual({});
  });
});
