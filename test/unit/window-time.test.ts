/** Where times fall, what ids and families are called, and the smallest parts of a window, each at its edges. */
import { describe, expect, it } from "vitest";
import { WINDOWS } from "../../src/config.ts";
import { FamilySums, familyName, familyOf } from "../../src/window/families.ts";
import { hashOf } from "../../src/window/identities.ts";
import { Pending } from "../../src/window/pending.ts";
import { Records } from "../../src/window/records.ts";
import { DISTINCTS, windowNumber, windowNumbers } from "../../src/window/snapshot.ts";
import {
  countLanes,
  countWide,
  FACTS,
  LANE_WORDS,
  NEW_IPS,
  NEW_PATHS,
  NEW_UAS,
  ratioOf,
  SHOWS_NEW_IP,
  SHOWS_NEW_PATH,
  SHOWS_NEW_UA,
  TALLY_WIDTH,
  WITHOUT_SIGNALS,
} from "../../src/window/tally.ts";
import {
  firstMinute,
  firstSlot,
  firstStamp,
  minuteOf,
  SLOTS_A_MINUTE,
  SLOTS_A_STAMP,
  slotOf,
  stampOf,
  windowFrom,
} from "../../src/window/time.ts";
import { Window } from "../../src/window/window.ts";
import { factBits, HAS_SIGNALS, RATIOS } from "../../src/wire/flags.ts";
import { KEY_WORDS, packKey } from "../../src/wire/key.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");

describe("times", () => {
  it("TIME-5: a slot, a stamp and a minute begin right after their edge and hold their end", () => {
    expect([SLOTS_A_MINUTE, SLOTS_A_STAMP]).toEqual([12, 4]);
    const slot = NOON / 5_000;
    expect([slotOf(NOON), slotOf(NOON + 1), slotOf(NOON + 5_000), slotOf(NOON + 5_001)]).toEqual([
      slot - 1,
      slot,
      slot,
      slot + 1,
    ]);
    const minute = NOON / 60_000;
    expect([minuteOf(NOON), minuteOf(NOON + 1), minuteOf(NOON + 60_000), minuteOf(NOON + 60_001)]).toEqual([
      minute - 1,
      minute,
      minute,
      minute + 1,
    ]);
    expect([stampOf(slot), stampOf(slot + 3), stampOf(slot + 4)]).toEqual([slot / 4, slot / 4, slot / 4 + 1]);
    expect([firstSlot(NOON), firstMinute(NOON), firstStamp(minute)]).toEqual([slot, minute, slot / 4]);
  });

  it("TIME-5: a window reaches back its length and up to its grain", () => {
    expect(WINDOWS.map((name) => NOON - windowFrom(name, NOON))).toEqual([60_000, 300_000, 3_600_000]);
    expect(WINDOWS.map((name) => NOON - windowFrom(name, NOON - 1))).toEqual([65_000, 305_000, 3_660_000]);
    expect(WINDOWS.map((name) => NOON - windowFrom(name, NOON + 4_999))).toEqual([
      60_000, 300_000, 3_600_000,
    ]);
  });
});

