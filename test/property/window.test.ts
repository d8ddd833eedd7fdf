/** The window against an exact oracle that keeps every observation and recounts from scratch. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { STAMP_MS, WINDOWS, type WindowName } from "../../src/config.ts";
import { sortCall } from "../../src/ingest/sort-call.ts";
import { TakenFrames } from "../../src/ingest/taken-frames.ts";
import { windowNumbers } from "../../src/window/snapshot.ts";
import { minuteOf, windowFrom } from "../../src/window/time.ts";
import { Window } from "../../src/window/window.ts";
import { factBits } from "../../src/wire/flags.ts";
import { decodeFrame, encodeFrame, FRAME_ID_BYTES } from "../../src/wire/frame.ts";
import { FEW_RUNS, runs } from "../support/runs.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const START = Date.parse("2026-11-23T12:00:00Z");
const HOUR = 3_600_000;
const SEED = 0x5eed;
/** The first is met so often that it is kept in full, the last so seldom that it stays rows. */
const JA4S = [ja4Of(0xa), ja4Of(0xa), ja4Of(0xa), ja4Of(0xa), ja4Of(0xb), ja4Of(0xc)];
const NAMES = [...new Set(JA4S)];
const FACTS = [0, factBits("error", true), factBits("error", false), factBits("cache", true)];

interface Arrived extends Observed {
  facts: number;
}

const DISTINCTS = ["ips", "uas", "paths", "hosts", "asns"] as const;
const FIELDS = { ips: "ip", uas: "ua", paths: "path", hosts: "host", asns: "asn" } as const;

/** What the window should say, recounted from everything that ever came in time. */
function expected(all: readonly Arrived[], ja4: string, name: WindowName, asOf: number) {
  const from = windowFrom(name, asOf);
  const mine = all.filter((one) => one.ja4 === ja4 && one.at <= asOf);
  const inside = mine.filter(({ at }) => at > from);
  const numbers: Record<string, unknown> = { from: new Date(from).toISOString(), reqs: inside.length };
  if (inside.length === 0) return numbers;
  const setsFrom = Math.floor(from / STAMP_MS) * STAMP_MS;
  for (const distinct of DISTINCTS) {
    const field = FIELDS[distinct];
    const values = new Set(mine.flatMap((one) => (one.at > setsFrom ? (one[field] ?? []) : [])));
    if (values.size > 0) numbers[distinct] = values.size;
  }
  for (const [fact, ratio] of [
    ["error", "error_ratio"],
    ["cache", "cache_ratio"],
  ] as const) {
    const known = inside.filter(({ facts }) => (facts & factBits(fact, false)) !== 0);
    const yes = known.filter(({ facts }) => (facts & factBits(fact, true)) === factBits(fact, true));
    if (known.length > 0) numbers[ratio] = yes.length / known.length;
  }
  return numbers;
}

const value = (max: number) => fc.option(fc.integer({ min: 0, max }), { nil: undefined });
/** `at` is relative to the clock at which it arrives: ahead, in time, late, and late beyond the hour. */
const seen = (ahead: number): fc.Arbitrary<Arrived> =>
  fc
    .record({
      at: fc.oneof(
        fc.integer({ min: -HOUR - 120_000, max: ahead }),
        fc.integer({ min: -30_000, max: ahead }),
      ),
      ja4: fc.constantFrom(...JA4S),
      facts: fc.constantFrom(...FACTS),
      ip: value(200),
      ua: value(12),
      path: value(40),
      host: value(2),
      asn: value(5),
    })
    .map(
      (one) =>
        Object.fromEntries(Object.entries(one).filter(([, v]) => v !== undefined)) as unknown as Arrived,
    );

const steps = fc.array(
  fc.record({
    wait: fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 3 * HOUR })),
    batch: fc.array(seen(60_000), { maxLength: 60 }),
  }),
  { minLength: 1, maxLength: 12 },
);

function arrive(batch: readonly Arrived[], now: number): Arrived[] {
  return batch.map((one) => ({ ...one, at: now + one.at }));
}

/** All numbers of all windows; fingerprints that are not there have none. */
function numbersOf(window: Window): unknown[] {
  return NAMES.map((ja4) => {
    const id = window.fingerprints.id(ja4);
    return id === undefined ? [] : WINDOWS.map((name) => windowNumbers(window, id, name));
  });
}

