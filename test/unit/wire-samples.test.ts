/** Which rows are samples, counted by hand; and which numbers are global signals. */
import { describe, expect, it } from "vitest";
import {
  FRAME_FEW_FINGERPRINTS,
  FRAME_SAMPLE_ROWS,
  FRAME_SAMPLES_MAX,
  FRAME_SAMPLES_MIN,
} from "../../src/config.ts";
import { FrameBuilder, NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import { decodeSamples } from "../../src/wire/samples.ts";
import { areSignals, GLOBAL_SIGNALS, readSignals } from "../../src/wire/signal-names.ts";
import { BASE, row } from "../support/frames.ts";

const fingerprint = (n: number) => `x${n.toString(16).padStart(24, "0")}`;

/** MurmurHash3's finaliser, in numbers of any size. */
function mixed(word: number): number {
  let h = BigInt(word >>> 0);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & 0xffffffffn;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & 0xffffffffn;
  return Number(h ^ (h >> 16n));
}

/** Rows of one fingerprint: the n-th of it has this priority. */
const priorityOf = (n: number, ms: number, ip: number, path: number) =>
  mixed(Math.imul(n, 0x9e3779b1) ^ ms ^ ip ^ path);
const rowsOf = (fp: number, count: number) =>
  Array.from({ length: count }, (_, n) => {
    const [timestampMs, ipHash, pathHash] = [BASE + ((n * 37) % 1_000), n * 12_345, fp * 77];
    const path = `/${"p".repeat((n * 7) % 200)}`;
    return {
      ...row({
        timestampMs,
        ja4: fingerprint(fp),
        ipHash,
        pathHash,
        path,
        host: "h",
        method: "GET",
        rayId: `${n}`,
      }),
      priority: priorityOf(n, timestampMs, ipHash, pathHash),
    };
  });
const samplesOf = (builder: FrameBuilder) => {
  const frame = builder.build(new Uint8Array(16), "edge", NO_COUNTERS);
  return { frame, samples: decodeSamples(frame.samples, frame.fps) };
};

describe("samples of a frame", () => {
  it.each([1, 2, 3, 15, 16, 23, 24, 63, 64, 65, 300])(
    "FRAME-9: of %i rows those with the lowest priorities are samples, lowest first",
    (count) => {
      const rows = rowsOf(5, count);
      const builder = new FrameBuilder();
      for (const each of rows) builder.add(each);
      const { frame, samples } = samplesOf(builder);
      const lowest = [...rows].sort((a, b) => a.priority - b.priority);
      const wanted = Math.min(
        count,
        FRAME_SAMPLES_MAX,
        Math.max(FRAME_SAMPLES_MIN, Math.floor(count / FRAME_SAMPLE_ROWS)),
      );
      expect(samples.map(({ ray }) => ray)).toEqual(lowest.slice(0, wanted).map(({ rayId }) => rayId));
      expect(samples.map(({ at }) => at + frame.baseMs)).toEqual(
        lowest.slice(0, wanted).map(({ timestampMs }) => timestampMs),
      );
      expect(samples.map(({ path }) => path)).toEqual(
        lowest.slice(0, wanted).map(({ path }) => path!.slice(0, 128)),
      );
      // The remainder goes to the first.
      expect(samples.map(({ weight }) => weight)).toEqual(
        Array.from({ length: wanted }, (_, i) => Math.floor(count / wanted) + (i < count % wanted ? 1 : 0)),
      );
      const held = lowest.slice(0, FRAME_SAMPLES_MAX);
      const texts = held.reduce(
        (sum, { path, rayId }) => sum + Math.min(128, path!.length) + 1 + 3 + rayId!.length,
        0,
      );
      expect(builder.bytes).toBe(32 * count + 40 + 40 * held.length + 3 * texts);
    },
  );

  it("FRAME-12: with one fingerprint too many those with few rows are drawn for, each by its lowest priority", () => {
    for (const fps of [FRAME_FEW_FINGERPRINTS, FRAME_FEW_FINGERPRINTS + 1, 200]) {
      const builder = new FrameBuilder();
      const all = Array.from({ length: fps }, (_, fp) => rowsOf(fp, 1 + (fp % 9)));
      for (const rows of all) for (const each of rows) builder.add(each);
      const { samples } = samplesOf(builder);
      all.forEach((rows, fp) => {
        const mine = samples.filter((sample) => sample.fp === fp);
        const count = rows.length;
        const few = fps > FRAME_FEW_FINGERPRINTS && count < FRAME_SAMPLE_ROWS;
        const lowest = Math.min(...rows.map(({ priority }) => priority)) / 2 ** 32;
        const drawn = 1 - (1 - lowest) ** count < count / FRAME_SAMPLE_ROWS ? 1 : 0;
        expect([fps, fp, mine.length]).toEqual([fps, fp, few ? drawn : Math.min(count, FRAME_SAMPLES_MIN)]);
        const weights = mine.reduce((sum, { weight }) => sum + weight, 0);
        expect(weights).toBe(few ? drawn * FRAME_SAMPLE_ROWS : count);
      });
    }
  });

  it("FRAME-10: texts of exactly the limit stay as they are", () => {
    const builder = new FrameBuilder();
    const [path, rayId] = ["p".repeat(128), "r".repeat(64)];
    builder.add(row({ path, host: `${path}x`, method: undefined, rayId, status: undefined, asn: undefined }));
    builder.add(
      row({ timestampMs: BASE + 1, path, host: path, method: "GET", rayId: `${rayId}y`, status: 0, asn: 0 }),
    );
    const { samples } = samplesOf(builder);
    expect(samples.sort((a, b) => a.at - b.at)).toEqual([
      { ...{ fp: 0, at: 0, weight: 1, status: 0, asn: -1 }, ...{ path, host: path, method: "", ray: rayId } },
      {
        ...{ fp: 0, at: 1, weight: 1, status: 0, asn: 0 },
        ...{ path, host: path, method: "GET", ray: rayId },
      },
    ]);
  });
});

describe("global signals", () => {
  const ranks = GLOBAL_SIGNALS.map((name) => name.includes("rank"));
  const only = (index: number, value: number, at = 0) =>
    new Float64Array(at + 10).fill(Number.NaN).fill(value, at + index, at + index + 1);

  it("SIG-9: ratios and quantiles lie in 0 to 1, ranks start at 1, in every place", () => {
    ranks.forEach((isRank, i) => {
      for (const at of [0, 10]) {
        for (const value of isRank ? [1, 1e9] : [0, 0.5, 1, Number.NaN])
          expect([i, value, areSignals(only(i, value, at), at)]).toEqual([i, value, true]);
        for (const value of isRank
          ? [0.99, Number.POSITIVE_INFINITY]
          : [-0.01, 1.01, Number.NEGATIVE_INFINITY])
          expect([i, value, areSignals(only(i, value, at), at)]).toEqual([i, value, false]);
      }
    });
  });

  it("SIG-9: each is read by its name, flat or in its group, and what was there before is gone", () => {
    const group = (name: string) =>
      name.includes("ratio") ? "ratios" : name.includes("rank") ? "ranks" : "quantiles";
    GLOBAL_SIGNALS.forEach((name, i) => {
      for (const value of ranks[i] ? [1, 7] : [0, 1]) {
        for (const sent of [{ [name]: value }, { [group(name)]: { [name]: value } }]) {
          const into = new Float64Array(10).fill(0.5);
          expect(readSignals(sent, into)).toBe(true);
          expect([...into]).toEqual([...only(i, value)]);
        }
      }
      for (const value of ranks[i] ? [0, 0.5, "7", null] : [-0.1, 1.1, "1", Number.NaN, null]) {
        const into = new Float64Array(10).fill(0.5);
        expect(readSignals({ [name]: value, ratios: 5, ranks: null, quantiles: "x" }, into)).toBe(false);
        expect([...into].every(Number.isNaN)).toBe(true);
      }
    });
    const into = new Float64Array(10);
    expect(readSignals({ h2h3_ratio_1h: 0.25, ranks: { ips_rank_1h: 4 }, quantiles: {} }, into)).toBe(true);
    expect([into[0], into[7], into[9]]).toEqual([0.25, 4, Number.NaN]);
  });
});
