/** Series and the tallies of fingerprints in full, at the edges of their forms. */
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/sketch/arena.ts";
import { SeriesStore } from "../../src/window/series.ts";
import {
  countLanes,
  countWide,
  FACTS,
  LANE_WORDS,
  NEW_IPS,
  NEW_UAS,
  REQS,
  SHOWS_NEW_IP,
  SHOWS_NEW_UA,
  TALLY_WIDTH,
} from "../../src/window/tally.ts";
import { Tracked } from "../../src/window/tracked.ts";
import { factBits, RATIOS } from "../../src/wire/flags.ts";

const ALL = RATIOS.reduce((bits, ratio) => bits | factBits(ratio, true), 0);
const TIME = 357_913_941;

function lanesOf(flags: number, times: number): Uint32Array {
  // Not at the front of their array, and with neighbours that are not theirs.
  const lanes = new Uint32Array(LANE_WORDS + 4).fill(0xffffffff);
  lanes.fill(0, 2, 2 + LANE_WORDS);
  for (let i = 0; i < times; i++) countLanes(lanes, 2, flags);
  return lanes;
}

function wideOf(flags: number, times: number): number[] {
  const tally = new Uint32Array(TALLY_WIDTH);
  for (let i = 0; i < times; i++) countWide(tally, flags);
  return [...tally];
}

function world() {
  const arena = new Arena(8);
  const store = new SeriesStore(arena);
  const rowOf = (series: number, time: number) => {
    const tally = new Uint32Array(TALLY_WIDTH);
    return store.addRowTo(series, time, tally) ? [...tally] : undefined;
  };
  const ofTimes = (times: readonly number[], flags = 0) =>
    times.reduce((series, time) => store.addLanes(series, time, lanesOf(flags, 1), 2), 0);
  const timesOf = (series: number) =>
    Array.from({ length: store.rows(series) }, (_, i) => store.timeAt(series, i, TIME));
  return { arena, store, rowOf, ofTimes, timesOf, words: () => arena.usedBytes / 4 };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => TIME + i);

