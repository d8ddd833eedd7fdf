import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Distincts } from "../../src/sketch/distincts.ts";
import { SetFormatError } from "../../src/sketch/distincts-codec.ts";
import { mixed, randomHashes } from "../support/hashes.ts";
import { FEW_RUNS, runs } from "../support/runs.ts";

/** A sight of an identity in a slot. */
type Sight = readonly [hash: number, slot: number];

/** Not a multiple of anything, so that stamps wrap within the tests. */
const START = 4_500_000;
const HOUR_SLOTS = 183;

const sight = (identities: number): fc.Arbitrary<Sight> =>
  fc.tuple(
    fc.integer({ min: 0, max: identities }).map(mixed),
    fc.integer({ min: START, max: START + HOUR_SLOTS }),
  );
/** Stays small: at most 256 identities. */
const few = fc.array(sight(255), { maxLength: 600 });
/** A seed's many identities, so that the set is large; and a few more that shrinking can work on. */
const many = fc
  .tuple(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 257, max: 3_000 }), few)
  .map(([seed, size, rest]): Sight[] => {
    const next = randomHashes(seed);
    return [...Array.from({ length: size }, (): Sight => [next(), START + (next() % HOUR_SLOTS)]), ...rest];
  });
const any = fc.oneof(few, many);
const slow = { numRuns: runs(40) };

function built(sets: Distincts, sights: readonly Sight[]): number {
  let set = 0;
  for (const [hash, slot] of sights) set = sets.add(set, hash, slot);
  return set;
}