describe("tallies", () => {
  it("WIN-6: every fact, novelty and missing signal has its own column", () => {
    const columnsOf = (flags: number) => {
      const tally = new Uint32Array(TALLY_WIDTH);
      countWide(tally, flags);
      return [...tally].flatMap((count, column) => (count === 1 ? [column] : []));
    };
    expect([FACTS, WITHOUT_SIGNALS, NEW_UAS, NEW_PATHS, NEW_IPS, TALLY_WIDTH]).toEqual([
      1, 13, 14, 15, 16, 17,
    ]);
    expect(columnsOf(0)).toEqual([0, WITHOUT_SIGNALS]);
    expect(columnsOf(HAS_SIGNALS)).toEqual([0]);
    RATIOS.forEach((ratio, i) => {
      expect(columnsOf(HAS_SIGNALS | factBits(ratio, true))).toEqual([0, 1 + 2 * i, 2 + 2 * i]);
      expect(columnsOf(HAS_SIGNALS | factBits(ratio, false))).toEqual([0, 1 + 2 * i]);
    });
    expect(columnsOf(HAS_SIGNALS | SHOWS_NEW_UA)).toEqual([0, NEW_UAS]);
    expect(columnsOf(HAS_SIGNALS | SHOWS_NEW_PATH)).toEqual([0, NEW_PATHS]);
    expect(columnsOf(HAS_SIGNALS | SHOWS_NEW_IP)).toEqual([0, NEW_IPS]);
  });

  it("WIN-6: lanes are bytes, four columns a word, and 255 requests do not run over", () => {
    const lanes = new Uint32Array(LANE_WORDS + 2).fill(0xffffffff);
    lanes.fill(0, 1, 1 + LANE_WORDS);
    const all = RATIOS.reduce((bits, ratio) => bits | factBits(ratio, true), 0);
    for (let i = 0; i < 255; i++) countLanes(lanes, 1, all | SHOWS_NEW_UA | SHOWS_NEW_PATH | SHOWS_NEW_IP);
    expect([...lanes]).toEqual([...Array.from({ length: 5 }, () => 0xffffffff), 255, 0xffffffff]);
    lanes.fill(0);
    countLanes(lanes, 0, factBits("error", false));
    // Known is column 11, without signals column 13.
    expect([...lanes]).toEqual([1, 0, 1 << 24, 1 << 8, 0, 0, 0]);
  });

  it("WIN-6: a ratio is yes of known, and nothing where nothing is known", () => {
    const tally = new Uint32Array(2 * TALLY_WIDTH);
    tally.set([4, 3], TALLY_WIDTH + FACTS + 2 * 5);
    tally.set([2, 0], TALLY_WIDTH + FACTS);
    expect(RATIOS.map((_, i) => ratioOf(tally, TALLY_WIDTH, i))).toEqual([
      0,
      undefined,
      undefined,
      undefined,
      undefined,
      0.75,
    ]);
  });
});

describe("families", () => {
  const keyOf = (ja4: string, at = 0) => {
    const words = new Uint32Array(at + KEY_WORDS);
    expect(packKey(ja4, words, at)).toBe(true);
    return words;
  };

  it("CAP-2: a family is one part of a JA4, and is named after it", () => {
    for (const ja4 of [
      "t13d1516h2_8daaf6152771_02713d6af862",
      "qd9i0099zZ_00000000000f_ffffffffffff",
      "ts0d000000_000000000000_000000000001",
    ])
      for (const at of [0, 3]) {
        const words = keyOf(ja4, at);
        const parts = ja4.split("_");
        expect((["a", "b", "c"] as const).map((part) => familyName(part, familyOf(part, words, at)))).toEqual(
          parts,
        );
      }
    for (const ja4 of ["", "x0123456789abcdef01234567", `x${"f".repeat(24)}`])
      expect((["a", "b", "c"] as const).map((part) => familyOf(part, keyOf(ja4), 0))).toEqual([-1, -1, -1]);
  });

  it("CAP-2: families add up, most requests first, equal ones by number", () => {
    const sums = new FamilySums();
    sums.add(9, 5, 1, 0);
    sums.add(4, 2, 1, 1);
    sums.add(7, 3, 2, 1);
    sums.add(4, 3, 2, 3);
    expect(sums.rows()).toEqual([
      { family: 4, reqs: 5, fingerprints: 3, newborn: 4 },
      { family: 9, reqs: 5, fingerprints: 1, newborn: 0 },
      { family: 7, reqs: 3, fingerprints: 2, newborn: 1 },
    ]);
  });
});

describe("identities", () => {
  it("WIN-1: hashes stay what they are, AS numbers are spread without two becoming one", () => {
    for (let identity = 0; identity < 4; identity++) {
      expect(hashOf(identity, 5)).toBe(5);
      expect(hashOf(identity, 0xfffffff0)).toBe(-16);
    }
    // triple32's author gives no vectors; these are of the published C code.
    const spread = (n: number) => {
      let x = BigInt(n);
      const mask = 0xffffffffn;
      x = ((x ^ (x >> 17n)) * 0xed5ad4bbn) & mask;
      x = ((x ^ (x >> 11n)) * 0xac4c1b51n) & mask;
      x = ((x ^ (x >> 15n)) * 0x31848babn) & mask;
      return Number((x ^ (x >> 14n)) & mask);
    };
    for (const asn of [0, 1, 13_335, 64_500, 0x80000000, 0xffffffff])
      expect(hashOf(4, asn) >>> 0).toBe(spread(asn));
  });
});

