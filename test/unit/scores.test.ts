/** Bot scores and detection ids: on the wire, in the window, and what of a request they are counted for. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedHash } from "../../src/base/hash.ts";
import { DETECTION_IDS_MAX, DETECTIONS_A_ROW_MAX, SCORES_MAX } from "../../src/config.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { CountTable } from "../../src/window/count-table.ts";
import { Scores } from "../../src/window/scores.ts";
import { windowFrom } from "../../src/window/time.ts";
import { Window } from "../../src/window/window.ts";
import { pack, unpack } from "../../src/wire/codec.ts";
import { SCORE_MASK, SCORE_SHIFT } from "../../src/wire/flags.ts";
import { decodeFrame, downgradeFrame, encodeFrame, FrameError } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { parseObservation } from "../../src/wire/observation.ts";
import { BASE, CHROME, frameOf, PSEUDO, row } from "../support/frames.ts";
import { runs } from "../support/runs.ts";
import { ja4Of, type Observed, frameOf as observedFrame } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");
const HOUR = 3_600_000;
const score = (value: number) => ({ flags: value << SCORE_SHIFT });

function faultOf(bytes: Uint8Array): string {
  try {
    decodeFrame(bytes);
  } catch (error) {
    if (error instanceof FrameError) return error.fault;
    throw error;
  }
  return "none";
}

/** The map of a frame of two rows with some members changed, as bytes. */
const changed = (change: Record<string, unknown>) =>
  pack({ ...(unpack(encodeFrame(frameOf([row(), row()]))) as object), ...change });

describe("scores and detection ids of a frame", () => {
  const marked = [
    row({ ...score(30), detectionIds: [152_120_193, 4_294_967_295] }),
    row({ timestampMs: BASE + 1 }),
    row({ ...score(99), ja4: PSEUDO, timestampMs: BASE + 2, detectionIds: [7] }),
  ];

  it("SCORE-1: come back as they were, and a frame without any is the same bytes as before there were any", () => {
    const frame = frameOf(marked);
    expect([...frame.detections!.start]).toEqual([0, 2, 2, 3]);
    expect([...frame.detections!.ids]).toEqual([152_120_193, 4_294_967_295, 7]);
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    const plain = unpack(encodeFrame(frameOf([row(), row()]))) as object;
    expect(Object.keys(plain)).toEqual(["v", "id", "source", "base", "n", "cols", "samples", "counters"]);
  });

  it("SCORE-2: code of before passes them over: no other member of the frame knows of them", () => {
    const { scores, dets, ...rest } = unpack(encodeFrame(frameOf(marked))) as Record<string, Uint8Array>;
    expect([...scores!]).toEqual([30, 0, 99]);
    expect(dets!.length).toBe(3 + 3 * 4);
    const plain = frameOf(
      marked.map(({ detectionIds: _, ...each }) => ({ ...each, flags: each.flags & ~SCORE_MASK })),
    );
    expect(rest).toEqual(unpack(encodeFrame(plain)));
    expect(decodeFrame(downgradeFrame(encodeFrame(frameOf(marked))))).toEqual(plain);
  });

  it.each([
    ["a score too few", { scores: new Uint8Array(1) }],
    ["a score of 100", { scores: new Uint8Array([1, 100]) }],
    ["scores as a list", { scores: [1, 2] }],
    ["fewer numbers of ids than rows", { dets: new Uint8Array(1) }],
    ["an id cut", { dets: new Uint8Array([1, 0, 1, 2, 3]) }],
    ["ids that no row has", { dets: new Uint8Array([0, 0, 1, 2, 3, 4]) }],
    ["too many ids of a row", { dets: new Uint8Array(2 + 4 * 9).fill(9, 0, 1) }],
  ])("SCORE-3: %s is refused", (_, change) => {
    expect(faultOf(changed(change))).toBe("malformed");
    expect(faultOf(changed({ scores: new Uint8Array([99, 0]), dets: new Uint8Array([0, 0]) }))).toBe("none");
  });

  it("SCORE-3: so are scores among the flags", () => {
    const map = unpack(encodeFrame(frameOf([row()]))) as { cols: Uint8Array };
    // key 20 │ at 4 │ flags 4
    const cols = Uint8Array.from(map.cols);
    cols[20 + 4 + 3]! |= 1;
    expect(faultOf(pack({ ...map, cols }))).toBe("malformed");
  });

  it("SCORE-4: a builder hands them on with their rows, and forgets them with the frame", () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: DETECTIONS_A_ROW_MAX });
    const rows = fc.array(fc.tuple(fc.constantFrom(CHROME, PSEUDO), fc.nat({ max: 99 }), ids), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(rows, rows, (first, second) => {
        const rowsOf = (list: typeof first): Row[] =>
          list.map(([ja4, value, detectionIds], i) =>
            row({ ja4, ...score(value), detectionIds, timestampMs: BASE + i }),
          );
        const used = new FrameBuilder();
        const parts = new Map([CHROME, PSEUDO].map((ja4) => [ja4, new FrameBuilder()]));
        for (const list of [first, second]) {
          used.reset();
          for (const each of rowsOf(list)) used.add(each);
          used.splitInto((ja4) => parts.get(ja4)!);
        }
        const id = new Uint8Array(16).fill(9);
        const counters = { ...NO_COUNTERS, lost_at_edge: 3 };
        expect(encodeFrame(used.build(id, "edge", counters))).toEqual(encodeFrame(frameOf(rowsOf(second))));
        for (const [ja4, part] of parts) {
          const all = [...rowsOf(first), ...rowsOf(second)].filter((each) => each.ja4 === ja4);
          const frame = part.build(id, "edge", NO_COUNTERS);
          expect(frame.detections).toEqual(frameOf(all).detections);
          expect([...frame.flags]).toEqual(all.map(({ flags }) => flags));
          expect(encodeFrame(frame).length).toBeLessThan(part.bytes + 1_000);
        }
      }),
      { seed: 11, numRuns: runs(50) },
    );
  });
});

