/** The window against an exact oracle that keeps every observation and recounts from scratch. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WINDOWS } from "../../src/config.ts";
import { windowNumbers } from "../../src/window/snapshot.ts";
import { windowFrom } from "../../src/window/time.ts";
import { Window } from "../../src/window/window.ts";
import { factBits, HAS_IP, HAS_PATH, HAS_UA, RATIOS } from "../../src/wire/flags.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";

const START = Date.parse("2026-11-23T12:00:00Z");
const HOUR = 3_600_000;
const JA4S = ["a", "b", "c"].map((end) => `t13d1516h2_8daaf6152771_02713d6af86${end}`);

interface Seen {
  at: number;
  ja4: string;
  fact: boolean | undefined;
  ip: number | undefined;
  ua: number;
}

function rowOf({ at, ja4, fact, ip, ua }: Seen): Row {
  return {
    timestampMs: at,
    ja4,
    flags: factBits("error", fact) | (ip === undefined ? 0 : HAS_IP) | HAS_UA | HAS_PATH,
    ipHash: ip ?? 0,
    uaHash: ua,
    pathHash: ua * 31,
    hostHash: 0,
    asnNumber: 0,
    signals: undefined,
    path: undefined,
    host: undefined,
    method: undefined,
    status: undefined,
    asn: undefined,
    rayId: undefined,
  };
}

function frameOf(seen: readonly Seen[]): Frame {
  const builder = new FrameBuilder();
  for (const each of seen) builder.add(rowOf(each));
  return decodeFrame(encodeFrame(builder.build(new Uint8Array(16), "observations", NO_COUNTERS)));
}

/** What the window should say, recounted from everything that ever came in time. */
function expected(all: readonly Seen[], ja4: string, name: (typeof WINDOWS)[number], asOf: number) {
  const from = windowFrom(name, asOf);
  const inside = all.filter((one) => one.ja4 === ja4 && one.at > from && one.at <= asOf);
  const numbers: Record<string, unknown> = { from: new Date(from).toISOString(), reqs: inside.length };
  if (inside.length === 0) return numbers;
  const ips = new Set(inside.flatMap(({ ip }) => ip ?? []));
  if (ips.size > 0) numbers.ips = ips.size;
  numbers.uas = new Set(inside.map(({ ua }) => ua)).size;
  numbers.paths = numbers.uas;
  const known = inside.filter(({ fact }) => fact !== undefined);
  if (known.length > 0) numbers.error_ratio = known.filter(({ fact }) => fact).length / known.length;
  return numbers;
}

const seen = (spread: number): fc.Arbitrary<Seen> =>
  fc.record({
    // Relative to the clock at which it arrives; the shard also sees what is ahead, and late beyond the hour.
    at: fc.integer({ min: -HOUR - 120_000, max: spread }),
    ja4: fc.constantFrom(...JA4S),
    fact: fc.constantFrom(true, false, undefined),
    ip: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
    ua: fc.integer({ min: 0, max: 12 }),
  });

const steps = fc.array(
  fc.record({ wait: fc.integer({ min: 0, max: 900_000 }), batch: fc.array(seen(60_000), { maxLength: 60 }) }),
  { minLength: 1, maxLength: 12 },
);

