/** Sets of identities at the edges: of their sizes, of their windows, of what they are merged with, and of each other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Distincts } from "../../src/sketch/distincts.ts";
import { SetFormatError } from "../../src/sketch/distincts-codec.ts";
import { mixed, randomHashes } from "../support/hashes.ts";
import { runs } from "../support/runs.ts";

const NOW = 4_500_000;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** A set of `size` identities from `from` on, seen in one slot. */
function some(sets: Distincts, size: number, slot = NOW, from = 0): number {
  let set = 0;
  for (let i = 0; i < size; i++) set = sets.add(set, mixed(from + i), slot);
  return set;
}

const counters = (sets: Distincts) => [sets.sets, sets.largeSets, sets.usedBytes];

describe("sizes of sets", () => {
  /** Places by class; five sixths of them are filled at most. */
  const capacities = [4, 8, 12, 20, 32, 48, 76, 120, 192, 340];
  const bytesFor = (entries: number) => {
    const capacity = capacities.find((places) => Math.floor((places * 5) / 6) >= entries)!;
    return 4 + 5 * capacity;
  };

  it("DIST-21: a small set has the smallest table with room for it, growing and shrinking", () => {
    const sets = new Distincts();
    let set = 0;
    for (let n = 1; n <= 256; n++) {
      set = sets.add(set, mixed(n), NOW + (n > 100 ? 1 : 0) + (n > 250 ? 1 : 0));
      expect([sets.bytesOf(set), sets.cellsOf(set), sets.countAll(set)]).toEqual([bytesFor(n), 0, n]);
      expect(counters(sets)).toEqual([1, 0, bytesFor(n)]);
    }
    const same = sets.expire(set, NOW);
    expect([same, sets.bytesOf(same)]).toEqual([set, bytesFor(256)]);
    for (const [since, left] of [
      [NOW + 1, 156],
      [NOW + 2, 6],
    ] as const) {
      set = sets.expire(set, since);
      expect([sets.countAll(set), ...counters(sets)]).toEqual([left, 1, 0, bytesFor(left)]);
    }
    expect([sets.expire(set, NOW + 3), ...counters(sets)]).toEqual([0, 0, 0, 0]);
  });

  it("DIST-21: the 257th identity makes a set large, which it stays", () => {
    const sets = new Distincts();
    const small = some(sets, 256);
    expect([sets.add(small, mixed(7), NOW), sets.fresh]).toEqual([small, 0]);
    expect([sets.cellsOf(small), sets.largeSets]).toEqual([0, 0]);
    let large = sets.add(small, mixed(256), NOW + 1);
    expect([sets.fresh, sets.cellsOf(large), sets.sets, sets.largeSets]).toEqual([1, 1_024, 1, 1]);
    large = sets.expire(large, NOW + 1);
    expect([sets.countAll(large), sets.cellsOf(large), sets.largeSets]).toEqual([1, 1_024, 1]);
    sets.free(large);
    expect(counters(sets)).toEqual([0, 0, 0]);
  });

  it("DIST-22: cells are a power of two from 32 to 2,048", () => {
    for (const cells of [32, 64, 1_024, 2_048]) {
      const sets = new Distincts({ cells });
      expect(sets.cellsOf(some(sets, 300))).toBe(cells);
    }
    for (const cells of [0, 1, 16, 33, 1_000, 4_096, -32, Number.NaN])
      expect(() => new Distincts({ cells })).toThrow(
        new RangeError("cells must be a power of two from 32 to 2048"),
      );
  });

  it("DIST-22: folding ends at 32 cells and leaves small sets alone", () => {
    const sets = new Distincts({ cells: 128 });
    const small = some(sets, 256);
    expect([sets.fold(small), sets.fold(0), sets.cellsOf(0)]).toEqual([small, 0, 0]);
    let large = some(sets, 400);
    const cells = [];
    for (let i = 0; i < 4; i++) {
      large = sets.fold(large);
      cells.push(sets.cellsOf(large));
    }
    expect(cells).toEqual([64, 32, 32, 32]);
    expect(counters(sets)).toEqual([2, 1, sets.bytesOf(small) + sets.bytesOf(large)]);
  });

  it("DIST-23: the empty set takes every call and stays empty", () => {
    const sets = new Distincts();
    const other = some(sets, 3);
    sets.free(0);
    const moved: number[] = [];
    sets.compact((move) => moved.push(move(0), move(other), move(0)));
    expect([moved[0], moved[2], sets.countAll(moved[1]!)]).toEqual([0, 0, 3]);
    expect([sets.count(0, 0, NOW), sets.countAll(0), sets.expire(0, NOW), sets.bytesOf(0)]).toEqual([
      0, 0, 0, 0,
    ]);
    expect([sets.merge(0, sets, 0), sets.decode(sets.encode(0)), sets.fold(0)]).toEqual([0, 0, 0]);
    expect(counters(sets)).toEqual([1, 0, sets.bytesOf(moved[1]!)]);
  });
});

