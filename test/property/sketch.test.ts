import fc from "fast-check";
import { describe, expect, it } from "vitest";
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