describe("series", () => {
  it("WIN-16: a series has room for 2 rows, 4, 8 … up to 255 of them", () => {
    for (const [rows, room] of [
      [1, 2],
      [2, 2],
      [3, 4],
      [4, 4],
      [5, 8],
      [9, 16],
      [128, 128],
      [129, 255],
      [255, 255],
    ] as const) {
      const { ofTimes, store, words, timesOf } = world();
      const series = ofTimes(upTo(rows));
      expect([rows, words()]).toEqual([rows, 1 + room * 5]);
      expect(timesOf(series)).toEqual(upTo(rows));
      store.release(series);
      expect(words()).toBe(0);
    }
  });

  it("WIN-16: it gives room back when a quarter of it is enough, half at a time, and all when nothing is left", () => {
    const { store, ofTimes, words, timesOf, rowOf } = world();
    const gone = new Uint32Array(TALLY_WIDTH);
    let series = ofTimes(upTo(9));
    series = store.trim(series, TIME + 4, gone);
    expect([words(), timesOf(series).length, gone[REQS]]).toEqual([81, 5, 4]);
    series = store.trim(series, TIME + 5, gone);
    expect([words(), timesOf(series)]).toEqual([41, upTo(9).slice(5)]);
    series = store.trim(series, TIME + 8, gone);
    expect([words(), timesOf(series)]).toEqual([21, [TIME + 8]]);
    // Nothing to drop: nothing moves, although a quarter would do.
    expect(store.trim(series, TIME + 8, gone)).toBe(series);
    expect([words(), gone[REQS]]).toEqual([21, 8]);
    // A row that is put where others were is empty at first.
    series = store.addLanes(series, TIME + 20, lanesOf(ALL, 1), 2);
    expect(rowOf(series, TIME + 20)).toEqual(wideOf(ALL, 1));
    expect(store.trim(series, TIME + 21, gone)).toBe(0);
    expect([words(), gone[REQS]]).toEqual([0, 10]);
    expect(store.trim(0, TIME, gone)).toBe(0);
  });

  it("WIN-16: it turns wide with the 256th request of a row, and not before", () => {
    const { store, rowOf, words } = world();
    let series = store.addLanes(0, TIME, lanesOf(ALL, 255), 2);
    series = store.addLanes(series, TIME + 1, lanesOf(ALL, 3), 2);
    expect([words(), rowOf(series, TIME)]).toEqual([11, wideOf(ALL, 255)]);
    series = store.addLanes(series, TIME, lanesOf(factBits("bot", false), 1), 2);
    expect(words()).toBe(37);
    const sum = wideOf(ALL, 255).map((count, column) => count + wideOf(factBits("bot", false), 1)[column]!);
    expect([rowOf(series, TIME), rowOf(series, TIME + 1)]).toEqual([sum, wideOf(ALL, 3)]);
    expect([store.reqsAt(series, 0), store.reqsAt(series, 1)]).toEqual([256, 3]);
    expect([store.sumReqs(series, TIME), store.sumReqs(series, TIME + 1)]).toEqual([259, 3]);
    series = store.addLanes(series, TIME + 2, lanesOf(ALL, 2), 2);
    expect([words(), rowOf(series, TIME + 2)]).toEqual([1 + 4 * 18, wideOf(ALL, 2)]);
    expect([rowOf(series, TIME - 1), rowOf(series, TIME + 3)]).toEqual([undefined, undefined]);
  });

  it.each([REQS, FACTS, 5, 9, 13, NEW_UAS, NEW_IPS])(
    "WIN-16: column %i alone turns it wide, by lumps or by requests",
    (column) => {
      for (const [held, more, room] of [
        [200, 55, 5],
        [200, 56, 18],
      ] as const) {
        const lumps = world();
        let series = lumps.store.addColumn(0, TIME, column, held);
        series = lumps.store.addColumn(series, TIME + 1, column, 1);
        series = lumps.store.addColumn(series, TIME, column, more);
        expect([lumps.words(), lumps.rowOf(series, TIME)![column]]).toEqual([1 + 2 * room, held + more]);
        expect(lumps.rowOf(series, TIME)!.reduce((sum, count) => sum + count)).toBe(held + more);
        expect(lumps.rowOf(series, TIME + 1)![column]).toBe(1);

        const flags = ALL | SHOWS_NEW_UA | SHOWS_NEW_IP;
        const requests = world();
        series = requests.store.addColumn(0, TIME, column, held);
        series = requests.store.addLanes(series, TIME, lanesOf(flags, more), 2);
        const columns = wideOf(flags, more);
        columns[column]! += held;
        expect(requests.rowOf(series, TIME)).toEqual(columns);
        const counted = columns[column]! - held;
        expect(requests.words()).toBe(1 + 2 * (counted === 0 ? 5 : room));
      }
    },
  );

  it("WIN-14: requests are summed without the columns beside them, narrow or wide", () => {
    const { store } = world();
    const flags = ALL | SHOWS_NEW_IP;
    let series = store.addLanes(0, TIME, lanesOf(flags, 7), 2);
    series = store.addLanes(series, TIME + 1, lanesOf(flags, 9), 2);
    expect([store.reqsAt(series, 0), store.reqsAt(series, 1), store.sumReqs(series, TIME)]).toEqual([
      7, 9, 16,
    ]);
    expect([store.sumReqs(0, TIME), store.rows(0)]).toEqual([0, 0]);
    series = store.addColumn(series, TIME, REQS, 1_000);
    expect([store.reqsAt(series, 0), store.sumReqs(series, TIME), store.sumReqs(series, TIME + 1)]).toEqual([
      1_007, 1_016, 9,
    ]);
  });

  it("WIN-14: what comes late is put in its place, and numbers of stretches may wrap", () => {
    const wrap = 2 ** 24 * 3;
    const { store, rowOf } = world();
    let series = 0;
    for (const [time, times] of [
      [wrap + 1, 1],
      [wrap - 2, 2],
      [wrap, 3],
      [wrap - 1, 4],
      [wrap + 1, 10],
    ] as const)
      series = store.addLanes(series, time, lanesOf(0, times), 2);
    expect(store.rows(series)).toBe(4);
    for (const near of [wrap - 2, wrap, wrap + 1, wrap + 2 ** 23 - 3, wrap - 2 ** 23 + 2])
      expect(Array.from({ length: 4 }, (_, i) => store.timeAt(series, i, near))).toEqual([
        wrap - 2,
        wrap - 1,
        wrap,
        wrap + 1,
      ]);
    expect([-2, -1, 0, 1].map((time) => rowOf(series, wrap + time)?.[REQS])).toEqual([2, 4, 3, 11]);
    expect([-3, 2].map((time) => rowOf(series, wrap + time))).toEqual([undefined, undefined]);
    expect([-3, -2, -1, 0, 1, 2].map((time) => store.sumReqs(series, wrap + time))).toEqual([
      20, 20, 18, 14, 11, 0,
    ]);
    const gap = world();
    const apart = gap.ofTimes([TIME, TIME + 2]);
    expect([gap.rowOf(apart, TIME + 1), gap.rowOf(apart, TIME)?.[REQS]]).toEqual([undefined, 1]);
  });

  it("WIN-14: merging adds rows of one stretch, narrow to wide and wide to narrow", () => {
    for (const [a, b] of [
      [3, 4],
      [300, 4],
      [4, 300],
      [300, 300],
      [200, 100],
    ] as const) {
      const { store, rowOf } = world();
      const flags = ALL | SHOWS_NEW_IP | SHOWS_NEW_UA;
      const make = (time: number, times: number) => {
        let series = 0;
        for (let left = times; left > 0; left -= 250)
          series = store.addLanes(series, time, lanesOf(flags, Math.min(250, left)), 2);
        return series;
      };
      let one = make(TIME, a);
      const other = store.addLanes(make(TIME, b), TIME + 5, lanesOf(flags, 2), 2);
      one = store.merge(one, other);
      expect([store.rows(one), rowOf(one, TIME), rowOf(one, TIME + 5)]).toEqual([
        2,
        wideOf(flags, a + b),
        wideOf(flags, 2),
      ]);
      expect(rowOf(other, TIME)).toEqual(wideOf(flags, b));
      expect(store.merge(one, 0)).toBe(one);
      expect(rowOf(store.merge(0, other), TIME + 5)).toEqual(wideOf(flags, 2));
    }
  });
});