describe("a row", () => {
  const hash = new KeyedHash(new Uint8Array(8));
  const rowOf = (record: Record<string, unknown>) => {
    const observation = parseObservation({ timestamp: NOON, ja4: CHROME, ...record }, NOON);
    if ("expired" in observation) throw new Error("refused");
    const made = new RowMaker(new UserAgentClassifier()).ofObservation(observation, hash);
    if (typeof made === "string") throw new Error(made);
    return { score: made.flags >>> SCORE_SHIFT, ids: made.detectionIds };
  };

  it("SCORE-5: has the score and the first 8 different ids of 32 bits; without a JA4 neither", () => {
    expect(rowOf({ bot_score: 30, detection_ids: [5, 5, 2 ** 32, 6] })).toEqual({ score: 30, ids: [5, 6] });
    expect(rowOf({ bot_score: 0, detection_ids: {} })).toEqual({ score: 0, ids: undefined });
    expect(rowOf({})).toEqual({ score: 0, ids: undefined });
    expect(rowOf({ detection_ids: Array.from({ length: 20 }, (_, i) => i) }).ids).toEqual([
      ...[0, 1, 2, 3, 4, 5, 6, 7],
    ]);
    expect(rowOf({ ja4: undefined, bot_score: 30, detection_ids: [1] })).toEqual({
      score: 0,
      ids: undefined,
    });
  });
});

/** Pairs of a value and its number, of everything that is in the hour. */
function recounted(all: readonly Observed[], ja4: string, asOf: number) {
  const mine = all.filter((one) => one.ja4 === ja4 && one.at <= asOf && one.at > windowFrom("1h", asOf));
  const counted = (values: number[]) => {
    const counts = new Map<number, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts];
  };
  return {
    histogram: counted(mine.flatMap((one) => one.score ?? [])).sort((a, b) => a[0] - b[0]),
    detections: counted(mine.flatMap((one) => one.detections ?? [])).sort(
      (a, b) => b[1] - a[1] || a[0] - b[0],
    ),
  };
}

