/** The containers that windows are made of, each against a Map or an array that does the same slowly. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/sketch/arena.ts";
import { KeyIndex } from "../../src/window/key-index.ts";
import { Records } from "../../src/window/records.ts";
import { SeriesStore } from "../../src/window/series.ts";
import { SignalTable } from "../../src/window/signals.ts";
import {
  addLanes,
  addTally,
  countLanes,
  countWide,
  FACTS,
  LANE_WORDS,
  overruns,
  REQS,
  SHOWS_NEW_IP,
  SHOWS_NEW_PATH,
  SHOWS_NEW_UA,
  subtractTally,
  TALLY_WIDTH,
} from "../../src/window/tally.ts";
import { FLAGS_MASK } from "../../src/wire/flags.ts";
import { GLOBAL_SIGNALS } from "../../src/wire/signal-names.ts";
import { runs } from "../support/runs.ts";

const SHOWS = SHOWS_NEW_UA | SHOWS_NEW_PATH | SHOWS_NEW_IP;
const flagWord = fc.nat({ max: 0x3fffff }).map((word) => word & (FLAGS_MASK | SHOWS));

describe("tally", () => {
  it("WIN-6: lanes and wide columns count the same", () => {
    fc.assert(
      fc.property(fc.array(flagWord, { maxLength: 255 }), (words) => {
        const lanes = new Uint32Array(LANE_WORDS);
        const wide = new Uint32Array(TALLY_WIDTH);
        for (const flags of words) {
          countLanes(lanes, 0, flags);
          countWide(wide, flags);
        }
        const read = new Uint32Array(TALLY_WIDTH);
        addLanes(read, 0, lanes, 0);
        expect([...read]).toEqual([...wide]);
        expect(wide[REQS]).toBe(words.length);
        for (let column = FACTS; column < TALLY_WIDTH; column++)
          expect(wide[column]).toBeLessThanOrEqual(words.length);
      }),
    );
  });

  it("WIN-6: words of lanes overrun exactly when a byte does", () => {
    const word = fc.array(fc.nat({ max: 255 }), { minLength: 4, maxLength: 4 });
    const joined = (bytes: number[]) => new Uint32Array(Uint8Array.from(bytes).buffer)[0]!;
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(overruns(joined(a), joined(b))).toBe(a.some((byte, i) => byte + b[i]! > 255));
      }),
      { numRuns: runs(3_000) },
    );
  });

  it("WIN-6: what is added can be taken out again", () => {
    const row = fc.array(fc.nat({ max: 1_000_000 }), { minLength: TALLY_WIDTH, maxLength: TALLY_WIDTH });
    fc.assert(
      fc.property(row, row, (a, b) => {
        const sum = Uint32Array.from(a);
        addTally(sum, 0, Uint32Array.from(b), 0);
        expect([...sum]).toEqual(a.map((value, i) => value + b[i]!));
        subtractTally(sum, 0, Uint32Array.from(b), 0);
        expect([...sum]).toEqual(a);
      }),
    );
  });
});

describe("records", () => {
  it("WIN-11: indices are given out once at a time, zeroed, and again after their release", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 300 }), (steps) => {
        const records = new Records(3, 2);
        const held = new Map<number, number>();
        let stamp = 1;
        for (const step of steps) {
          if (step < 6 || held.size === 0) {
            const index = records.alloc();
            expect(held.has(index)).toBe(false);
            const [page, at] = [records.page(index), records.at(index)];
            expect([...page.subarray(at, at + 3)]).toEqual([0, 0, 0]);
            page.fill(stamp, at, at + 3);
            held.set(index, stamp++);
          } else {
            const index = [...held.keys()][step % held.size]!;
            records.release(index);
            held.delete(index);
          }
          expect(records.size).toBe(held.size);
          for (const [index, value] of held) {
            const [page, at] = [records.page(index), records.at(index)];
            expect([...page.subarray(at, at + 3)]).toEqual([value, value, value]);
            expect(index).toBeLessThan(records.end);
          }
        }
      }),
    );
  });
});

describe("key index", () => {
  it("WIN-12: finds what was put in and nothing else, although hashes collide", () => {
    // 2³² in few steps, so that homes and tags collide; ids are found by their key.
    const hash = fc.nat({ max: 12 }).map((n) => (n * 0x15555555 + (n % 3)) >>> 0);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), hash, fc.nat({ max: 5 })), { maxLength: 400 }), (steps) => {
        const keyOf = new Map<number, { hash: number; key: number }>();
        const index = new KeyIndex(
          (id) => keyOf.get(id)!.hash,
          (id, keys, at) => keyOf.get(id)!.key === keys[at],
        );
        const ids = new Map<string, number>();
        let next = 3;
        for (const [add, hashed, key] of steps) {
          const name = `${hashed} ${key}`;
          const words = Uint32Array.of(0, key);
          expect(index.find(hashed, words, 1)).toBe(ids.get(name) ?? -1);
          if (add && !ids.has(name)) {
            keyOf.set(next, { hash: hashed, key });
            index.add(next, hashed);
            ids.set(name, next++);
          } else if (!add && ids.has(name)) {
            const id = ids.get(name)!;
            index.remove(id);
            ids.delete(name);
          }
        }
        for (const [name, id] of ids) {
          const [hashed, key] = name.split(" ").map(Number) as [number, number];
          expect(index.find(hashed, Uint32Array.of(key), 0)).toBe(id);
        }
      }),
    );
  });

  it("WIN-12: grows and shrinks with what it holds", () => {
    const index = new KeyIndex(
      (id) => Math.imul(id, 0x9e3779b1) >>> 0,
      (id, keys, at) => keys[at] === id,
    );
    const spread = (id: number) => Math.imul(id, 0x9e3779b1) >>> 0;
    for (let id = 1; id <= 5_000; id++) index.add(id, spread(id));
    expect(index.byteLength).toBeLessThan(5_000 * 4 * 1.5);
    for (let id = 1; id <= 5_000; id++) expect(index.find(spread(id), Uint32Array.of(id), 0)).toBe(id);
    for (let id = 1; id <= 4_990; id++) index.remove(id);
    expect(index.byteLength).toBeLessThan(1_000);
    for (let id = 4_991; id <= 5_000; id++) expect(index.find(spread(id), Uint32Array.of(id), 0)).toBe(id);
    expect(index.find(spread(4_990), Uint32Array.of(4_990), 0)).toBe(-1);
  });
});

describe("signals", () => {
  it("WIN-13: the newest signals of every fingerprint, and none of those that left", () => {
    const step = fc.tuple(fc.constantFrom("set", "set", "remove"), fc.nat({ max: 60 }), fc.nat({ max: 9 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new SignalTable();
        const held = new Map<number, { at: number; value: number }>();
        steps.forEach(([what, id, at], i) => {
          if (what === "remove") {
            table.remove(id);
            held.delete(id);
          } else {
            const values = new Float64Array(2 * GLOBAL_SIGNALS.length).fill(i + 0.5, GLOBAL_SIGNALS.length);
            table.set(id, at, values, GLOBAL_SIGNALS.length);
            if (at >= (held.get(id)?.at ?? 0)) held.set(id, { at, value: i + 0.5 });
          }
        });
        for (let id = 0; id <= 60; id++) {
          const found = table.get(id);
          expect(found?.seenAtMs).toBe(held.get(id)?.at);
          if (found !== undefined)
            expect([...found.values]).toEqual(GLOBAL_SIGNALS.map(() => held.get(id)!.value));
        }
      }),
    );
  });
});

describe("series", () => {
  const BASE = 357_913_941;
  const observation = fc.record({
    time: fc.integer({ min: BASE, max: BASE + 70 }),
    flags: flagWord,
    times: fc.constantFrom(1, 1, 1, 40, 200),
    column: fc.option(fc.tuple(fc.integer({ min: FACTS, max: TALLY_WIDTH - 1 }), fc.nat({ max: 400 }))),
  });

  it("WIN-14: rows in any order add up as in a Map, narrow or wide, and leave when they are old", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(observation, { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: BASE - 2, max: BASE + 72 }),
        (many, from) => {
          const arena = new Arena(8);
          const store = new SeriesStore(arena);
          const oracle = new Map<number, Uint32Array>();
          const rowOf = (time: number) => {
            const row = oracle.get(time) ?? new Uint32Array(TALLY_WIDTH);
            oracle.set(time, row);
            return row;
          };
          const handles = many.map((all) => {
            let series = 0;
            for (const { time, flags, times, column } of all) {
              const lanes = new Uint32Array(LANE_WORDS);
              for (let i = 0; i < times; i++) {
                countLanes(lanes, 0, flags);
                countWide(rowOf(time), flags);
              }
              series = store.addLanes(series, time, lanes, 0);
              if (column !== null) {
                series = store.addColumn(series, time, column[0], column[1]);
                rowOf(time)[column[0]]! += column[1];
              }
            }
            return series;
          });
          const merged = handles.slice(1).reduce((into, other) => store.merge(into, other), handles[0]!);
          const times = [...oracle.keys()].sort((a, b) => a - b);
          expect(store.rows(merged)).toBe(times.length);
          times.forEach((time, i) => {
            const row = new Uint32Array(TALLY_WIDTH);
            expect(store.addRowTo(merged, time, row)).toBe(true);
            expect([...row]).toEqual([...oracle.get(time)!]);
            expect(store.timeAt(merged, i, BASE + 35)).toBe(time);
            expect(store.reqsAt(merged, i)).toBe(oracle.get(time)![REQS]);
          });
          const sumOf = (wanted: (time: number) => boolean) => {
            const sum = new Uint32Array(TALLY_WIDTH);
            for (const time of times) if (wanted(time)) addTally(sum, 0, oracle.get(time)!, 0);
            return [...sum];
          };
          const sum = new Uint32Array(TALLY_WIDTH);
          store.sum(merged, from, sum);
          expect([...sum]).toEqual(sumOf((time) => time >= from));
          expect(store.sumReqs(merged, from)).toBe(sum[REQS]);
          const gone = new Uint32Array(TALLY_WIDTH);
          const kept = store.trim(merged, from, gone);
          expect([...gone]).toEqual(sumOf((time) => time < from));
          expect(store.rows(kept)).toBe(times.filter((time) => time >= from).length);
          expect(store.addRowTo(kept, from - 1, gone)).toBe(false);
          store.release(kept);
          for (const other of handles.slice(1)) store.release(other);
          expect(arena.usedBytes).toBe(0);
        },
      ),
    );
  });
});
