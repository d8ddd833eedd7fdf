/** A window as a whole, at the edges of what it takes and tells. */
import { describe, expect, it } from "vitest";
import { DOOR_AGE_MINUTES, FUTURE_MAX_MS, FUTURE_SLACK_MS, WINDOWS } from "../../src/config.ts";
import { REQS } from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";
import { mixed } from "../support/hashes.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");
const one = (n: number, ago: number, over: Partial<Observed> = {}): Observed => ({
  at: NOON - ago,
  ja4: ja4Of(n),
  ...over,
});
const windowOf = (...observed: readonly Observed[]) => {
  const window = new Window(9);
  window.apply(frameOf(observed), NOON);
  return window;
};

describe("a window", () => {
  it("WIN-20: the first data are the oldest ever counted, here or elsewhere", () => {
    const window = new Window(9);
    expect([window.firstDataMs, window.nowMs, window.isEmpty]).toEqual([0, 0, true]);
    window.noteFirstData(undefined);
    window.noteFirstData(0);
    expect(window.firstDataMs).toBe(0);
    // What is too late or ahead was not counted.
    window.apply(frameOf([one(1, 3_700_000), one(1, 50), one(1, 20), one(1, -5)]), NOON);
    expect([window.firstDataMs, window.nowMs, window.isEmpty]).toEqual([NOON - 50, NOON, false]);
    window.noteFirstData(NOON - 40);
    expect(window.firstDataMs).toBe(NOON - 50);
    window.noteFirstData(NOON - 60);
    expect(window.firstDataMs).toBe(NOON - 60);
  });

  it("WIN-20: the clock does not go back", () => {
    const window = windowOf(one(1, 0));
    window.advance(NOON - 60_000);
    expect(window.nowMs).toBe(NOON);
    window.apply(frameOf([one(1, 10)]), NOON - 60_000);
    const id = window.fingerprints.id(ja4Of(1))!;
    expect(WINDOWS.map((name) => window.reqs(id, name))).toEqual([2, 2, 2]);
  });

  it("WIN-20: what is exactly at a window's start is outside, a millisecond later inside", () => {
    const window = windowOf(
      one(1, 60_000),
      one(1, 59_999),
      one(2, 300_000),
      one(2, 299_999),
      one(3, 3_600_000),
      one(3, 3_599_999),
    );
    const reqs = [1, 2, 3].map((n) => {
      const id = window.fingerprints.id(ja4Of(n))!;
      return WINDOWS.map((name) => [window.reqs(id, name), window.tally(id, name)[REQS]]);
    });
    expect(reqs).toEqual([
      [
        [1, 1],
        [2, 2],
        [2, 2],
      ],
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      [
        [0, 0],
        [0, 0],
        [1, 1],
      ],
    ]);
    expect(WINDOWS.map((name) => window.total(name).fingerprints)).toEqual([1, 2, 3]);
    expect(WINDOWS.map((name) => window.total(name).all[REQS])).toEqual([1, 3, 5]);
    expect(window.takeDropped()).toEqual({ late: 1, future: 0, overflow: 0 });
    // In the order of slots, and at both ends of one.
    const edges = windowOf(
      one(4, 10_000),
      one(4, 9_999),
      one(4, 5_000),
      one(4, 4_999),
      one(4, 0),
      one(5, 5_000),
      one(5, 10_000),
    );
    const id = edges.fingerprints.id(ja4Of(4))!;
    edges.advance(NOON + 50_000);
    expect([id, edges.reqs(id, "1m")]).toEqual([id, 4]);
    edges.advance(NOON + 55_000);
    expect(edges.reqs(id, "1m")).toBe(2);
    expect(edges.reqs(edges.fingerprints.id(ja4Of(5))!, "1m")).toBe(0);
  });

  it("WIN-20: totals are of their own: asking for another window changes none", () => {
    const window = windowOf(
      one(1, 0),
      one(1, 100_000),
      one(2, 400_000),
      { at: NOON, ja4: "" },
      { at: NOON - 90_000, ja4: "" },
    );
    const hour = window.total("1h");
    const minute = window.total("1m");
    expect([hour.all[REQS], minute.all[REQS]]).toEqual([5, 2]);
    expect([hour.withoutJa4, minute.withoutJa4, hour.fingerprints, minute.fingerprints]).toEqual([
      2, 1, 2, 1,
    ]);
    const id = window.fingerprints.id(ja4Of(1))!;
    expect(window.minute(id, Math.floor((NOON - 1) / 60_000))?.[REQS]).toBe(1);
    expect(window.minute(id, Math.floor((NOON - 1) / 60_000) - 1)?.[REQS]).toBe(1);
    expect(window.minute(id, Math.floor((NOON - 1) / 60_000) - 2)).toBeUndefined();
  });

  it("WIN-20: ranks are told the hour's numbers of every fingerprint, few requests or many", () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      one(1, 10, { ip: mixed(i), ua: mixed(i % 7), path: mixed(i % 11) }),
    );
    const window = windowOf(
      ...many,
      one(2, 10, { ip: 1, path: 1 }),
      one(2, 20, { ip: 1, path: 2 }),
      one(3, 10, { ip: 1 }),
    );
    const gone = window.fingerprints.id(ja4Of(3))!;
    const values = window.rankValues();
    const of = (n: number) => {
      const id = window.fingerprints.id(ja4Of(n))!;
      expect(values.tags[id]).toBe(window.fingerprints.tag(id));
      return [values.reqs[id], values.ips[id], values.uas[id], values.paths[id]];
    };
    expect([of(1), of(2), of(3)]).toEqual([
      [40, 40, 7, 11],
      [2, 1, 0, 2],
      [1, 1, 0, 0],
    ]);
    expect([values.idEnd, values.others, values.reqs.length]).toEqual([gone + 1, 0, gone + 1]);
    expect([...values.reqs.subarray(0, 3)]).toEqual([0, 0, 0]);
    window.advance(NOON + 3_700_000);
    expect([...window.rankValues().reqs].every((reqs) => reqs === 0)).toBe(true);
    expect([...window.rankValues().tags].every((tag) => tag === 0)).toBe(true);
  });

  it("WIN-20: signals count when they were seen, not ahead of the clock, and for fingerprints only", () => {
    const window = windowOf(
      one(1, 5, { signal: 0.25 }),
      one(2, -5, { signal: 0.5 }),
      one(2, 7, {}),
      { at: NOON, ja4: "", signal: 0.75 },
      one(3, 0, { signal: 1 }),
    );
    const signalOf = (n: number) => window.signals(window.fingerprints.id(ja4Of(n))!)?.values[0];
    expect([signalOf(1), signalOf(2), signalOf(3)]).toEqual([0.25, undefined, 1]);
    expect([0, 1, 2].map((id) => window.signals(id))).toEqual([undefined, undefined, undefined]);
    window.advance(NOON + 5);
    expect([signalOf(1), signalOf(2)]).toEqual([0.25, 0.5]);
  });

  it("WIN-20: a frame of many fingerprints is counted whole, whatever came before", () => {
    const window = new Window(9);
    for (const count of [64, 65, 300, 3, 1_000]) {
      window.apply(frameOf(Array.from({ length: 2 * count }, (_, i) => one(1 + (i % count), i))), NOON);
    }
    const reqsOf = (n: number) => window.reqs(window.fingerprints.id(ja4Of(n))!, "1h");
    expect([1, 3, 4, 64, 65, 66, 300, 301, 1_000].map(reqsOf)).toEqual([10, 10, 8, 8, 6, 4, 4, 2, 2]);
    expect(window.total("1h").all[REQS]).toBe(2 * (64 + 65 + 300 + 3 + 1_000));
    // The longest frame there is.
    window.apply(frameOf(Array.from({ length: 4_000 }, (_, i) => one(1 + i, 0))), NOON);
    expect([reqsOf(1), reqsOf(1_001), reqsOf(4_000)]).toEqual([11, 1, 1]);
  });

  it("WIN-20: exactly sixteen requests are kept as rows; the numbers do not tell", () => {
    for (const count of [15, 16, 17, 18, 33]) {
      const window = windowOf(
        ...Array.from({ length: count }, (_, i) => one(1, i * 20_000, { ip: i, ua: i % 3 })),
      );
      const id = window.fingerprints.id(ja4Of(1))!;
      expect([count, window.fingerprints.isInFull(id)]).toEqual([count, count > 16]);
      expect(WINDOWS.map((name) => window.reqs(id, name))).toEqual([3, 15, count]);
      expect(WINDOWS.map((name) => window.distinct(id, 0, name))).toEqual([3, 15, count]);
      expect(window.distinct(id, 1, "1h")).toBe(3);
      expect([window.distinct(id, 2, "1h"), window.tally(id, "1h")[16], window.tally(id, "1h")[14]]).toEqual([
        undefined,
        count,
        3,
      ]);
    }
  });

  it("WIN-20: sightings at the door fade with the clock", () => {
    const window = new Window(9, { fingerprints: 1 });
    const comes = (n: number, now: number) => window.apply(frameOf([{ at: now, ja4: ja4Of(n) }]), now);
    const held = (n: number) => window.fingerprints.id(ja4Of(n)) !== undefined;
    const minute = Math.ceil(NOON / 60_000 / DOOR_AGE_MINUTES) * DOOR_AGE_MINUTES + 1;
    // A minute after an edge: two sightings, and the third before the next edge.
    const start = minute * 60_000;
    comes(1, start);
    comes(2, start + 1);
    comes(2, start + 2);
    for (let i = 1; i < DOOR_AGE_MINUTES - 1; i++) window.advance(start + i * 60_000);
    comes(1, start + 5 * 60_000);
    comes(2, start + (DOOR_AGE_MINUTES - 2) * 60_000);
    expect([held(1), held(2)]).toEqual([false, true]);
    comes(3, start + (DOOR_AGE_MINUTES - 2) * 60_000 + 1);
    comes(3, start + (DOOR_AGE_MINUTES - 2) * 60_000 + 2);
    for (let i = DOOR_AGE_MINUTES - 2; i <= DOOR_AGE_MINUTES + 1; i++) window.advance(start + i * 60_000);
    // Two sightings have become one.
    comes(3, start + (DOOR_AGE_MINUTES + 1) * 60_000 + 1);
    expect([held(2), held(3)]).toEqual([true, false]);
    comes(3, start + (DOOR_AGE_MINUTES + 1) * 60_000 + 2);
    expect([held(2), held(3)]).toEqual([false, true]);
  });

  it("WIN-22: what no right clock can have shown yet is future: counted as that, dropped, and never due", () => {
    const far = FUTURE_MAX_MS + FUTURE_SLACK_MS;
    const window = new Window(9);
    const ahead = (ms: number): Observed => ({ at: NOON + ms, ja4: ja4Of(1), ip: 1 });
    const mixed = frameOf([ahead(far), ahead(far + 1), ahead(0), ahead(-3_700_000), ahead(far + 3_600_000)]);
    expect(window.apply(mixed, NOON)).toBe(2);
    expect(window.takeDropped()).toEqual({ late: 1, future: 2, overflow: 0 });
    // A frame of nothing else does not wait.
    expect(window.apply(frameOf([ahead(far + 1)]), NOON)).toBe(0);
    expect(window.takeDropped()).toEqual({ late: 0, future: 1, overflow: 0 });
    const reqs = () => window.total("1h").all[REQS];
    const seen = [far - 1, far, far + 1, far + 60_000].map((ms) => {
      window.advance(NOON + ms);
      return [reqs(), window.memory().pending];
    });
    expect(seen.map(([count]) => count)).toEqual([1, 2, 2, 2]);
    expect(seen.map(([, pending]) => pending! > 0)).toEqual([true, false, false, false]);
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 0 });
    // By the window's clock, which does not go back.
    expect(window.apply(frameOf([ahead(2 * far + 59_000)]), NOON)).toBe(1);
  });

  it("WIN-22: what waited is never late, even when nobody looks before its hour is over", () => {
    const window = new Window(9);
    expect(window.apply(frameOf([{ at: NOON + 30_000, ja4: ja4Of(1) }]), NOON)).toBe(1);
    window.advance(NOON + 2 * 3_600_000);
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 0 });
    expect([window.isEmpty, window.fingerprints.size]).toEqual([true, 0]);
    expect(window.firstDataMs).toBe(NOON + 30_000);
  });
});