describe("scores of the hour", () => {
  it("SCORE-6: equal a recount, of fingerprints with few requests and with many, late and ahead, to the minute", () => {
    const one: fc.Arbitrary<Observed> = fc.record(
      {
        at: fc.oneof(fc.integer({ min: -HOUR - 90_000, max: 60_000 }), fc.integer({ min: -30_000, max: 0 })),
        ja4: fc.constantFrom(ja4Of(1), ja4Of(1), ja4Of(1), ja4Of(2), ja4Of(3), ""),
        score: fc.constantFrom(1, 30, 99),
        detections: fc.uniqueArray(fc.constantFrom(1, 152_120_193, 4_294_967_295), { minLength: 1 }),
      },
      { requiredKeys: ["at", "ja4"] },
    );
    const step = fc.record({ wait: fc.nat({ max: 400_000 }), batch: fc.array(one, { maxLength: 60 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (script) => {
        const window = new Window(7);
        const all: Observed[] = [];
        let now = NOON;
        for (const { wait, batch } of script) {
          now += wait;
          const arrived = batch.map((each) => ({ ...each, at: each.at + now }));
          window.apply(observedFrame(arrived), now);
          all.push(...arrived.filter(({ at }) => at > windowFrom("1h", now)));
        }
        for (const later of [0, 61_000, 30 * 60_000, HOUR]) {
          window.advance(now + later);
          for (const ja4 of [ja4Of(1), ja4Of(2), ja4Of(3)]) {
            const id = window.fingerprints.id(ja4);
            const want = recounted(all, ja4, now + later);
            expect(id === undefined ? { histogram: [], detections: [] } : window.botScores(id)).toEqual(want);
          }
        }
        window.advance(now + 2 * HOUR);
        expect(window.memory().scores).toBe(new Scores().byteLength);
        expect(window.pressure().scores_lost).toBe(0);
      }),
      { seed: 12, numRuns: runs(60) },
    );
  });

  it("SCORE-7: of detection ids the 20 most frequent are told, of equals the smaller ones", () => {
    const window = new Window(7);
    const of = (id: number) => ({ at: NOON, ja4: ja4Of(1), detections: [id] });
    window.apply(observedFrame([...Array.from({ length: 30 }, (_, i) => of(100 - i)), of(90)]), NOON);
    const { detections } = window.botScores(window.fingerprints.id(ja4Of(1))!);
    expect(detections).toEqual([[90, 2], ...Array.from({ length: 19 }, (_, i) => [71 + i, 1])]);
  });

  it("SCORE-8: go with a fingerprint that has to leave; whoever gets its id has none of them", () => {
    const window = new Window(7, { fingerprints: 1 });
    const of = (n: number, more: object = {}): Observed => ({ at: NOON, ja4: ja4Of(n), ...more });
    window.apply(observedFrame(Array.from({ length: 40 }, () => of(1, { score: 5, detections: [9] }))), NOON);
    expect(window.botScores(window.fingerprints.id(ja4Of(1))!)).toEqual({
      histogram: [[5, 40]],
      detections: [[9, 40]],
    });
    window.apply(observedFrame(Array.from({ length: 40 }, () => of(2, { score: 7 }))), NOON);
    expect(window.fingerprints.id(ja4Of(1))).toBeUndefined();
    const { histogram, detections } = window.botScores(window.fingerprints.id(ja4Of(2))!);
    expect([histogram.map(([value]) => value), detections]).toEqual([[7], []]);
  });

  it("SCORE-9: are bounded, and what there is no room for is counted as lost", () => {
    const scores = new Scores();
    for (let n = 0; n < SCORES_MAX + 10; n++) scores.addScore(n, 100, 50);
    expect(scores.lost).toBe(10);
    expect(scores.byteLength).toBe(2 * 2 * 2 ** 17 * 4);
    // Those that are there go on.
    scores.addScore(3, 100, 50);
    const counts = new Uint32Array(100);
    scores.sumScores(3, counts);
    expect([counts[50], scores.lost]).toEqual([2, 10]);
    scores.expire(101);
    expect(scores.byteLength).toBeLessThan(2_000);
    const ids = Uint32Array.from({ length: DETECTION_IDS_MAX + 5 }, (_, i) => i);
    scores.addDetections(1, 200, { start: Uint16Array.of(0, ids.length), ids }, 0);
    expect(scores.lost).toBe(15);
    // An id that nobody had for an hour makes room.
    scores.expire(201);
    scores.addDetections(1, 270, { start: Uint16Array.of(0, 1), ids: Uint32Array.of(1_000) }, 0);
    expect([scores.detections(1), scores.lost]).toEqual([[[1_000, 1]], 15]);
  });

  it("SCORE-10: a table counts as a map does, and stops at its largest count", () => {
    const entry = fc.record({ key: fc.integer({ min: 1, max: 40 }), tag: fc.nat({ max: 63 }) });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 400 }), fc.nat({ max: 63 }), (entries, gone) => {
        const table = new CountTable(6);
        const map = new Map<string, number>();
        for (const { key, tag } of entries) {
          expect(table.count(key, tag, 1_000)).toBe(true);
          map.set(`${key} ${tag}`, (map.get(`${key} ${tag}`) ?? 0) + 1);
        }
        expect(table.size).toBe(map.size);
        table.sweep((key, tag, count) => {
          expect(map.get(`${key} ${tag}`)).toBe(count);
          return tag !== gone;
        });
        for (const [name, count] of map) {
          const [key, tag] = name.split(" ").map(Number) as [number, number];
          expect(table.get(key, tag)).toBe(tag === gone ? 0 : count);
        }
      }),
      { seed: 13, numRuns: runs(50) },
    );
    const narrow = new CountTable(16);
    for (let i = 0; i < 2 ** 16 - 1; i++) narrow.count(5, 65_535, 1);
    expect([narrow.count(5, 65_535, 1), narrow.get(5, 65_535), narrow.get(5, 0)]).toEqual([false, 65_535, 0]);
    expect([narrow.count(6, 0, 1), narrow.size]).toEqual([false, 1]);
    const wide = new CountTable(0);
    expect([wide.count(0xffff_ffff, 0, 1), wide.get(0xffff_ffff, 0)]).toEqual([true, 1]);
  });
});