describe("merging and reading", () => {
  it.each([
    ["small", "small", 40, 150],
    ["large", "small", 300, 40],
    ["small", "large", 40, 900],
    ["large", "large", 300, 900],
  ])(
    "DIST-24: a %s set merges with a %s one of its own object, with itself, and leaves the other as it is",
    (_, __, mine, theirs) => {
      const sets = new Distincts();
      let [a, b] = [some(sets, mine, NOW), some(sets, theirs, NOW + 5, 30)];
      const before = hex(sets.encode(b));
      a = sets.merge(a, sets, b);
      expect(hex(sets.encode(b))).toBe(before);
      const alone = new Distincts();
      let expected = some(alone, mine, NOW);
      for (let i = 0; i < theirs; i++) expected = alone.add(expected, mixed(30 + i), NOW + 5);
      expect(hex(sets.encode(a))).toBe(hex(alone.encode(expected)));
      expect(sets.merge(a, sets, a)).toBe(a);
      expect(hex(sets.encode(a))).toBe(hex(alone.encode(expected)));
      const large = [a, b].filter((set) => sets.cellsOf(set) > 0).length;
      expect(large).toBe((mine + theirs > 256 ? 1 : 0) + (theirs > 256 ? 1 : 0));
      expect(counters(sets)).toEqual([2, large, sets.bytesOf(a) + sets.bytesOf(b)]);
      b = sets.merge(b, sets, 0);
      expect(hex(sets.encode(b))).toBe(before);
    },
  );

  it("DIST-24: merging the empty set changes nothing, whatever lies at the front of the arena", () => {
    // In the last place of the first block: read as a set, handle 0 would find its stamps there.
    const sets = new Distincts();
    const first = sets.add(0, 0xffffffff, NOW);
    const set = some(sets, 3, NOW + 5);
    const before = [hex(sets.encode(first)), hex(sets.encode(set)), ...counters(sets)];
    const merged = [set, first, 0].map((handle) => sets.merge(handle, sets, 0));
    expect(merged).toEqual([set, first, 0]);
    expect([hex(sets.encode(first)), hex(sets.encode(set)), ...counters(sets)]).toEqual(before);
    const other = new Distincts();
    expect([other.merge(0, sets, 0), ...counters(other)]).toEqual([0, 0, 0, 0]);
  });

  it("DIST-24: sets of different objects merge although their handles are the same number", () => {
    const [here, there] = [new Distincts(), new Distincts()];
    const [a, b] = [some(here, 5), some(there, 5, NOW, 100)];
    expect(a).toBe(b);
    expect(here.countAll(here.merge(a, there, b))).toBe(10);
  });

  it.each([
    ["small", 200],
    ["large", 900],
  ])(
    "DIST-25: of a %s set that is merged or read, what is 255 slots older than the newest slot is left out",
    (_, size) => {
      const from = new Distincts();
      const old = some(from, size);
      const bytes = from.encode(old);
      for (const [ahead, kept] of [
        [254, true],
        [255, false],
      ] as const) {
        const sets = new Distincts();
        const newest = sets.add(0, 1, NOW + ahead);
        const before = counters(sets);
        for (const come of [() => sets.decode(bytes), () => sets.merge(0, from, old)]) {
          const set = come();
          expect([set !== 0, sets.countAll(set)]).toEqual([kept, kept ? from.countAll(old) : 0]);
          expect(sets.count(set, NOW, NOW)).toBe(sets.countAll(set));
          sets.free(set);
          expect(counters(sets)).toEqual(before);
        }
        const merged = sets.merge(newest, from, old);
        // A set that has been merged with a large one is large.
        expect([sets.sets, sets.largeSets]).toEqual([1, size > 256 ? 1 : 0]);
        if (!kept) expect(sets.countAll(merged)).toBe(1);
      }
    },
  );

  it("DIST-25: a set of which a part is too old keeps the rest", () => {
    const from = new Distincts();
    let mixedAges = some(from, 500);
    for (let i = 0; i < 500; i++) mixedAges = from.add(mixedAges, mixed(1_000 + i), NOW + 9);
    const recent = from.expire(from.decode(from.encode(mixedAges)), NOW + 1);
    const sets = new Distincts();
    sets.add(0, 1, NOW + 255);
    for (const set of [sets.decode(from.encode(mixedAges)), sets.merge(0, from, mixedAges)])
      expect(hex(sets.encode(set))).toBe(hex(from.encode(recent)));
  });

  it("DIST-8: what is read has no more cells than its reader, and no more than it was written with", () => {
    const sizes = [32, 256, 1_024, 2_048];
    for (const written of sizes) {
      const from = new Distincts({ cells: written });
      const bytes = from.encode(some(from, 600));
      for (const reading of sizes) {
        const sets = new Distincts({ cells: reading });
        const alone = new Distincts({ cells: Math.min(written, reading) });
        const set = sets.decode(bytes);
        expect([sets.cellsOf(set), sets.largeSets]).toEqual([Math.min(written, reading), 1]);
        expect(hex(sets.encode(set))).toBe(hex(alone.encode(some(alone, 600))));
      }
    }
  });

  it("DIST-17: a set from the future says so and is not begun", () => {
    const from = new Distincts();
    for (const size of [3, 300]) {
      const bytes = from.encode(some(from, size, NOW));
      const sets = new Distincts();
      expect(() => sets.decode(bytes, NOW - 1)).toThrow(new SetFormatError("from the future"));
      expect(counters(sets)).toEqual([0, 0, 0]);
      // Nor has its slot become the newest.
      expect(sets.countAll(sets.add(0, 1, NOW - 300))).toBe(1);
      expect(sets.countAll(sets.decode(bytes, NOW))).toBe(from.countAll(from.decode(bytes)));
    }
  });
});

