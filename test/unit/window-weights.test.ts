/** Sampled rows: a frame of weight w is the frame whose rows come w times. */
import { describe, expect, it } from "vitest";
import { readImage, writeImage } from "../../src/base/image.ts";
import { SAMPLED_MAX } from "../../src/config.ts";
import { FrameRows } from "../../src/window/frame-rows.ts";
import { windowNumbers } from "../../src/window/snapshot.ts";
import { Window } from "../../src/window/window.ts";
import { SCORE_SHIFT } from "../../src/wire/flags.ts";
import { decodeFrame, encodeFrame, type Frame, FrameError, WEIGHT_ONE } from "../../src/wire/frame.ts";
import { frameOf as markedFrameOf, row } from "../support/frames.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const WINDOW_NAMES = ["1m", "5m", "1h"] as const;

function observed(rows: number): Observed[] {
  return Array.from({ length: rows }, (_, i) => ({
    ...{ at: NOW - 30_000 + i, ja4: i % 5 === 0 ? "" : ja4Of(i % 7) },
    ...{ ip: i % 40, ua: i % 3, path: i },
  }));
}
function numbersOf(frames: readonly Frame[]): unknown {
  const window = new Window(7);
  for (const frame of frames) window.apply(frame, NOW);
  window.advance(NOW);
  const { fingerprints } = window;
  return {
    total: WINDOW_NAMES.map((name) => window.total(name)),
    each: [...fingerprints.ids()]
      .map((id) => [fingerprints.ja4(id), WINDOW_NAMES.map((name) => windowNumbers(window, id, name))])
      .sort(),
  };
}

describe("sampled frames", () => {
  it.each([1, 10, 60])("LOGP-12: scores and detection ids of rows of weight %i count as often", (weight) => {
    const flags = 30 << SCORE_SHIFT;
    const rows = [1, 2, 3].map((i) => row({ flags, detectionIds: [7, i], timestampMs: NOW - i }));
    const window = new Window(7);
    window.apply({ ...markedFrameOf(rows), weight: weight * 1_000 }, NOW);
    const id = window.fingerprints.id(rows[0]!.ja4!)!;
    expect(window.botScores(id)).toEqual({
      histogram: [[30, 3 * weight]],
      detections: [[7, 3 * weight], ...[1, 2, 3].map((value) => [value, weight])],
    });
  });

  it("LOGP-11: the window says so from the first row that counts until the last has left the hour, in its image too", () => {
    const at = NOW + 20_000;
    const frame = { ...frameOf([{ at, ja4: ja4Of(1), ip: 1 }]), weight: 10_000 };
    let window = new Window(7);
    window.apply(frameOf([{ at: NOW, ja4: ja4Of(1), ip: 1 }]), NOW);
    window.apply({ ...frame, weight: WEIGHT_ONE }, at);
    expect(window.isSampled).toBe(false);
    window = new Window(7);
    window.apply(frame, NOW);
    expect(window.isSampled).toBe(false);
    window.advance(at);
    expect(window.isSampled).toBe(true);
    const parts: Uint8Array[] = [];
    writeImage(
      (into) => window.writeImage(into),
      (part) => void parts.push(part.slice()),
    );
    const again = readImage(parts, (from) => Window.readImage(from));
    expect(again.isSampled).toBe(true);
    again.advance(at + 59 * 60_000);
    expect(again.isSampled).toBe(true);
    again.advance(at + 62 * 60_000);
    expect(again.isSampled).toBe(false);
  });

  it.each([1, 2, 10, SAMPLED_MAX])(
    "LOGP-10: rows of weight %i count as often, and once in distinct counts",
    (times) => {
      const rows = observed(90);
      const repeated = Array.from({ length: times }, () => frameOf(rows));
      const sampled = decodeFrame(encodeFrame({ ...frameOf(rows), weight: times * 1_000 }));
      expect(numbersOf([sampled])).toEqual(numbersOf(repeated));
    },
  );

  it("LOGP-10: with a weight that is not whole a frame's sum is off by less than one, and no row favoured", () => {
    const rows = new FrameRows();
    const frame = frameOf(observed(50));
    const sums = new Array<number>(50).fill(0);
    const ids = 2_000;
    for (let i = 0; i < ids; i++) {
      const id = new Uint8Array(16).fill(3);
      new DataView(id.buffer).setUint32(12, i);
      rows.weigh({ ...frame, id, weight: 3_300 });
      let sum = 0;
      for (let row = 0; row < 50; row++) {
        const times = rows.times(row);
        sum += times;
        sums[row]! += times;
      }
      expect(Math.abs(sum - 50 * 3.3)).toBeLessThan(1);
    }
    // Six standard errors of a share of 0.3 in 2,000.
    for (const sum of sums) expect(Math.abs(sum / ids - 3.3)).toBeLessThan(0.062);
  });

  it("LOGP-10: a weight under one or over the limit is no frame's", () => {
    for (const weight of [0, 999, SAMPLED_MAX * 1_000 + 1])
      expect(() => decodeFrame(encodeFrame({ ...frameOf(observed(3)), weight }))).toThrow(FrameError);
  });
});