/** The set as another object holds it, with nothing but these sights. */
const bytesOf = (sights: readonly Sight[], cells = 1_024) => {
  const sets = new Distincts({ cells });
  return hex(sets.encode(built(sets, sights)));
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function lastSights(sights: readonly Sight[]): Map<number, number> {
  const last = new Map<number, number>();
  for (const [hash, slot] of sights) last.set(hash, Math.max(slot, last.get(hash) ?? 0));
  return last;
}

function inWindow(last: ReadonlyMap<number, number>, since: number, now: number): number {
  return [...last.values()].filter((slot) => slot >= since && slot <= now).length;
}

describe("small sets", () => {
  it("DIST-1: equal a set of last sights, for every window, before and after expiry", () => {
    const slot = fc.integer({ min: START - 2, max: START + HOUR_SLOTS + 2 });
    fc.assert(
      fc.property(
        few,
        slot,
        fc.array(fc.tuple(slot, slot), { maxLength: 30 }),
        (sights, expireBefore, windows) => {
          const sets = new Distincts();
          const last = lastSights(sights);
          let set = built(sets, sights);
          expect(sets.countAll(set)).toBe(last.size);
          for (const [since, now] of windows)
            expect(sets.count(set, since, now)).toBe(inWindow(last, since, now));
          set = sets.expire(set, expireBefore);
          expect(sets.countAll(set)).toBe(inWindow(last, expireBefore, Number.POSITIVE_INFINITY));
          for (const [since, now] of windows)
            expect(sets.count(set, since, now)).toBe(inWindow(last, Math.max(since, expireBefore), now));
        },
      ),
    );
  });

  it("DIST-2: adding tells what is new", () => {
    fc.assert(
      fc.property(few, (sights) => {
        const sets = new Distincts();
        const known = new Set<number>();
        let set = 0;
        for (const [hash, slot] of sights) {
          set = sets.add(set, hash, slot);
          expect(sets.fresh).toBe(known.has(hash) ? 0 : 1);
          known.add(hash);
        }
      }),
    );
  });
});

describe("sets of any size", () => {
  it("DIST-3: merge is commutative, associative, idempotent, has an identity, and equals counting everything at once", () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        const merged = (...lists: (readonly Sight[])[]) => {
          const into = new Distincts();
          let set = 0;
          for (const list of lists) {
            const from = new Distincts();
            set = into.merge(set, from, built(from, list));
          }
          return hex(into.encode(set));
        };
        expect(merged(a, b)).toBe(merged(b, a));
        expect(merged(a, b, c)).toBe(merged(c, a, b));
        expect(merged(a, a)).toBe(merged(a));
        expect(merged(a, [])).toBe(bytesOf(a));
        expect(merged([], a)).toBe(bytesOf(a));
        expect(merged(a, b)).toBe(bytesOf([...a, ...b]));
        expect(merged(a.slice(0, 100), a.slice(100))).toBe(bytesOf(a));
      }),
      slow,
    );
  });

  it("DIST-4: a large set shrinks back after expiry, and costs nothing when nothing is left", () => {
    const sets = new Distincts();
    let set = built(
      sets,
      Array.from({ length: 100_000 }, (_, i): Sight => [mixed(i), START]),
    );
    const before = sets.bytesOf(set);
    for (let i = 0; i < 400; i++) set = sets.add(set, mixed(1_000_000 + i), START + 9);
    set = sets.expire(set, START + 9);
    expect(Math.abs(sets.countAll(set) - 400)).toBeLessThan(20);
    expect(sets.bytesOf(set)).toBeLessThan(before / 3);
    expect([sets.sets, sets.largeSets, sets.usedBytes]).toEqual([1, 1, sets.bytesOf(set)]);
    expect(sets.expire(set, START + 10)).toBe(0);
    expect([sets.sets, sets.largeSets, sets.usedBytes]).toEqual([0, 0, 0]);
  });

  it("DIST-5: the order of sights does not matter, and late ones never make an identity look older", () => {
    fc.assert(
      fc.property(any, (sights) => {
        const latest = [...lastSights(sights)];
        expect(bytesOf(sights.toReversed())).toBe(bytesOf(sights));
        expect(bytesOf(sights.toSorted((a, b) => b[1] - a[1]))).toBe(bytesOf(sights));
        expect(bytesOf(latest)).toBe(bytesOf(sights));
      }),
      slow,
    );
  });

  it("DIST-6: what has expired leaves the set as if it had never been seen", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: START, max: START + HOUR_SLOTS + 1 }), (sights, since) => {
        const sets = new Distincts();
        const expired = hex(sets.encode(sets.expire(built(sets, sights), since)));
        const recent = sights.filter(([, slot]) => slot >= since);
        // A set that was large stays so: its identities are not known one by one.
        const wasLarge = lastSights(sights).size > 256;
        if (!wasLarge || lastSights(recent).size > 256) expect(expired).toBe(bytesOf(recent));
      }),
      slow,
    );
  });

  it("DIST-7: half the cells by folding are half the cells from the start", () => {
    fc.assert(
      fc.property(many, (sights) => {
        const sets = new Distincts({ cells: 1_024 });
        let set = built(sets, sights);
        for (const cells of [512, 256, 128]) {
          set = sets.fold(set);
          expect(hex(sets.encode(set))).toBe(bytesOf(sights, cells));
        }
      }),
      slow,
    );
  });

  it("DIST-8: sets with different numbers of cells merge into the smaller one", () => {
    fc.assert(
      fc.property(many, any, (a, b) => {
        const [wide, narrow] = [new Distincts({ cells: 1_024 }), new Distincts({ cells: 256 })];
        const [wideSet, narrowSet] = [built(wide, b), built(narrow, a)];
        expect(hex(narrow.encode(narrow.merge(narrowSet, wide, wideSet)))).toBe(bytesOf([...a, ...b], 256));
        const other = new Distincts({ cells: 256 });
        expect(hex(wide.encode(wide.merge(wideSet, other, built(other, a))))).toBe(
          bytesOf([...a, ...b], 256),
        );
      }),
      slow,
    );
  });

  it("DIST-9: a longer window never counts fewer", () => {
    fc.assert(
      fc.property(any, (sights) => {
        const sets = new Distincts();
        const set = built(sets, sights);
        let last = 0;
        for (let since = START + HOUR_SLOTS; since >= START; since -= 7) {
          const count = sets.count(set, since, START + HOUR_SLOTS);
          expect(count).toBeGreaterThanOrEqual(last);
          last = count;
        }
        expect(sets.count(set, START, START + HOUR_SLOTS)).toBe(sets.countAll(set));
      }),
      slow,
    );
  });

  it("DIST-10: stamps wrap: expired in time every slot counts, 255 slots late is not noted, and not expired reads as new", () => {
    const sets = new Distincts();
    let set = 0;
    for (let slot = START; slot < START + 1_000; slot++) {
      set = sets.expire(sets.add(set, mixed(slot), slot), slot - HOUR_SLOTS);
      expect(sets.countAll(set)).toBe(Math.min(slot - START + 1, HOUR_SLOTS + 1));
      expect(sets.count(set, slot - 2, slot)).toBe(Math.min(slot - START + 1, 3));
    }
    const newest = START + 999;
    const before = hex(sets.encode(set));
    expect(sets.add(set, 77, newest - 255)).toBe(set);
    expect([sets.fresh, hex(sets.encode(set))]).toEqual([0, before]);
    expect(sets.add(0, 77, newest - 255)).toBe(0);
    // What the owner must prevent.
    const stale = sets.add(0, 1, newest);
    sets.add(0, 2, newest + 255);
    expect(sets.count(stale, newest + 255, newest + 255)).toBe(1);
  });
});

