/**
 * Malformed frames and samples by the hundred thousand, each made by a seeded fault in a valid one: every outcome is a
 * frame that keeps all promises, or a refusal with a fixed code. 100,000 by default; `FRAMES=1000000 npx vitest run
 * --project pure test/hostile/frames.test.ts` for the whole million.
 */
import { isDeepStrictEqual } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX, FRAME_ROWS_MAX, FRAME_SAMPLES_BYTES_MAX } from "../../src/config.ts";
import { Draw } from "../../src/simulate/random.ts";
import { FLAGS_MASK, HAS_IP, HAS_SIGNALS } from "../../src/wire/flags.ts";
import {
  decodeFrame,
  downgradeFrame,
  encodeFrame,
  type Frame,
  FrameError,
  SOURCES,
} from "../../src/wire/frame.ts";
import { isJa4 } from "../../src/wire/ja4.ts";
import { KEY_WORDS, packKey, unpackKey } from "../../src/wire/key.ts";
import { decodeSamples } from "../../src/wire/samples.ts";
import { BASE, bareRow, CHROME, frameOf, PSEUDO, row, signals } from "../support/frames.ts";
import { mutate } from "./mutations.ts";

const FRAMES = Number(process.env.FRAMES ?? 100_000);
const SEED = 20_261_123;
const FAULTS = ["too_large", "not_msgpack", "unknown_version", "malformed"];
/** What a process may hold more at the end: what the engine itself keeps of code and of its heap's slack, not of frames. */
const GROWTH_MAX_BYTES = 4 * 1024 * 1024;

/** Frames with nothing in them, with everything, with many rows; in both versions. */
function originals(): Uint8Array[] {
  const signalled = { signals: signals(), flags: HAS_IP | HAS_SIGNALS };
  const frames = [
    frameOf([]),
    frameOf([row()]),
    frameOf([row(signalled), bareRow(), row({ ja4: PSEUDO, path: "/höhe" })]),
    frameOf(
      Array.from({ length: 40 }, (_, i) =>
        row({
          ...{ timestampMs: BASE + i, ja4: i % 5 === 0 ? "" : i % 2 === 0 ? CHROME : PSEUDO, path: `/${i}` },
          ...(i % 7 === 3 && i % 5 !== 0 ? signalled : {}),
        }),
      ),
    ),
  ];
  return frames.flatMap((frame) => [encodeFrame(frame, 1), encodeFrame(frame), encodeFrame(frame)]);
}

/** Every promise that the type `Frame` makes, checked in another way than the decoder does. */
function brokenPromises(frame: Frame): string[] {
  const { rows, fps, fp, at, flags, keys, identities, samples, counters } = frame;
  const isTime = (ms: number) => Number.isFinite(ms) && !Number.isNaN(new Date(ms).getTime()) && ms >= 0;
  const word = new Uint32Array(KEY_WORDS);
  const table = Array.from({ length: fps }, (_, i) => unpackKey(keys, i * KEY_WORDS));
  const facts = [0, 2, 4, 6, 8, 10];
  const seen = frame.signals;
  const promises: Record<string, boolean> = {
    id: frame.id instanceof Uint8Array && frame.id.length === 16,
    source: SOURCES.includes(frame.source),
    base: Number.isSafeInteger(frame.baseMs) && isTime(frame.baseMs),
    rows: Number.isInteger(rows) && rows <= FRAME_ROWS_MAX && fps <= rows,
    columns: [fp, at, flags, ...Object.values(identities)].every((column) => column.length === rows),
    identities: Object.keys(identities).join() === "ip,ua,path,host,asn",
    table: keys.length === fps * KEY_WORDS && table.every((ja4) => ja4 === "" || isJa4(ja4)),
    canonical: table.every(
      (ja4, i) => packKey(ja4, word, 0) && word.every((w, j) => w === keys[i * KEY_WORDS + j]),
    ),
    fp: fp.every((index) => index < fps),
    at: at.every((ms) => isTime(frame.baseMs + ms)),
    flags: flags.every((bits) => (bits & FLAGS_MASK) >>> 0 === bits),
    facts: flags.every((bits) => facts.every((bit) => ((bits >>> bit) & 3) !== 2)),
    signals: seen.seenAtMs.length === seen.fp.length && seen.values.length === 10 * seen.fp.length,
    signalled: seen.fp.every((index, i) => index < fps && (i === 0 || index > seen.fp[i - 1]!)),
    times: seen.seenAtMs.every(isTime),
    values: seen.values.every((value) => Number.isNaN(value) || (Number.isFinite(value) && value >= 0)),
    samples: samples instanceof Uint8Array && samples.length <= FRAME_SAMPLES_BYTES_MAX,
    counters:
      Object.keys(counters).join() === "rejected,expired,lost_at_edge,fields_dropped" &&
      Object.values(counters).every((count) => Number.isSafeInteger(count) && count >= 0),
  };
  return Object.entries(promises).flatMap(([name, kept]) => (kept ? [] : [name]));
}

