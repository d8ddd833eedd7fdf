import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FRAME_BYTES_MAX,
  FRAME_BYTES_TARGET,
  FRAME_ROWS_MAX,
  FRAME_SAMPLE_ROWS,
  FRAME_SAMPLES_MAX,
  FRAME_SAMPLES_MIN,
} from "../../src/config.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { decodeSamples } from "../../src/wire/samples.ts";
import { BASE, bareRow, CHROME, frameOf, PSEUDO, row, signals } from "../support/frames.ts";
import { FEW_RUNS, runs } from "../support/runs.ts";

const samplesOf = (frame: Frame) => decodeSamples(frame.samples, frame.fps);
const ID = new Uint8Array(16);

function many(count: number, over: (i: number) => Partial<Row> = () => ({})): Row[] {
  return Array.from({ length: count }, (_, i) => row({ timestampMs: BASE + i, path: `/${i}`, ...over(i) }));
}

describe("samples of a frame", () => {
  it("FRAME-2: are bounded, and their weights stand for all rows of their fingerprint", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 300 }), (mine, others) => {
        const frame = frameOf([
          ...many(mine),
          ...many(others, () => ({ ja4: PSEUDO })),
          ...many(9, () => ({ ja4: "" })),
        ]);
        const samples = samplesOf(frame);
        for (const [fp, rows] of (mine === 0 ? [others] : [mine, others]).entries()) {
          const found = samples.filter((sample) => sample.fp === fp);
          const wanted = Math.max(FRAME_SAMPLES_MIN, Math.floor(rows / FRAME_SAMPLE_ROWS));
          expect(found.length).toBe(Math.min(rows, wanted, FRAME_SAMPLES_MAX));
          expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBe(rows);
          expect(new Set(found.map(({ path }) => path)).size).toBe(found.length);
        }
        expect(samples.every(({ fp }) => fp < (mine === 0 ? 1 : 2))).toBe(true);
      }),
      { seed: 7, numRuns: runs(100) },
    );
  });

  it.skipIf(FEW_RUNS)("FRAME-9: take every row of a fingerprint equally often", () => {
    // 200 frames of 64 fingerprints with 40 rows each: 5 of each 40 are samples.
    const places = new Uint32Array(40);
    for (let frame = 0; frame < 200; frame++) {
      const fingerprint = (i: number) => `x${(frame * 64 + (i % 64)).toString(16).padStart(24, "0")}`;
      const rows = many(40 * 64, (i) => {
        return { timestampMs: BASE + frame * 9_000 + i, ja4: fingerprint(i), path: `${Math.floor(i / 64)}` };
      });
      for (const { path } of samplesOf(frameOf(rows))) places[Number(path)]!++;
    }
    const expected = (5 * 64 * 200) / 40;
    expect(places.reduce((sum, count) => sum + count, 0)).toBe(40 * expected);
    // Pearson's χ² with 39 degrees of freedom has a mean of 39 and a standard deviation of 9.
    expect(places.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(
      39 + 4 * 9,
    );
  });

  it("FRAME-9: so one frame shows the shares of whoever floods, as far as eight samples can", () => {
    // Every fourth request asks for /b: what takes every eighth row sees one of the two only.
    const errors = Array.from({ length: 400 }, (_, n) => {
      const rows = many(80 + n, (i) => {
        const at = { timestampMs: BASE + n * 9_000 + i };
        return { ...at, path: i % 4 === 0 ? "/b" : "/a", pathHash: i % 4 === 0 ? 1 : 2 };
      });
      const asked = samplesOf(frameOf(rows)).filter(({ path }) => path === "/b");
      return asked.reduce((sum, { weight }) => sum + weight, 0) / (80 + n) - 0.25;
    });
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const rms = Math.sqrt(mean(errors.map((error) => error ** 2)));
    // √(0.25 × 0.75 / 8) = 0.153, and without a bias; two samples would be off by 0.31.
    expect(rms).toBeLessThan(0.18);
    expect(Math.abs(mean(errors))).toBeLessThan(0.04);
  });

  it("FRAME-12: in a frame of many fingerprints those with few rows share samples, each row as likely as any other", () => {
    const seen = new Map<number, number>();
    let weights = 0;
    let rowsSent = 0;
    for (let n = 0; n < 60; n++) {
      // 100 fingerprints with one row, 100 with four, one that floods.
      const rows = many(100 + 400 + 200, (i) => {
        const fp = i < 100 ? i : i < 500 ? 100 + (i % 100) : 200;
        return {
          timestampMs: BASE + n * 9_000 + i,
          ja4: `x${(n * 1_000 + fp).toString(16).padStart(24, "0")}`,
          ipHash: Math.imul(n * 700 + i, 0x9e3779b1) >>> 0,
        };
      });
      const samples = samplesOf(frameOf(rows));
      rowsSent += rows.length;
      for (const { fp, weight } of samples) {
        const group = fp < 100 ? 1 : fp < 200 ? 4 : 200;
        seen.set(group, (seen.get(group) ?? 0) + 1);
        weights += weight;
      }
    }
    // A binomial of 6,000 with p = 1/8 (4/8) has a standard deviation of 26 (39).
    expect(Math.abs(seen.get(1)! - 6_000 / FRAME_SAMPLE_ROWS)).toBeLessThan(4 * 26);
    expect(Math.abs(seen.get(4)! - (6_000 * 4) / FRAME_SAMPLE_ROWS)).toBeLessThan(4 * 39);
    expect(seen.get(200)).toBe(60 * FRAME_SAMPLES_MAX);
    expect(weights / rowsSent).toBeGreaterThan(0.95);
    expect(weights / rowsSent).toBeLessThan(1.05);
  });

  it("FRAME-10: texts are cut to their limits and are whole UTF-8, whatever was sent", () => {
    const frame = frameOf([
      row({ path: "\ud83d", host: `${"a".repeat(127)}\u{1f600}`, method: "\udc00G", rayId: "r".repeat(100) }),
    ]);
    for (const version of [1, 2] as const) {
      expect(samplesOf(decodeFrame(encodeFrame(frame, version)))).toMatchObject([
        { path: "\ufffd", host: `${"a".repeat(127)}\ufffd`, method: "\ufffdG", ray: "r".repeat(64) },
      ]);
    }
    // Two halves of different texts are no character.
    const halves = frameOf([row({ path: "/\ud83d", host: "\ude00" })]);
    expect(samplesOf(halves)).toMatchObject([{ path: "/\ufffd", host: "\ufffd" }]);
  });
});