describe("records and what waits", () => {
  it("WIN-11: bytes are those of whole pages, and a page begins after a page", () => {
    const records = new Records(3, 2);
    expect([records.byteLength, records.size, records.end]).toEqual([0, 0, 0]);
    for (let i = 0; i < 4; i++) expect(records.alloc()).toBe(i);
    expect(records.byteLength).toBe(48);
    expect(records.alloc()).toBe(4);
    expect([records.byteLength, records.size, records.end]).toEqual([96, 5, 5]);
    expect([records.at(3), records.at(4), records.page(3) === records.page(4)]).toEqual([9, 0, false]);
    records.page(4).fill(7);
    records.release(2);
    records.release(4);
    expect([...records.page(4)].slice(3)).toEqual(Array.from({ length: 9 }, () => 7));
    // The last released comes first.
    expect([records.alloc(), records.alloc(), records.alloc()]).toEqual([4, 2, 5]);
    expect([...records.page(4).subarray(0, 3)]).toEqual([0, 0, 0]);
  });

  it("WIN-4: what waits is given out once it is due, by its time, whoever brought it", () => {
    const pending = new Pending();
    const at = (...ahead: number[]) => frameOf(ahead.map((ms) => ({ at: NOON + ms, ja4: "" })));
    const [one, two] = [at(30, 10, 0, 99, 20), at(25, 20, 11)];
    expect([pending.isEmpty, pending.byteLength]).toEqual([true, 0]);
    // Rows 1 and 2 were counted or due before, row 3 was dropped.
    pending.add(one, NOON + 10, NOON + 60);
    pending.add(two, NOON, NOON + 60);
    pending.add(at(5, 70), NOON + 5, NOON + 60);
    expect([pending.isEmpty, pending.byteLength]).toEqual([false, (5 + 3) * 30]);
    expect(pending.due(NOON + 10)).toEqual([]);
    expect(pending.due(NOON + 20)).toEqual([
      { frame: two, rows: [2] },
      { frame: one, rows: [4] },
      { frame: two, rows: [1] },
    ]);
    expect([pending.due(NOON + 20), pending.isEmpty]).toEqual([[], false]);
    expect(pending.due(NOON + 29)).toEqual([{ frame: two, rows: [0] }]);
    expect(pending.byteLength).toBe(5 * 30);
    expect(pending.due(NOON + 1_000)).toEqual([{ frame: one, rows: [0] }]);
    expect([pending.isEmpty, pending.due(NOON + 2_000)]).toEqual([true, []]);
  });
});

describe("numbers of a window", () => {
  it("WIN-1: one number by its name is the one among all of them", () => {
    const window = new Window(1);
    const facts = factBits("error", true) | factBits("h2h3", false);
    const few: Observed[] = [1, 2, 3].map((n) => ({
      at: NOON - n,
      ja4: ja4Of(1),
      ip: n,
      path: n % 2,
      facts,
    }));
    window.apply(frameOf([...few, { at: NOON - 400_000, ja4: ja4Of(1), ua: 4 }]), NOON);
    const id = window.fingerprints.id(ja4Of(1))!;
    for (const name of WINDOWS) {
      const all: Record<string, unknown> = windowNumbers(window, id, name);
      for (const signal of [
        "reqs",
        ...DISTINCTS,
        ...RATIOS.map((ratio) => `${ratio}_ratio` as const),
      ] as const)
        expect([signal, windowNumber(window, id, name, signal)]).toEqual([signal, all[signal]]);
    }
    expect(windowNumbers(window, id, "5m")).toEqual({
      from: "2026-11-23T11:55:00.000Z",
      ...{ reqs: 3, ips: 3, paths: 2, error_ratio: 1, h2h3_ratio: 0 },
    });
    window.advance(NOON + 70_000);
    expect(windowNumbers(window, id, "1m")).toEqual({ from: "2026-11-23T12:00:10.000Z", reqs: 0 });
    expect(windowNumber(window, id, "1m", "reqs")).toBe(0);
    expect(windowNumber(window, id, "1m", "error_ratio")).toBeUndefined();
    expect(windowNumber(window, id, "1m", "ips")).toBeUndefined();
  });
});
