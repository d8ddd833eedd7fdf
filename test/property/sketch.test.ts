import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countOfCounts, mergeCounts, RankTable } from "../../src/sketch/count-of-counts.ts";
import { Distinct } from "../../src/sketch/distinct.ts";

const hits = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 50 })), {
  maxLength: 400,
});

function distinctOf(list: readonly (readonly [number, number])[]): Distinct {
  const table = new Distinct();
  for (const [hash, slot] of list) table.add(hash, slot);
  return table;
}

const counts = (table: Distinct) => Array.from({ length: 52 }, (_, since) => table.count(since));

describe("distinct counts", () => {
  it("DIST-1: equal a set of last sights, for every window, before and after expiry", () => {
    fc.assert(
      fc.property(hits, fc.integer({ min: 0, max: 50 }), (list, expireBefore) => {
        const table = distinctOf(list);
        const last = new Map<number, number>();
        for (const [hash, slot] of list) last.set(hash, Math.max(slot, last.get(hash) ?? 0));
        const oracle = (since: number) => [...last.values()].filter((slot) => slot >= since).length;
        for (let since = 0; since <= 51; since++) expect(table.count(since)).toBe(oracle(since));
        table.expire(expireBefore);
        expect(table.size).toBe(oracle(expireBefore));
        for (let since = expireBefore; since <= 51; since++) expect(table.count(since)).toBe(oracle(since));
      }),
    );
  });

  it("DIST-2: add tells what is new", () => {
    fc.assert(
      fc.property(hits, (list) => {
        const table = new Distinct();
        const known = new Set<number>();
        for (const [hash, slot] of list) {
          expect(table.add(hash, slot)).toBe(!known.has(hash));
          known.add(hash);
        }
      }),
    );
  });

  it("DIST-3: merge is commutative, associative, idempotent, has an identity, and equals counting everything at once", () => {
    fc.assert(
      fc.property(hits, hits, hits, (a, b, c) => {
        const merged = (...lists: (typeof a)[]) => {
          const table = new Distinct();
          for (const list of lists) table.merge(distinctOf(list));
          return counts(table);
        };
        expect(merged(a, b)).toEqual(merged(b, a));
        expect(merged(a, b, c)).toEqual(merged(c, a, b));
        expect(merged(a, a)).toEqual(merged(a));
        expect(merged(a, [])).toEqual(counts(distinctOf(a)));
        expect(merged(a, b)).toEqual(counts(distinctOf([...a, ...b])));
      }),
    );
  });

  it("DIST-4: a table of 100,000 shrinks back after expiry", () => {
    const table = new Distinct();
    for (let i = 0; i < 100_000; i++) table.add(Math.imul(i, 0x9e3779b1) >>> 0, 5);
    expect(table.count(0)).toBe(100_000);
    table.add(1, 9);
    table.expire(9);
    expect([table.size, table.bytes]).toEqual([1, 64]);
  });
});

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