describe("builder", () => {
  it("FRAME-3: what it remembers of frames before does not show, with more fingerprints than it keeps neither", () => {
    const used = new FrameBuilder();
    for (const [count, offset] of [
      [300, 0],
      [300, 200],
      [FRAME_ROWS_MAX, 100],
      [300, 50],
    ] as const) {
      const rows = many(count, (i) => ({ ja4: `x${(offset + (i % 3_000)).toString(16).padStart(24, "0")}` }));
      used.reset();
      for (const each of rows) used.add(each);
      const frame = used.build(new Uint8Array(16).fill(9), "edge", { ...NO_COUNTERS, lost_at_edge: 3 });
      expect(encodeFrame(frame)).toEqual(encodeFrame(frameOf(rows)));
    }
  });

  it("FRAME-3: the same rows make the same bytes, which repeats rely on", () => {
    const rows = many(200, (i) => ({ ja4: i % 3 === 0 ? PSEUDO : CHROME }));
    const bytes = encodeFrame(frameOf(rows));
    expect(encodeFrame(frameOf(rows))).toEqual(bytes);
    const used = new FrameBuilder();
    for (const each of many(300, (i) => ({ signals: signals(), path: `/other/${i}` }))) used.add(each);
    used.reset();
    for (const each of rows) used.add(each);
    const again = used.build(new Uint8Array(16).fill(9), "edge", { ...NO_COUNTERS, lost_at_edge: 3 });
    expect(encodeFrame(again)).toEqual(bytes);
  });

  it("FRAME-4: is full at the row limit, and takes no further row", () => {
    const builder = new FrameBuilder();
    for (let i = 0; i < FRAME_ROWS_MAX - 1; i++) builder.add(row());
    expect([builder.isFull(), builder.rows]).toEqual([false, FRAME_ROWS_MAX - 1]);
    builder.add(row());
    expect(builder.isFull()).toBe(true);
    expect(() => builder.add(row())).toThrow(RangeError);
    const { rows } = decodeFrame(encodeFrame(builder.build(ID, "edge", NO_COUNTERS)));
    expect(rows).toBe(FRAME_ROWS_MAX);
    builder.reset();
    expect([builder.isFull(), builder.rows, builder.bytes]).toEqual([false, 0, 0]);
  });

  it("FRAME-4: is full at its byte limit, and the longest texts fit, in both versions", () => {
    const builder = new FrameBuilder();
    const text = (i: number) => `${i}`.padEnd(128, "€");
    while (!builder.isFull()) {
      const i = builder.rows;
      // Eight rows each: that many are not drawn for, they send two samples.
      const ja4 = `t13d1516h2_${(i >> 3).toString(16).padStart(12, "0")}_02713d6af862`;
      const texts = { path: text(i), host: text(-i), method: text(i + 0.5), rayId: "r".repeat(64) };
      builder.add(row({ ja4, signals: signals(), ...texts }));
    }
    const frame = builder.build(ID, "edge", NO_COUNTERS);
    for (const version of [1, 2] as const) {
      const bytes = encodeFrame(frame, version);
      // The head of the map is in no estimate.
      expect(bytes.length).toBeLessThan(builder.bytes + 500);
      expect(bytes.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      // The builder holds up to eight samples of each, of which two are sent.
      expect(bytes.length).toBeGreaterThan(FRAME_BYTES_TARGET / 5);
      expect(samplesOf(decodeFrame(bytes)).length).toBeGreaterThan(builder.rows / 5);
    }
  });

  it("FRAME-11: keeps no row: a caller may use one object, and one buffer of signals, again and again", () => {
    const rows = Array.from({ length: 90 }, (_, i) => {
      const ja4 = i % 2 === 0 ? CHROME : PSEUDO;
      return row({ timestampMs: BASE + (i % 7), ja4, signals: signals(i / 100), ipHash: i, path: `/${i}` });
    });
    const builder = new FrameBuilder();
    const reused = bareRow();
    const buffer = new Float64Array(10);
    for (const each of rows) {
      buffer.set(each.signals!);
      builder.add(Object.assign(reused, each, { signals: buffer }));
    }
    Object.assign(reused, bareRow());
    buffer.fill(0);
    const built = builder.build(new Uint8Array(16).fill(9), "edge", { ...NO_COUNTERS, lost_at_edge: 3 });
    expect(built).toEqual(frameOf(rows));
  });

  it("FRAME-11: the newest signals of each fingerprint travel, the last of those of one time", () => {
    const frame = frameOf([
      row({ ja4: PSEUDO }),
      row({ timestampMs: BASE + 5, signals: signals(0.5) }),
      row({ timestampMs: BASE + 4, signals: signals(0.4) }),
      row({ timestampMs: BASE + 5, signals: signals(0.6) }),
      row({ timestampMs: BASE + 9 }),
    ]);
    expect(frame.signals).toEqual({
      fp: Uint16Array.of(1),
      seenAtMs: Float64Array.of(BASE + 5),
      values: signals(0.6),
    });
  });

  it("FRAME-11: refuses what no frame can carry", () => {
    const builder = new FrameBuilder();
    expect(() => builder.add(row({ ja4: "curl" }))).toThrow(RangeError);
    expect(() => builder.build(new Uint8Array(15), "edge", NO_COUNTERS)).toThrow(RangeError);
    expect(builder.rows).toBe(0);
  });
});