describe("window", () => {
  it("WIN-1: counts, ratios and distinct counts equal a recount, with late, future and unordered data", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const window = new Window(SEED);
        const all: Arrived[] = [];
        let now = START;
        let late = 0;
        for (const { wait, batch } of script) {
          now += wait;
          const arrived = arrive(batch, now);
          window.apply(frameOf(arrived), now);
          // What was ahead when it came was in time, even if the clock then jumped over its hour.
          late += arrived.filter(({ at }) => at <= windowFrom("1h", now)).length;
          all.push(...arrived.filter(({ at }) => at > windowFrom("1h", now)));
        }
        for (const later of [0, 4_999, 61_000, 300_001, HOUR]) {
          const asOf = now + later;
          window.advance(asOf);
          let reqs = 0;
          for (const ja4 of NAMES) {
            const id = window.fingerprints.id(ja4);
            for (const name of WINDOWS) {
              const want = expected(all, ja4, name, asOf);
              if (id === undefined) expect(want.reqs).toBe(0);
              else {
                expect(windowNumbers(window, id, name)).toEqual(want);
                expect(window.reqs(id, name)).toBe(want.reqs);
              }
              if (name === "1h") reqs += want.reqs as number;
            }
            if (id === undefined) continue;
            const times = all.filter((one) => one.ja4 === ja4 && one.at <= asOf).map(({ at }) => at);
            expect(window.fingerprints.lastSeenMs(id)).toBe(Math.max(...times));
            for (const minute of [minuteOf(asOf), minuteOf(asOf) - 1, minuteOf(asOf) - 30]) {
              const held = times.filter(
                (at) => minuteOf(at) === minute && at > windowFrom("1h", asOf),
              ).length;
              expect(window.minute(id, minute)?.[0] ?? 0).toBe(held);
              expect(window.minuteReqs(id, minute)).toBe(held);
            }
          }
          expect(window.total("1h").all[0]).toBe(reqs);
        }
        expect(window.takeDropped()).toEqual({ late, future: 0, overflow: 0 });
      }),
      { numRuns: runs(300) },
    );
  });

  it("WIN-2: the order of frames, and how rows are spread over them, does not matter", () => {
    fc.assert(
      fc.property(fc.array(seen(0), { minLength: 1, maxLength: 120 }), fc.nat(), (batch, cut) => {
        const arrived = arrive(batch, START);
        const at = cut % arrived.length;
        const [one, two] = [new Window(SEED), new Window(SEED + 1)];
        one.apply(frameOf(arrived), START);
        two.apply(frameOf(arrived.slice(at).reverse()), START);
        two.apply(frameOf(arrived.slice(0, at)), START);
        expect(numbersOf(two)).toEqual(numbersOf(one));
      }),
      { numRuns: runs(100) },
    );
  });

  it("WIN-3: shifted by whole minutes the numbers are the same", () => {
    fc.assert(
      fc.property(
        fc.array(seen(0), { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 1, max: 500_000 }),
        (batch, minutes) => {
          const numbers = (shift: number) => {
            const window = new Window(SEED);
            window.apply(frameOf(arrive(batch, START + shift)), START + shift);
            return NAMES.map((ja4) => {
              const id = window.fingerprints.id(ja4);
              return id === undefined
                ? []
                : WINDOWS.map((name) => ({ ...windowNumbers(window, id, name), from: "" }));
            });
          };
          expect(numbers(minutes * 60_000)).toEqual(numbers(0));
        },
      ),
      { numRuns: runs(100) },
    );
  });

  it("WIN-7: everything twice doubles counts and leaves ratios and distinct counts", () => {
    fc.assert(
      fc.property(fc.array(seen(0), { minLength: 1, maxLength: 80 }), (batch) => {
        const frame = frameOf(arrive(batch, START));
        const [once, twice] = [new Window(SEED), new Window(SEED)];
        once.apply(frame, START);
        twice.apply(frame, START);
        twice.apply(frame, START);
        for (const ja4 of NAMES) {
          const [a, b] = [once.fingerprints.id(ja4), twice.fingerprints.id(ja4)];
          expect(a === undefined).toBe(b === undefined);
          if (a === undefined || b === undefined) continue;
          for (const name of WINDOWS) {
            const numbers = windowNumbers(once, a, name);
            expect(windowNumbers(twice, b, name)).toEqual({ ...numbers, reqs: numbers.reqs * 2 });
          }
        }
      }),
      { numRuns: runs(100) },
    );
  });

  it("WIN-21: frames that come again, in other calls and another order, count once", () => {
    const calls = fc.array(fc.array(fc.nat({ max: 11 }), { maxLength: 6 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(fc.array(seen(0), { maxLength: 20 }), { minLength: 12, maxLength: 12 }),
        calls,
        (batches, order) => {
          const frames = batches.map((batch, i) => {
            const frame = {
              ...frameOf(arrive(batch, START)),
              id: new Uint8Array(FRAME_ID_BYTES).fill(i + 1),
            };
            return encodeFrame(frame);
          });
          const [window, once] = [new Window(SEED), new Window(SEED)];
          const ids = new TakenFrames();
          let duplicate = 0;
          for (const call of order) {
            const sorted = sortCall(
              call.map((i) => frames[i]!),
              { age: (id) => ids.age(id), queued: () => undefined },
            );
            if (typeof sorted === "string") throw new Error(sorted);
            duplicate += sorted.duplicate;
            for (const { frame } of sorted.frames) {
              ids.take(frame.id, 1);
              window.apply(frame, START);
            }
          }
          const sent = order.flat();
          const unique = [...new Set(sent)];
          for (const i of unique) once.apply(decodeFrame(frames[i]!), START);
          expect(numbersOf(window)).toEqual(numbersOf(once));
          const rowsOf = (list: readonly number[]) => list.reduce((sum, i) => sum + batches[i]!.length, 0);
          expect(duplicate).toBe(rowsOf(sent) - rowsOf(unique));
          expect(window.total("1h").all[0]! + window.takeDropped().late).toBe(rowsOf(unique));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("WIN-4: what comes too late is counted as late, what is ahead waits, and nothing else is lost", () => {
    const window = new Window(SEED);
    const one = (at: number): Observed => ({ at: START + at, ja4: JA4S[0]!, ip: 1, ua: 1 });
    window.apply(frameOf([one(-HOUR - 61_000), one(0), one(30_000)]), START);
    const id = window.fingerprints.id(JA4S[0]!)!;
    expect(window.takeDropped()).toEqual({ late: 1, future: 0, overflow: 0 });
    expect(windowNumbers(window, id, "1m").reqs).toBe(1);
    window.advance(START + 29_999);
    expect(windowNumbers(window, id, "1m").reqs).toBe(1);
    expect(window.memory().pending).toBeGreaterThan(0);
    window.advance(START + 30_000);
    expect(windowNumbers(window, id, "1m").reqs).toBe(2);
    expect(window.memory().pending).toBe(0);
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 0 });
  });

  it("WIN-5: after an hour and a minute without requests nothing is held any more, and an id is used again", () => {
    const window = new Window(SEED);
    const many = Array.from(
      { length: 40 },
      (_, i): Observed => ({ at: START, ja4: ja4Of(1), ip: i, ua: 1, signal: 0.5 }),
    );
    window.apply(frameOf([...many, { at: START, ja4: ja4Of(2), ip: 1 }]), START);
    const ids = [window.fingerprints.id(ja4Of(1)), window.fingerprints.id(ja4Of(2))];
    expect(window.signals(ids[0]!)?.values[0]).toBe(0.5);
    expect([window.isEmpty, window.fingerprints.size]).toEqual([false, 2]);
    window.advance(START + HOUR + 60_001);
    expect([window.isEmpty, window.fingerprints.size]).toEqual([true, 0]);
    const later = START + 2 * HOUR;
    window.apply(frameOf([{ at: later, ja4: ja4Of(3), ip: 1 }]), later);
    const id = window.fingerprints.id(ja4Of(3))!;
    expect(ids).toContain(id);
    expect(windowNumbers(window, id, "1h")).toMatchObject({ reqs: 1, ips: 1 });
    expect(window.signals(id)).toBeUndefined();
    expect(window.fingerprints.firstSeenMs(id)).toBe(later);
  });

  it("WIN-15: a fingerprint that stays is counted right for days, over pauses of any length", () => {
    const window = new Window(SEED);
    let now = START;
    const all: Arrived[] = [];
    for (let i = 0; i < (FEW_RUNS ? 110 : 400); i++) {
      // From a second to three quarters of an hour; every fiftieth longer than an hour, after which it is new.
      now += i % 50 === 49 ? 2 * HOUR : 1_000 + ((i * 7_919) % 2_700) * 1_000;
      const batch = Array.from({ length: 1 + (i % 5) }, (_, k): Arrived => {
        return { at: now - k * 9_000, ja4: ja4Of(0xa), facts: 0, ip: i % 97, ua: k };
      });
      window.apply(frameOf(batch), now);
      all.push(...batch);
      const id = window.fingerprints.id(ja4Of(0xa))!;
      for (const name of WINDOWS)
        expect(windowNumbers(window, id, name)).toEqual(expected(all, ja4Of(0xa), name, now));
    }
  });
});