describe("sets beside each other", () => {
  it("DIST-26: many sets in one object are each what they would be in one of their own", () => {
    // Slots from 0: every stamp and every length comes, so that a read past a set's end finds something that counts.
    const slot = fc.nat({ max: 180 });
    const list = fc.record({
      seed: fc.nat(),
      size: fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 60 }) }, fc.integer({ min: 250, max: 700 })),
      slots: fc.array(slot, { minLength: 1, maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(list, { minLength: 2, maxLength: 6 }), slot, slot, (lists, since, until) => {
        const together = new Distincts({ cells: 64 });
        const sets = lists.map(() => 0);
        const alone = lists.map(() => new Distincts({ cells: 64 }));
        const aloneSets = lists.map(() => 0);
        for (const each of [together, ...alone]) each.free(each.add(0, 0, 180));
        const nexts = lists.map(({ seed }) => randomHashes(seed));
        let differ = 0;
        // In turns, so that growing sets take each other's old places.
        for (let turn = 0; turn < 700; turn++) {
          for (const [i, { size, slots }] of lists.entries()) {
            if (turn >= size) continue;
            const [hash, at] = [nexts[i]!(), slots[turn % slots.length]!];
            sets[i] = together.add(sets[i]!, hash, at);
            aloneSets[i] = alone[i]!.add(aloneSets[i]!, hash, at);
            if (together.fresh !== alone[i]!.fresh) differ++;
          }
        }
        expect(differ).toBe(0);
        const seen = (owner: Distincts, set: number) => [
          hex(owner.encode(set)),
          owner.count(set, since, until),
          owner.countAll(set),
          owner.bytesOf(set),
        ];
        for (const [i, owner] of alone.entries())
          expect(seen(together, sets[i]!)).toEqual(seen(owner, aloneSets[i]!));
        for (const [i, owner] of alone.entries()) {
          sets[i] = together.expire(sets[i]!, since);
          aloneSets[i] = owner.expire(aloneSets[i]!, since);
        }
        for (const [i, owner] of alone.entries())
          expect(seen(together, sets[i]!)).toEqual(seen(owner, aloneSets[i]!));
        expect(together.usedBytes).toBe(alone.reduce((sum, owner) => sum + owner.usedBytes, 0));
      }),
      { numRuns: runs(40) },
    );
  });
});