describe("memory", () => {
  it("DIST-11: nothing for an empty set, 100 B for 10 identities, 800 for 100, 4 KiB for 1,000, 15 for a million, 18 for ten", () => {
    const sets = new Distincts();
    const next = randomHashes(11);
    let set = 0;
    const limits = new Map([
      [0, 0],
      [10, 100],
      [100, 800],
      [1_000, 4_096],
      [1_000_000, 15 * 1_024],
      [10_000_000, 18 * 1_024],
    ]);
    for (let n = 0; n <= (FEW_RUNS ? 1_000 : 10_000_000); n++) {
      const limit = limits.get(n);
      if (limit !== undefined) expect(sets.bytesOf(set)).toBeLessThanOrEqual(limit);
      set = sets.add(set, next(), START);
    }
    expect(sets.usedBytes).toBe(sets.bytesOf(set));
  });

  it("DIST-12: compaction moves every set, loses nothing and closes the gaps", () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 8 }), fc.nat({ max: 255 }), (lists, freed) => {
        const sets = new Distincts();
        const live = lists.map((list) => built(sets, list));
        for (let i = 0; i < live.length; i++) {
          if ((freed & (1 << i)) === 0) continue;
          sets.free(live[i]!);
          live[i] = 0;
        }
        const before = live.map((set) => hex(sets.encode(set)));
        const counters = [sets.usedBytes, sets.sets, sets.largeSets];
        sets.compact((move) => {
          for (let i = 0; i < live.length; i++) live[i] = move(live[i]!);
        });
        expect(live.map((set) => hex(sets.encode(set)))).toEqual(before);
        expect([sets.usedBytes, sets.sets, sets.largeSets]).toEqual(counters);
        expect(sets.byteLength - sets.usedBytes).toBeLessThanOrEqual(8);
        for (const [i, list] of lists.entries())
          live[i] = list.reduce((set, [h, s]) => sets.add(set, h, s), live[i]!);
        expect(live.map((set) => hex(sets.encode(set)))).toEqual(lists.map((list) => bytesOf(list)));
      }),
      slow,
    );
  });
});