describe("tallies in full", () => {
  const SLOT = 12 * 30_000_000;
  const minuteOf = (slot: number) => Math.floor(slot / 12);
  const rowOf = (tracked: Tracked, series: number, time: number) => {
    const tally = new Uint32Array(TALLY_WIDTH);
    tracked.series.addRowTo(series, time, tally);
    return [...tally];
  };
  const zeros = wideOf(0, 0);

  it("WIN-17: what is in an inbox shows after settling, in slot, minute and hour", () => {
    const tracked = new Tracked();
    tracked.advance(SLOT);
    const one = tracked.add();
    const two = tracked.add();
    expect([tracked.size, tracked.byteLength]).toEqual([2, 256 * 39 * 4 + 4 * 16 * 4]);
    const held = new Map<string, { flags: number; times: number }>();
    // Slots in turn, back within the inboxes, and so late that an inbox is another slot's.
    for (const [index, slot, flags, times] of [
      [one, SLOT, ALL, 300],
      [two, SLOT, SHOWS_NEW_IP, 2],
      [one, SLOT + 3, 0, 255],
      [one, SLOT + 2, ALL, 256],
      [two, SLOT + 6, ALL, 3],
      [one, SLOT + 7, SHOWS_NEW_UA, 5],
      [two, SLOT + 1, SHOWS_NEW_UA, 4],
      [two, SLOT + 2, ALL, 1],
      [one, SLOT + 4, ALL, 600],
    ] as const) {
      for (let i = 0; i < times; i++) tracked.count(index, slot, flags);
      held.set(`${index} ${slot}`, { flags, times });
    }
    expect([tracked.hourReqs(one) + tracked.hourReqs(two)]).not.toEqual([0]);
    tracked.settle();
    tracked.settle();
    for (const index of [one, two]) {
      const hour = [...zeros];
      for (let slot = SLOT; slot < SLOT + 8; slot++) {
        const { flags, times } = held.get(`${index} ${slot}`) ?? { flags: 0, times: 0 };
        const row = wideOf(flags, times);
        expect([slot, rowOf(tracked, tracked.slots(index), slot)]).toEqual([slot, row]);
        row.forEach((count, column) => {
          hour[column]! += count;
        });
      }
      expect([...tracked.hour(index)]).toEqual(hour);
      expect(tracked.hourReqs(index)).toBe(hour[REQS]);
      expect(rowOf(tracked, tracked.minutes(index), minuteOf(SLOT))).toEqual(hour);
    }
  });

  it("WIN-17: a slot that is in no short window counts in its minute only", () => {
    const tracked = new Tracked();
    const index = tracked.add();
    tracked.advance(SLOT);
    tracked.count(index, SLOT + 8, 0);
    for (const slot of [SLOT - 1, SLOT, SLOT - 13]) tracked.count(index, slot, 0);
    tracked.addColumn(index, SLOT - 1, NEW_IPS, 40);
    tracked.addColumn(index, SLOT, NEW_IPS, 3);
    tracked.settle();
    expect(tracked.series.rows(tracked.slots(index))).toBe(2);
    expect(rowOf(tracked, tracked.slots(index), SLOT)[NEW_IPS]).toBe(3);
    expect(
      [-2, -1, 0].map((ago) => rowOf(tracked, tracked.minutes(index), minuteOf(SLOT) + ago)[REQS]),
    ).toEqual([1, 1, 2]);
    expect(
      [-2, -1, 0].map((ago) => rowOf(tracked, tracked.minutes(index), minuteOf(SLOT) + ago)[NEW_IPS]),
    ).toEqual([0, 40, 3]);
    expect([tracked.hour(index)[REQS], tracked.hour(index)[NEW_IPS]]).toEqual([4, 43]);
  });

  it("WIN-17: expired minutes leave the hour, slots leave by the clock", () => {
    const tracked = new Tracked();
    const index = tracked.add();
    const other = tracked.add();
    tracked.count(other, SLOT, 0);
    for (let minute = 0; minute < 5; minute++)
      for (let i = 0; i <= minute; i++) tracked.count(index, SLOT + 12 * minute, ALL);
    tracked.settle();
    tracked.advance(SLOT + 12 * 4);
    tracked.expire(index, minuteOf(SLOT) + 2);
    expect([...tracked.hour(index)]).toEqual(wideOf(ALL, 3 + 4 + 5));
    expect([tracked.series.rows(tracked.slots(index)), tracked.series.rows(tracked.minutes(index))]).toEqual([
      1, 3,
    ]);
    tracked.expire(index, minuteOf(SLOT) + 5);
    expect([...tracked.hour(index)]).toEqual(zeros);
    expect(tracked.minutes(index)).toBe(0);
    expect([...tracked.hour(other)]).toEqual(wideOf(0, 1));
  });

  it("WIN-17: slots that nobody expires are dropped before they fill a series", () => {
    const tracked = new Tracked();
    const index = tracked.add();
    for (let slot = SLOT; slot < SLOT + 400; slot++) {
      tracked.advance(slot - 59);
      tracked.count(index, slot, 0);
      tracked.settle();
      // 60 in the window, and what came since the last were dropped.
      expect(tracked.series.rows(tracked.slots(index))).toBeLessThanOrEqual(62);
    }
    expect(tracked.series.sumReqs(tracked.slots(index), SLOT + 340)).toBe(60);
    expect(tracked.hourReqs(index)).toBe(400);
    // The 62nd row is still taken as it is.
    const few = new Tracked();
    const one = few.add();
    few.advance(SLOT);
    for (let slot = SLOT; slot < SLOT + 61; slot++) few.count(one, slot, 0);
    few.advance(SLOT + 5);
    few.count(one, SLOT + 61, 0);
    few.settle();
    expect(few.series.rows(few.slots(one))).toBe(62);
    few.count(one, SLOT + 62, 0);
    few.settle();
    expect(few.series.rows(few.slots(one))).toBe(58);
  });

  it("WIN-17: what one had becomes another's, and a record that is gone leaves nothing", () => {
    const tracked = new Tracked();
    const [one, two] = [tracked.add(), tracked.add()];
    for (let i = 0; i < 300; i++) tracked.count(one, SLOT + (i % 3), ALL);
    for (let i = 0; i < 5; i++) tracked.count(two, SLOT + 2 + i, SHOWS_NEW_IP);
    tracked.settle();
    tracked.absorb(one, two);
    const both = wideOf(ALL, 300).map((count, column) => count + wideOf(SHOWS_NEW_IP, 5)[column]!);
    expect([...tracked.hour(one)]).toEqual(both);
    expect(rowOf(tracked, tracked.minutes(one), minuteOf(SLOT))).toEqual(both);
    expect(tracked.series.sumReqs(tracked.slots(one), SLOT + 2)).toBe(100 + 5);
    expect([...tracked.hour(two)]).toEqual(wideOf(SHOWS_NEW_IP, 5));
    tracked.remove(two);
    expect(tracked.size).toBe(1);
    tracked.remove(one);
    expect([tracked.size, tracked.usedSeriesBytes]).toEqual([0, 0]);
    expect([...tracked.hour(tracked.add())]).toEqual(zeros);
  });

  it("WIN-17: any number of records may be under way; packing keeps all of them", () => {
    const tracked = new Tracked();
    const indices = Array.from({ length: 100 }, () => tracked.add());
    for (let round = 0; round < 2; round++)
      for (const index of indices)
        for (let i = 0; i <= index; i++) tracked.count(index, SLOT + 20 * round, 0);
    // Both slots have the same inbox.
    expect(tracked.byteLength).toBe(256 * 39 * 4 + (128 + 3 * 16) * 4);
    tracked.settle();
    for (const index of indices) if (index % 10 !== 0) tracked.remove(index);
    const before = tracked.seriesBytes;
    tracked.compact(0.5);
    expect(tracked.seriesBytes).toBeLessThan(before);
    const packed = tracked.seriesBytes;
    tracked.compact(0.5);
    expect(tracked.seriesBytes).toBe(packed);
    for (let index = 0; index < 100; index += 10) {
      expect(tracked.hourReqs(index)).toBe(2 * (index + 1));
      expect(tracked.series.sumReqs(tracked.slots(index), SLOT)).toBe(2 * (index + 1));
      expect(tracked.series.sumReqs(tracked.minutes(index), minuteOf(SLOT) + 1)).toBe(index + 1);
    }
  });
});
