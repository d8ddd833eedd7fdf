import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countOfCounts, mergeCounts, RankTable } from "../../src/sketch/count-of-counts.ts";

describe("ranks", () => {
  const values = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 200 });

  it("COC-1: equal a sorted list's: 1 + strictly more, strictly fewer / population", () => {
    fc.assert(
      fc.property(values, (list) => {
        const table = new RankTable(countOfCounts(list));
        expect(table.population).toBe(list.length);
        for (const value of new Set(list)) {
          expect(table.rank(value)).toBe(1 + list.filter((other) => other > value).length);
          expect(table.quantile(value)).toBe(list.filter((other) => other < value).length / list.length);
        }
      }),
    );
  });

  it("COC-2: merging shards' tables equals counting all fingerprints at once, in any order", () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 6 }), (shards) => {
        const tables = shards.map(countOfCounts);
        const whole = countOfCounts(shards.flat());
        expect(mergeCounts(tables)).toEqual(whole);
        expect(mergeCounts([...tables].reverse())).toEqual(whole);
        expect(mergeCounts([mergeCounts(tables.slice(0, 1)), ...tables.slice(1)])).toEqual(whole);
        expect(mergeCounts([whole, countOfCounts([])])).toEqual(whole);
      }),
    );
  });

  it("COC-3: nobody to compare with has no quantile", () => {
    const empty = new RankTable(countOfCounts([]));
    expect([empty.population, empty.rank(5), empty.quantile(5)]).toEqual([0, 1, undefined]);
  });
});