describe("sets as bytes", () => {
  it("DIST-13: reading back gives the same set, in an object of any age", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: -400, max: 60 }), (sights, ahead) => {
        const sets = new Distincts();
        const bytes = sets.encode(built(sets, sights));
        const other = new Distincts();
        other.add(0, 1, START + ahead);
        expect(hex(other.encode(other.decode(bytes)))).toBe(hex(bytes));
      }),
      slow,
    );
    const old = new Distincts().encode(0);
    expect(new Distincts().decode(old)).toBe(0);
  });

  it("DIST-14: what is 255 slots old is left out on reading", () => {
    const bytes = Buffer.from(
      bytesOf([
        [5, START],
        [6, START + 1],
      ]),
      "hex",
    );
    const sets = new Distincts();
    sets.add(0, 1, START + 255);
    expect(sets.countAll(sets.decode(bytes))).toBe(1);
    sets.add(0, 1, START + 256);
    expect(sets.decode(bytes)).toBe(0);
    const large = Buffer.from(
      bytesOf(Array.from({ length: 300 }, (_, i): Sight => [mixed(i), START])),
      "hex",
    );
    expect([sets.decode(large), sets.largeSets]).toEqual([0, 0]);
  });

  it("DIST-15: the format does not change", () => {
    expect(bytesOf([])).toBe("0101000000000000");
    expect(
      bytesOf([
        [0xdeadbeef, 4_500_003],
        [7, 4_500_001],
        [0, 4_500_003],
      ]),
    ).toBe(GOLDEN_SMALL);
    const large = Array.from({ length: 300 }, (_, i): Sight => [mixed(i), 4_500_000 + (i % 7)]);
    expect(bytesOf(large, 64)).toBe(GOLDEN_LARGE);
  });

  it("DIST-16: bytes that are no set are one kind of error, whatever they hold, and change nothing", () => {
    const sets = new Distincts();
    sets.add(0, 1, START + HOUR_SLOTS);
    const state = () => [sets.sets, sets.largeSets, sets.usedBytes];
    const tryDecode = (bytes: Uint8Array) => {
      const before = state();
      try {
        const set = sets.decode(bytes, START + HOUR_SLOTS);
        // Accepted bytes are a set: it encodes, counts, and can be let go.
        expect(sets.count(set, START, START + HOUR_SLOTS)).toBeLessThanOrEqual(sets.countAll(set));
        expect(sets.encode(set).length).toBeLessThanOrEqual(bytes.length);
        sets.free(set);
      } catch (error) {
        expect(error).toBeInstanceOf(SetFormatError);
        expect((error as SetFormatError).code).toBe("set_malformed");
      }
      expect(state()).toEqual(before);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryDecode));
    const kind = fc.constantFrom([1, 1], [1, 2]);
    fc.assert(
      fc.property(kind, fc.uint8Array({ maxLength: 200 }), (k, rest) =>
        tryDecode(Uint8Array.of(...k, ...rest)),
      ),
    );
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(
        any,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat()),
        (sights, changes, cut) => {
          const bytes = Buffer.from(bytesOf(sights, 64), "hex");
          for (const [at, byte] of changes) bytes[at % Math.min(bytes.length, 60)] = byte;
          tryDecode(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
        },
      ),
    );
  });

  it("DIST-17: a set from the future is refused", () => {
    const bytes = Buffer.from(bytesOf([[5, START]]), "hex");
    const sets = new Distincts();
    expect(() => sets.decode(bytes, START - 1)).toThrow(SetFormatError);
    expect(sets.countAll(sets.decode(bytes, START))).toBe(1);
  });
});

/** Three entries; slot 0x44aa23; hashes; ages 0, 2, 0. */
const GOLDEN_SMALL = "0101030023aa44000000000007000000efbeadde000200";
/** 64 cells, slot 0x44aa26, hits of 21 ranks, then the ranks. */
const GOLDEN_LARGE = [
  "0102060026aa44003b002c00230010000a00040001000200000000000000000000000000000000000000000000000000",
  "010007010501030501010102030204040002060307070100010307050100010204000505020201020103030103020601",
  "000101010602010301020204050301040305000404060705030006010202000401050500000006000700040201000003",
  "040107000202000000030002010102030207050000000701040506040300030200050000040200000006000000020400",
  "070100010500070400030300000000050500000000060602070003000400010101050207030600020200000005000004",
  "01040100000400000700020a00041000031500061700051d00032600002700002800022d00063b00053c00023d00063e",
  "00000400001000021300001e00031f00062f00023400013b00053e00013f00060000011a00043a00013e000413000412",
  "00041d0003000006",
].join("");