/** The fault of a refusal, "none" without one. Whatever else is thrown is the test's failure. */
function faultOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    if (error instanceof FrameError && FAULTS.includes(error.fault)) return error.fault;
    throw error;
  }
  return "none";
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** Bytes in use after everything unreachable is gone. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What a failed case is found by. */
const named = (i: number, bytes: Uint8Array) =>
  `case ${i} of seed ${SEED}: ${Buffer.from(bytes).toString("base64")}`;

describe(`${FRAMES} malformed frames, seed ${SEED}`, () => {
  it("HOSTILE-1: each is a frame that keeps every promise, or a fixed refusal; memory stays flat", () => {
    const valid = originals();
    const outcomes: Record<string, number> = {};
    let again = 0;
    const run = (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const draw = new Draw(SEED, "frame", i);
        const bytes = mutate(valid[i % valid.length]!, draw);
        let frame: Frame | undefined;
        const fault = faultOf(() => {
          frame = decodeFrame(bytes);
        });
        count(outcomes, fault);
        if (frame === undefined) continue;
        const broken = brokenPromises(frame);
        if (broken.length > 0) expect(broken, named(i, bytes)).toEqual([]);
        // What is accepted goes on: to the log and back, and to a shard of earlier code.
        if (++again % 16 !== 0) continue;
        const { samples, ...counted } = decodeFrame(downgradeFrame(bytes));
        const same = isDeepStrictEqual(decodeFrame(encodeFrame(frame)), frame);
        if (!same || !isDeepStrictEqual({ ...frame, ...counted }, frame)) expect.fail(named(i, bytes));
        if (samples.length > FRAME_SAMPLES_BYTES_MAX) expect.fail(named(i, bytes));
      }
    };
    // The first part warms up: code is compiled, pools are filled.
    const warm = Math.min(20_000, FRAMES / 2);
    run(0, warm);
    const before = heldBytes();
    run(warm, FRAMES);
    expect(heldBytes() - before).toBeLessThan(GROWTH_MAX_BYTES);
    // All outcomes come up, so that none of the above is empty talk.
    for (const outcome of ["none", "not_msgpack", "unknown_version", "malformed"])
      expect(outcomes[outcome], outcome).toBeGreaterThan(FRAMES / 500);
    expect(Object.values(outcomes).reduce((sum, each) => sum + each, 0)).toBe(FRAMES);
  }, 600_000);

  it("HOSTILE-1: also at the limit of bytes, where the most can be claimed", () => {
    const draw = new Draw(SEED, "large");
    const large = Array.from({ length: 4_000 }, (_, i) => {
      return row({
        timestampMs: BASE + i,
        ja4: `x${i.toString(16).padStart(24, "0")}`,
        path: `/${"€".repeat(20)}${i}`,
      });
    });
    const whole = frameOf(large);
    const outcomes: Record<string, number> = {};
    for (const version of [1, 2] as const) {
      const bytes = encodeFrame(whole, version);
      for (let i = 0; i < 100; i++) {
        const mutated = mutate(bytes, draw);
        const padded = i % 10 === 0 ? new Uint8Array(FRAME_BYTES_MAX + 1) : mutated;
        let frame: Frame | undefined;
        count(
          outcomes,
          faultOf(() => {
            frame = decodeFrame(padded);
          }),
        );
        if (frame !== undefined) expect(brokenPromises(frame), named(i, padded.subarray(0, 99))).toEqual([]);
      }
    }
    expect(Object.keys(outcomes).sort()).toEqual(expect.arrayContaining(["none", ...FAULTS].sort()));
  });

  it("HOSTILE-2: samples with a fault are samples within their limits, or a fixed refusal", () => {
    const valid = [1, 40].map((rows) => {
      return frameOf(
        Array.from({ length: rows }, (_, i) => row({ path: `/${i}`, ja4: i % 3 === 0 ? CHROME : PSEUDO })),
      );
    });
    const outcomes: Record<string, number> = {};
    for (let i = 0; i < FRAMES / 4; i++) {
      const { samples, fps } = valid[i % valid.length]!;
      const bytes = mutate(samples, new Draw(SEED, "samples", i));
      const fault = faultOf(() => {
        for (const sample of decodeSamples(bytes, fps)) {
          const texts = [sample.path, sample.host, sample.method, sample.ray];
          const numbers = [sample.at, sample.weight, sample.status, sample.asn + 1];
          const right =
            sample.fp < fps &&
            numbers.every((n) => Number.isInteger(n) && n >= 0 && n <= 2 ** 32) &&
            texts.every((text) => typeof text === "string" && text.length <= 128 && text.isWellFormed());
          if (!right) expect.fail(named(i, bytes));
        }
      });
      count(outcomes, fault);
    }
    for (const outcome of ["none", "not_msgpack", "malformed"])
      expect(outcomes[outcome], outcome).toBeGreaterThan(FRAMES / 2_000);
  }, 600_000);
});