describe("window", () => {
  it("WIN-1: counts, ratios and distinct counts equal a recount, with late, future and unordered data", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const window = new Window();
        const all: Seen[] = [];
        let now = START;
        for (const { wait, batch } of script) {
          now += wait;
          const arrived = batch.map((one) => ({ ...one, at: now + one.at }));
          window.apply(frameOf(arrived), now);
          all.push(...arrived.filter(({ at }) => at > windowFrom("1h", now)));
        }
        for (const later of [0, 4_999, 61_000, 300_001, HOUR]) {
          window.advance(now + later);
          for (const ja4 of JA4S) {
            const id = window.fingerprints.id(ja4);
            for (const name of WINDOWS) {
              const want = expected(all, ja4, name, now + later);
              if (id === undefined) expect(want.reqs).toBe(0);
              else expect(windowNumbers(window, id, name)).toEqual(want);
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("WIN-2: the order of frames, and how rows are spread over them, does not matter", () => {
    fc.assert(
      fc.property(fc.array(seen(0), { minLength: 1, maxLength: 80 }), fc.nat(), (batch, cut) => {
        const arrived = batch.map((one) => ({ ...one, at: START + one.at }));
        const at = cut % arrived.length;
        const [one, two] = [new Window(), new Window()];
        one.apply(frameOf(arrived), START);
        two.apply(frameOf(arrived.slice(at).reverse()), START);
        two.apply(frameOf(arrived.slice(0, at)), START);
        for (const ja4 of JA4S) {
          const [a, b] = [one.fingerprints.id(ja4), two.fingerprints.id(ja4)];
          expect(a === undefined).toBe(b === undefined);
          if (a === undefined || b === undefined) continue;
          for (const name of WINDOWS)
            expect(windowNumbers(one, a, name)).toEqual(windowNumbers(two, b, name));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("WIN-3: shifted by whole minutes the numbers are the same", () => {
    fc.assert(
      fc.property(
        fc.array(seen(0), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 500_000 }),
        (batch, minutes) => {
          const numbers = (shift: number) => {
            const window = new Window();
            window.apply(
              frameOf(batch.map((one) => ({ ...one, at: START + shift + one.at }))),
              START + shift,
            );
            return JA4S.map((ja4) => {
              const id = window.fingerprints.id(ja4);
              return id === undefined
                ? []
                : WINDOWS.map((name) => ({ ...windowNumbers(window, id, name), from: "" }));
            });
          };
          expect(numbers(minutes * 60_000)).toEqual(numbers(0));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("WIN-4: what comes too late is counted as late, what is ahead waits, and nothing else is lost", () => {
    const window = new Window();
    const one = (at: number): Seen => ({ at: START + at, ja4: JA4S[0]!, fact: true, ip: 1, ua: 1 });
    window.apply(frameOf([one(-HOUR - 61_000), one(0), one(30_000)]), START);
    const id = window.fingerprints.id(JA4S[0]!)!;
    expect(window.late).toBe(1);
    expect(windowNumbers(window, id, "1m").reqs).toBe(1);
    window.advance(START + 29_999);
    expect(windowNumbers(window, id, "1m").reqs).toBe(1);
    window.advance(START + 30_000);
    expect(windowNumbers(window, id, "1m").reqs).toBe(2);
  });

  it("WIN-5: after an hour and a minute without requests nothing is held any more, and an id is used again", () => {
    const window = new Window();
    window.apply(frameOf([{ at: START, ja4: JA4S[0]!, fact: true, ip: 1, ua: 1 }]), START);
    const first = window.fingerprints.id(JA4S[0]!);
    const before = window.bytes;
    window.advance(START + HOUR + 60_001);
    expect([window.isEmpty, window.fingerprints.size]).toEqual([true, 0]);
    expect(window.bytes).toBeLessThan(before);
    window.apply(
      frameOf([{ at: START + 2 * HOUR, ja4: JA4S[1]!, fact: true, ip: 1, ua: 1 }]),
      START + 2 * HOUR,
    );
    expect(window.fingerprints.id(JA4S[1]!)).toBe(first);
    expect(windowNumbers(window, first!, "1h")).toMatchObject({ reqs: 1, ips: 1 });
  });

  it("WIN-6: a pane keeps every row while its table grows", () => {
    const window = new Window();
    const batch = Array.from(
      { length: 300 },
      (_, i): Seen => ({
        at: START - 1,
        ja4: `t13d1516h2_8daaf6152771_${i.toString(16).padStart(12, "0")}`,
        fact: true,
        ip: i,
        ua: i,
      }),
    );
    window.apply(frameOf(batch), START);
    expect(RATIOS.length).toBe(6);
    for (const { ja4 } of batch) {
      const id = window.fingerprints.id(ja4)!;
      for (const name of WINDOWS)
        expect(windowNumbers(window, id, name)).toMatchObject({ reqs: 1, error_ratio: 1 });
    }
    expect(window.total("1m")).toMatchObject({ fingerprints: 300, withoutJa4: 0, overflow: 0 });
  });
});
