/** The tables of a window by themselves: fingerprints, rows, index, signals; and what happens past their limits. */
import { describe, expect, it } from "vitest";
import { DOOR_SIGHTINGS, FAMILIES_BEYOND_MAX, WINDOWS } from "../../src/config.ts";
import { familyName } from "../../src/window/families.ts";
import { FIRST_ID, Fingerprints } from "../../src/window/fingerprints.ts";
import { KeyIndex } from "../../src/window/key-index.ts";
import { Rows } from "../../src/window/rows.ts";
import { SignalTable } from "../../src/window/signals.ts";
import {
  NEW_IPS,
  REQS,
  SHOWS_NEW_IP,
  SHOWS_NEW_PATH,
  SHOWS_NEW_UA,
  TALLY_WIDTH,
} from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";
import { HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA } from "../../src/wire/flags.ts";
import { KEY_WORDS, packKey } from "../../src/wire/key.ts";
import { mixed } from "../support/hashes.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");

function keyOf(ja4: string, at = 0): Uint32Array {
  const words = new Uint32Array(at + KEY_WORDS);
  expect(packKey(ja4, words, at)).toBe(true);
  return words;
}

/** Adds a fingerprint with one row. */
function added(fingerprints: Fingerprints, ja4: string, ms: number): number {
  const key = keyOf(ja4);
  const id = fingerprints.add(fingerprints.hashOf(key, 0), key, 0, ms);
  fingerprints.setRows(id, 1, 1);
  return id;
}

describe("fingerprints", () => {
  it("WIN-18: a fingerprint is found by every word of its key", () => {
    const fingerprints = new Fingerprints(7);
    const ja4 = "q13d1516zy_8daaf6152771_02713d6af862";
    const key = keyOf(ja4, 2);
    const hash = fingerprints.hashOf(key, 2);
    const id = fingerprints.add(hash, key, 2, NOON);
    expect([id, fingerprints.size, fingerprints.idEnd]).toEqual([FIRST_ID, 1, FIRST_ID + 1]);
    expect(fingerprints.find(hash, key, 2)).toBe(id);
    for (let word = 0; word < KEY_WORDS; word++) {
      const other = key.slice();
      other[2 + word]! ^= 2;
      expect([word, fingerprints.find(hash, other, 2)]).toEqual([word, -1]);
    }
    expect(fingerprints.isLive(id)).toBe(false);
    fingerprints.setRows(id, 5, 3);
    expect([fingerprints.rows(id), fingerprints.link(id), fingerprints.isInFull(id)]).toEqual([3, 5, false]);
    // A tag is the key's alone.
    expect(fingerprints.tag(id)).toBe(hash);
    fingerprints.setInFull(id, (1 << 22) - 1);
    expect([fingerprints.rows(id), fingerprints.link(id), fingerprints.isInFull(id)]).toEqual([
      0,
      (1 << 22) - 1,
      true,
    ]);
    expect([fingerprints.tag(id), fingerprints.ja4(id), fingerprints.id(ja4)]).toEqual([hash, ja4, id]);
    expect([...fingerprints.ids()]).toEqual([id]);
    expect([fingerprints.isLive(id), fingerprints.isLive(id + 1)]).toEqual([true, false]);
    expect([fingerprints.byteLength, fingerprints.indexByteLength]).toEqual([1_024 * 7 * 4, 64 * 4]);
    fingerprints.remove(id);
    expect([fingerprints.size, fingerprints.id(ja4), fingerprints.isLive(id)]).toEqual([0, undefined, false]);
  });

  it("WIN-18: no fingerprint is not the one whose key is zeros but for its mark", () => {
    const fingerprints = new Fingerprints(7);
    const zeros = "t00d000000_000000000000_000000000000";
    const id = added(fingerprints, zeros, NOON);
    expect([fingerprints.id(zeros), fingerprints.id(""), fingerprints.id("t13d")]).toEqual([
      id,
      undefined,
      undefined,
    ]);
    expect(fingerprints.id(ja4Of(1))).toBeUndefined();
  });

  it("WIN-18: keys hash as Murmur3 mixes and finishes them, by the seed", () => {
    const mask = 0xffffffffn;
    const rotated = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask;
    const murmur = (words: readonly number[], seed: number) => {
      let hash = BigInt(seed);
      for (const word of words) {
        const k = (rotated((BigInt(word) * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
        hash = (rotated(hash ^ k, 13n) * 5n + 0xe6546b64n) & mask;
      }
      hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
      hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
      return Number(hash ^ (hash >> 16n));
    };
    for (const seed of [0, 7, 0xffffffff])
      for (const ja4 of ["t13d1516zy_8daaf6152771_02713d6af862", "x0123456789abcdef01234567"]) {
        const key = keyOf(ja4, 1);
        expect(new Fingerprints(seed).hashOf(key, 1)).toBe(murmur([...key.slice(1, 5), key[5]! >>> 1], seed));
      }
  });

  it("WIN-18: first and last request are kept whatever their order, and while the origin of times moves", () => {
    const fingerprints = new Fingerprints(7);
    fingerprints.moveOrigin(NOON);
    const id = added(fingerprints, ja4Of(1), NOON);
    const old = added(fingerprints, ja4Of(2), NOON - 2 ** 27 - 1_000);
    const timesOf = (of: number) => [fingerprints.firstSeenMs(of) - NOON, fingerprints.lastSeenMs(of) - NOON];
    expect(timesOf(id)).toEqual([0, 0]);
    fingerprints.seen(id, NOON + 5);
    expect(timesOf(id)).toEqual([0, 5]);
    fingerprints.seen(id, NOON - 7);
    fingerprints.seen(id, NOON + 1);
    expect(timesOf(id)).toEqual([-7, 5]);
    const gone = added(fingerprints, ja4Of(3), NOON);
    fingerprints.remove(gone);
    // Two words of 32 bits of ms are 49 days; half of them, less a day and a half, before and after.
    const move = NOON + 2 ** 31 - 2 ** 27;
    fingerprints.moveOrigin(move - 1);
    fingerprints.seen(old, move - 1);
    expect(timesOf(old)).toEqual([-(2 ** 27) - 1_000, move - 1 - NOON]);
    fingerprints.moveOrigin(move);
    expect(timesOf(id)).toEqual([-7, 5]);
    expect(timesOf(old)).toEqual([-(2 ** 27), move - 1 - NOON]);
    expect([...fingerprints.ids()]).toEqual([id, old]);
    fingerprints.seen(id, move + 3);
    expect(timesOf(id)).toEqual([-7, move + 3 - NOON]);
  });
});

describe("rows", () => {
  const FLAGS = [HAS_IP, HAS_UA, HAS_PATH, HAS_HOST, HAS_ASN];
  const columnsOf = (values: readonly number[]) => values.map((value) => Uint32Array.of(0, value));

  it("WIN-19: a row is what was put in, with what the hour had not seen", () => {
    const rows = new Rows();
    const now = 400_000_000;
    rows.advance(now);
    const all = FLAGS.reduce((bits, flag) => bits | flag, 0);
    const first = rows.push(0, now - 1_023, all | 3, columnsOf([1, 2, 3, 4, 5]), 1);
    expect([rows.slot(first), rows.next(first), rows.size]).toEqual([now - 1_023, 0, 1]);
    expect(rows.flags(first)).toBe(all | 3 | SHOWS_NEW_IP | SHOWS_NEW_UA | SHOWS_NEW_PATH);
    expect(FLAGS.map((_, identity) => rows.identity(first, identity))).toEqual([1, 2, 3, 4, 5]);
    const second = rows.push(first, now, all, columnsOf([1, 7, 3, 4, 5]), 1);
    expect([rows.flags(second) & ~all, rows.next(second), rows.slot(second)]).toEqual([
      SHOWS_NEW_UA,
      first,
      now,
    ]);
    // A value under a flag that is not set is none, before and now.
    const third = rows.push(second, now - 4, HAS_PATH, columnsOf([9, 9, 9, 9, 9]), 1);
    expect(rows.flags(third)).toBe(HAS_PATH | SHOWS_NEW_PATH);
    const fourth = rows.push(third, now - 2, HAS_IP | HAS_UA, columnsOf([9, 2, 3, 0, 0]), 1);
    expect(rows.flags(fourth)).toBe(HAS_IP | HAS_UA | SHOWS_NEW_IP);
    expect(FLAGS.map((_, identity) => rows.distinct(fourth, identity, 0))).toEqual([2, 2, 2, 1, 1]);
    expect(FLAGS.map((_, identity) => rows.distinct(fourth, identity, now - 4))).toEqual([2, 2, 2, 1, 1]);
    expect(FLAGS.map((_, identity) => rows.distinct(fourth, identity, now - 3))).toEqual([2, 2, 1, 1, 1]);
    expect(FLAGS.map((_, identity) => rows.distinct(fourth, identity, now + 1))).toEqual([0, 0, 0, 0, 0]);
    const reqs = (from: number, end: number) => {
      const tally = new Uint32Array(TALLY_WIDTH);
      rows.sum(fourth, from, end, tally);
      return tally[REQS];
    };
    expect([reqs(0, now + 1), reqs(now - 2, now), reqs(now - 2, now + 1), reqs(now - 4, now - 2)]).toEqual([
      4, 1, 2, 1,
    ]);
    // The one in the middle and the last.
    const left = rows.expire(fourth, now - 3);
    expect([left, rows.left, rows.size, rows.next(left), rows.next(second)]).toEqual([
      fourth,
      2,
      2,
      second,
      0,
    ]);
    expect(rows.expire(left, now - 3)).toBe(left);
    const head = rows.expire(left, now - 1);
    expect([head, rows.left, rows.size]).toEqual([second, 1, 1]);
    expect([rows.expire(head, now + 1), rows.left, rows.size]).toEqual([0, 0, 0]);
  });

  it("WIN-19: chains over several pages are counted and freed whole", () => {
    const rows = new Rows();
    rows.advance(1_000_000);
    expect(rows.byteLength).toBe(0);
    let chain = 0;
    for (let i = 0; i < 1_100; i++)
      chain = rows.push(chain, 1_000_000 - (i & 1), HAS_IP, columnsOf([i >> 2, 0, 0, 0, 0]), 1);
    expect([rows.size, rows.byteLength]).toEqual([1_100, 2 * 1_024 * 7 * 4]);
    for (let i = 1_099, row = chain; i >= 0; i--, row = rows.next(row))
      expect([rows.identity(row, 0), rows.slot(row)]).toEqual([i >> 2, 1_000_000 - (i & 1)]);
    chain = rows.expire(chain, 1_000_000);
    expect([rows.left, rows.size]).toEqual([550, 550]);
    rows.release(chain);
    // With the last one all memory is given back.
    expect([rows.size, rows.byteLength]).toEqual([0, 0]);
    rows.release(0);
    expect(rows.size).toBe(0);
  });
});

describe("index and signals", () => {
  it("WIN-12: the index grows by a quarter past 85 % and shrinks by half below 25 %", () => {
    const hashOf = (id: number) => mixed(id);
    const index = new KeyIndex(hashOf, (id, keys, at) => keys[at] === id);
    const sizes: number[] = [];
    for (let id = 1; id <= 69; id++) {
      index.add(id, hashOf(id));
      sizes.push(index.byteLength / 4);
    }
    expect([sizes[53], sizes[54], sizes[67], sizes[68]]).toEqual([64, 80, 80, 100]);
    for (let id = 1; id <= 44; id++) index.remove(id);
    expect(index.byteLength / 4).toBe(100);
    index.remove(45);
    expect(index.byteLength / 4).toBe(64);
    for (let id = 1; id <= 69; id++)
      expect(index.find(hashOf(id), Uint32Array.of(id), 0)).toBe(id <= 45 ? -1 : id);
    for (let id = 46; id <= 69; id++) index.remove(id);
    expect(index.byteLength / 4).toBe(64);
  });

  it("WIN-13: the table of signals grows past three quarters, and uses records again", () => {
    const table = new SignalTable();
    const values = new Float64Array(10);
    expect([table.byteLength, table.get(5)]).toEqual([128, undefined]);
    table.remove(5);
    const sizes: number[] = [];
    for (let id = 1; id <= 300; id++) {
      table.set(id, id, values.fill(id), 0);
      sizes.push(table.byteLength);
    }
    const page = 256 * 11 * 8;
    expect([sizes[0], sizes[11], sizes[12], sizes[255], sizes[256]]).toEqual([
      128 + page,
      128 + page,
      256 + page,
      512 * 8 + page,
      512 * 8 + 2 * page,
    ]);
    for (let id = 1; id <= 300; id += 3) table.remove(id);
    table.remove(1);
    for (let id = 1; id <= 300; id++) {
      const found = table.get(id);
      expect([id, found?.seenAtMs, found?.values.length, found?.values[9]]).toEqual(
        id % 3 === 1 ? [id, undefined, undefined, undefined] : [id, id, 10, id],
      );
    }
    for (let id = 301; id <= 400; id++) table.set(id, id, values.fill(id), 0);
    expect(table.byteLength).toBe(sizes[299]);
    // Of the same time the later one counts, an older one does not.
    table.set(2, 2, values.fill(0.25), 0);
    table.set(3, 2, values.fill(0.5), 0);
    expect([table.get(2)!.values[0], table.get(3)!.values[0], table.get(400)!.values[0]]).toEqual([
      0.25, 3, 400,
    ]);
  });
});

describe("past the limits", () => {
  const many = (ja4: string, count: number, at = NOON): Observed[] =>
    Array.from({ length: count }, (_, i) => ({ at, ja4, ip: mixed(i + 1) }));
  const reqsOf = (window: Window, ja4: string) => {
    const id = window.fingerprints.id(ja4);
    return id === undefined ? undefined : window.reqs(id, "1h");
  };

  it("CAP-7: a shard cannot be told to hold more fingerprints than its index has room for", () => {
    expect(() => new Window(1, { fingerprints: 2 ** 20 - 16 })).toThrow("at most 1048559 fingerprints");
    expect(new Window(1, { fingerprints: 2 ** 20 - 17 }).isEmpty).toBe(true);
  });

  it("CAP-8: whoever leaves with many requests takes all of them to the overflow, window by window", () => {
    const window = new Window(1, { tracked: 5 });
    // Three indices are the shard's own, so two fingerprints fit in full.
    window.apply(
      frameOf([...many(ja4Of(1), 30, NOON - 1_800_000), ...many(ja4Of(1), 10, NOON - 120_000)]),
      NOON,
    );
    window.apply(frameOf(many(ja4Of(2), 50)), NOON);
    expect(window.pressure()).toEqual({ tracked: 5, evicted: 0, folded: 0, scores_lost: 0 });
    window.apply(frameOf(many(ja4Of(3), 60)), NOON);
    expect([1, 2, 3].map((n) => reqsOf(window, ja4Of(n)))).toEqual([undefined, 50, 60]);
    expect(WINDOWS.map((name) => window.total(name).overflow)).toEqual([0, 10, 40]);
    expect(WINDOWS.map((name) => window.total(name).fingerprints)).toEqual([2, 3, 3]);
    expect(WINDOWS.map((name) => window.total(name).all[REQS])).toEqual([110, 120, 150]);
    expect(
      window.families("c").map(({ family, ...row }) => ({ name: familyName("c", family), ...row })),
    ).toEqual([
      { name: "000000000003", reqs: 60, fingerprints: 1, newborn: 1 },
      { name: "000000000002", reqs: 50, fingerprints: 1, newborn: 1 },
      { name: "000000000001", reqs: 40, fingerprints: 1, newborn: 0 },
    ]);
    expect(window.families("a")).toMatchObject([{ reqs: 150, fingerprints: 3, newborn: 2 }]);
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 40 });
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 0 });
    expect(window.rankValues().others).toBe(1);
    // It comes back as a new one; what it had stays where it is until it leaves the hour.
    window.apply(frameOf(many(ja4Of(1), 2)), NOON + 1);
    expect([reqsOf(window, ja4Of(1)), window.total("1h").overflow]).toEqual([2, 40]);
    window.advance(NOON + 1_800_000 + 120_000);
    expect(window.total("1h").overflow).toBe(10);
    expect(window.families("c").map(({ reqs }) => reqs)).toEqual([60, 50, 12]);
    window.advance(NOON + 3_599_999);
    expect([window.total("1h").overflow, window.families("c").length, window.rankValues().others]).toEqual([
      0, 3, 0,
    ]);
  });

  it("CAP-8: whoever leaves with few takes them too, with their facts", () => {
    const window = new Window(1, { fingerprints: 1 });
    const errors = 3 << 10;
    window.apply(
      frameOf([
        { at: NOON - 400_000, ja4: ja4Of(1), ip: 1, facts: errors },
        { at: NOON - 10, ja4: ja4Of(1), ip: 2, facts: errors },
      ]),
      NOON,
    );
    const sightings = Array.from(
      { length: DOOR_SIGHTINGS },
      (): Observed => ({ at: NOON, ja4: ja4Of(2), ip: 1 }),
    );
    window.apply(frameOf(sightings), NOON);
    expect([reqsOf(window, ja4Of(1)), reqsOf(window, ja4Of(2))]).toEqual([undefined, 1]);
    expect(WINDOWS.map((name) => window.total(name).overflow)).toEqual([3, 3, 4]);
    const { all } = window.total("1h");
    expect([all[REQS], all[11], all[12], all[NEW_IPS]]).toEqual([5, 2, 2, 0]);
    expect(window.families("c").map(({ reqs, fingerprints }) => [reqs, fingerprints])).toEqual([
      [3, 2],
      [2, 1],
    ]);
  });

  it("CAP-9: the least active leaves, of equals the one not seen for longest", () => {
    const window = new Window(1, { fingerprints: 4 });
    for (const [n, times, ago] of [
      [1, 2, 50],
      [2, 1, 30],
      [3, 1, 40],
      [4, 1, 20],
    ] as const)
      window.apply(frameOf(many(ja4Of(n), times, NOON - ago)), NOON);
    const comes = (n: number) => window.apply(frameOf(many(ja4Of(n), DOOR_SIGHTINGS)), NOON);
    const held = () => [1, 2, 3, 4, 5, 6, 7].filter((n) => reqsOf(window, ja4Of(n)) !== undefined);
    comes(5);
    expect(held()).toEqual([1, 2, 4, 5]);
    comes(6);
    expect(held()).toEqual([1, 4, 5, 6]);
    window.apply(frameOf(many(ja4Of(5), 3)), NOON);
    window.apply(frameOf(many(ja4Of(6), 3)), NOON);
    comes(7);
    expect(held()).toEqual([1, 5, 6, 7]);
    expect(window.pressure().evicted).toBe(3);
  });

  it("CAP-10: families beyond capacity are bounded, their requests are not lost", () => {
    const window = new Window(1, { fingerprints: 1 });
    const all = Array.from(
      { length: FAMILIES_BEYOND_MAX + 20 },
      (_, n): Observed => ({ at: NOON, ja4: ja4Of(n + 1), ip: 1 }),
    );
    window.apply(frameOf([{ at: NOON, ja4: ja4Of(0), ip: 1 }, ...all]), NOON);
    expect(window.families("c")).toHaveLength(1 + FAMILIES_BEYOND_MAX);
    expect(window.families("b").map(({ reqs }) => reqs)).toEqual([FAMILIES_BEYOND_MAX + 21]);
    expect(window.total("1h").overflow).toBe(FAMILIES_BEYOND_MAX + 20);
    const { tracked } = window.pressure();
    expect(tracked).toBe(3 + FAMILIES_BEYOND_MAX + 2);
    const before = window.memory();
    expect(before.overflow).toBe(256 * 1024 + 40 * (FAMILIES_BEYOND_MAX + 2));
    window.advance(NOON + 3_700_000);
    expect([window.pressure().tracked, window.memory().overflow, window.isEmpty]).toEqual([
      3,
      256 * 1024,
      true,
    ]);
    expect(window.families("b")).toEqual([]);
  });

  it("CAP-6: sets get coarser first, the least active first, and then leave", () => {
    const limit = 60_000;
    const window = new Window(1, { arenaBytes: limit });
    let value = 0;
    for (let round = 0; round < 12; round++) {
      const batch = Array.from({ length: 1_500 }, (_, i): Observed => {
        // The first has half of all requests.
        return {
          at: NOON,
          ja4: ja4Of(i % 2 === 0 ? 1 : 2 + (i % 23)),
          ip: mixed(++value),
          path: mixed(-value),
        };
      });
      window.apply(frameOf(batch), NOON);
      const { fingerprints } = window;
      let apart = 0;
      for (const id of fingerprints.ids()) apart += window.reqs(id, "1h");
      expect(apart + window.total("1h").overflow).toBe(1_500 * (round + 1));
    }
    const { folded, evicted } = window.pressure();
    expect([folded > 0, evicted > 0, window.takeDropped().overflow > 0]).toEqual([true, true, true]);
    const busiest = window.fingerprints.id(ja4Of(1))!;
    expect(window.reqs(busiest, "1h")).toBe(9_000);
    for (const identity of [0, 2]) {
      expect(window.distinct(busiest, identity, "1h")! / 9_000).toBeGreaterThan(0.85);
      expect(window.distinct(busiest, identity, "1h")! / 9_000).toBeLessThan(1.15);
    }
  });

  it("CAP-7: what a window takes is told by part", () => {
    const window = new Window(1);
    const empty = window.memory();
    expect(Object.keys(empty).sort()).toEqual(
      [
        "fingerprints",
        "index",
        "overflow",
        "pending",
        "rows",
        "scores",
        "series",
        "sets",
        "signals",
        "tracked",
      ].sort(),
    );
    window.apply(
      frameOf([...many(ja4Of(1), 400), { at: NOON, ja4: ja4Of(2), signal: 0.5 }, { at: NOON + 5, ja4: "" }]),
      NOON,
    );
    const full = window.memory();
    for (const part of ["rows", "signals", "sets", "pending"])
      expect([part, full[part]! > empty[part]!]).toEqual([part, true]);
    for (const part of ["fingerprints", "index", "tracked", "series", "overflow"])
      expect([part, full[part]! > 0]).toEqual([part, true]);
  });
});
