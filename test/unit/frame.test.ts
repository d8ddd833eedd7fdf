import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX, FRAME_ROWS_MAX, FRAME_SAMPLES_BYTES_MAX } from "../../src/config.ts";
import { pack, unpack } from "../../src/wire/codec.ts";
import { FLAGS_MASK, HAS_IP, HAS_SIGNALS } from "../../src/wire/flags.ts";
import {
  decodeFrame,
  downgradeFrame,
  encodeFrame,
  type Frame,
  FrameError,
  IDENTITIES,
} from "../../src/wire/frame.ts";
import { decodeSamples } from "../../src/wire/samples.ts";
import {
  BASE,
  bareRow,
  CHROME,
  fingerprintsOf,
  frameOf,
  GOLDEN_V1,
  GOLDEN_V2,
  goldenFrame,
  PSEUDO,
  row,
  signals,
} from "../support/frames.ts";

/** What a frame's columns take. */
const ROW_BYTES = 30;
const KEY_BYTES = 20;
const SIGNALS_BYTES = 90;

/** The map of a frame of two rows with some members changed, as bytes. */
function tampered(change: Record<string, unknown>, version: 1 | 2): Uint8Array {
  const map = { ...(unpack(encodeFrame(frameOf([row(), row()]), version)) as object), ...change };
  return pack(Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined)));
}

/** The bytes of a frame of two rows, one of them with signals, after a change to the frame. */
function changed(change: (frame: Frame) => void): Uint8Array {
  const frame = frameOf([row({ signals: signals(), flags: HAS_IP | HAS_SIGNALS }), bareRow({ ja4: PSEUDO })]);
  change(frame);
  return encodeFrame(frame);
}

function faultOf(bytes: Uint8Array): string {
  try {
    decodeFrame(bytes);
  } catch (error) {
    if (error instanceof FrameError) return error.fault;
    throw error;
  }
  return "none";
}

const golden = (base64 = GOLDEN_V1): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

describe("frame", () => {
  it.each([1, 2] as const)(
    "FRAME-1: version %i comes back as it was: columns, signals, samples, counters",
    (v) => {
      const frame = frameOf([
        row({ timestampMs: BASE + 5 }),
        row({ signals: signals(), flags: HAS_IP | HAS_SIGNALS, timestampMs: BASE + 60_000 }),
        bareRow(),
      ]);
      const read = decodeFrame(encodeFrame(frame, v));
      expect(read).toEqual(frame);
      expect([read.rows, read.baseMs]).toEqual([3, BASE]);
      expect(fingerprintsOf(read)).toEqual([CHROME, ""]);
      expect([...read.at]).toEqual([5, 60_000, 0]);
      expect([...read.identities.ip]).toEqual([7, 7, 0]);
      expect(read.signals).toEqual({
        fp: Uint16Array.of(0),
        seenAtMs: Float64Array.of(BASE + 60_000),
        values: signals(),
      });
      expect(
        decodeSamples(read.samples, read.fps)
          .map(({ fp, at }) => [fp, at])
          .sort(),
      ).toEqual([
        [0, 5],
        [0, 60_000],
      ]);
      expect(read.counters.lost_at_edge).toBe(3);
    },
  );

  it("FRAME-1: without rows it still carries its counters", () => {
    const read = decodeFrame(encodeFrame(frameOf([])));
    expect([read.rows, read.fps, read.samples.length]).toEqual([0, 0, 0]);
    expect(read.counters.lost_at_edge).toBe(3);
  });

  it("FRAME-1: bytes that start anywhere in memory are read as those that are aligned", () => {
    const frame = frameOf([row(), bareRow()]);
    const bytes = encodeFrame(frame);
    for (let offset = 0; offset < 8; offset++) {
      const moved = new Uint8Array(bytes.length + offset);
      moved.set(bytes, offset);
      expect(decodeFrame(moved.subarray(offset))).toEqual(frame);
    }
  });

  it.each([
    ["a newer version", { v: 3 }, "unknown_version"],
    ["no version", { v: undefined }, "unknown_version"],
    ["a version that is a text", { v: "2" }, "unknown_version"],
    ["a short id", { id: new Uint8Array(15) }, "malformed"],
    ["an unknown source", { source: "moon" }, "malformed"],
    ["a fractional base", { base: 1.5 }, "malformed"],
    ["a base before 1970", { base: -1 }, "malformed"],
    ["a base that no date can be", { base: 8.64e15 }, "malformed"],
    ["negative counters", { counters: [-1, 0, 0, 0] }, "malformed"],
    ["too few counters", { counters: [1] }, "malformed"],
    ["counters that are texts", { counters: ["1", "0", "0", "0"] }, "malformed"],
  ])("FRAME-5: %s is refused, in both versions", (_, change, fault) => {
    expect(faultOf(tampered(change, 1))).toBe(fault);
    expect(faultOf(tampered(change, 2))).toBe(fault);
  });

  it.each([
    ["a fingerprint that is none", { fps: ["curl"] }],
    ["an index past the table", { fp: new Uint8Array([9, 0, 0, 0]) }],
    ["columns of unequal length", { at: new Uint8Array(4) }],
    ["a column cut within an entry", { fp: new Uint8Array(3) }],
    ["a flag of the future", { flags: new Uint8Array(new Uint32Array([0, FLAGS_MASK + 1]).buffer) }],
    ["a text for a column", { ip: "no" }],
    ["a missing column", { asn: undefined }],
    ["sample texts that do not match", { paths: [] }],
    ["a sample text that is too long", { rays: ["r".repeat(65), "r"] }],
    ["signals past the table", { gfp: new Uint8Array([7, 0]) }],
  ])("FRAME-5: %s is refused in version 1", (_, change) => {
    expect(faultOf(tampered(change, 1))).toBe("malformed");
  });

  it.each([
    ["sizes that are no three counts", { n: [2, 1] }],
    ["sizes that do not add up", { n: [3, 1, 0] }],
    ["a fractional size", { n: [2.5, 1, 0] }],
    ["a negative size", { n: [2, 1, -1] }],
    ["more fingerprints than rows", { n: [2, 3, 0], cols: new Uint8Array(2 * ROW_BYTES + 3 * KEY_BYTES) }],
    [
      "more signals than fingerprints",
      { n: [2, 1, 2], cols: new Uint8Array(2 * ROW_BYTES + KEY_BYTES + 2 * SIGNALS_BYTES) },
    ],
    ["a byte too few", { cols: new Uint8Array(2 * ROW_BYTES + KEY_BYTES - 1) }],
    ["columns as a list", { cols: [1, 2, 3] }],
    ["no samples member", { samples: undefined }],
    ["samples as a text", { samples: "none" }],
  ])("FRAME-5: %s is refused in version 2", (_, change) => {
    expect(faultOf(tampered(change, 2))).toBe("malformed");
  });

  it.each<[string, (frame: Frame) => void]>([
    ["an index past the table", ({ fp }) => fp.set([2], 1)],
    ["a flag of the future", ({ flags }) => flags.set([FLAGS_MASK + 1], 1)],
    ["a yes to what is not known", ({ flags }) => flags.set([2], 0)],
    ["a key that no fingerprint has", ({ keys }) => keys.set([0xffff_ffff], 0)],
    ["a second spelling of a key", ({ keys }) => keys.set([2], 9)],
    ["signals past the table", ({ signals: { fp } }) => fp.set([2], 0)],
    ["signals without a time", ({ signals: { seenAtMs } }) => seenAtMs.set([Number.NaN], 0)],
    ["signals before 1970", ({ signals: { seenAtMs } }) => seenAtMs.set([-1], 0)],
    ["an infinite signal", ({ signals: { values } }) => values.set([Number.POSITIVE_INFINITY], 4)],
    ["a ratio above 1", ({ signals: { values } }) => values.set([1.1], 2)],
  ])("FRAME-5: %s is refused", (_, change) => {
    expect(faultOf(changed(change))).toBe("malformed");
    expect(faultOf(changed(() => undefined))).toBe("none");
  });

  it("FRAME-5: signals twice for a fingerprint, or out of order, are refused", () => {
    const twice = (indexes: number[]) =>
      changed((frame) => {
        const { seenAtMs, values } = frame.signals;
        frame.signals = {
          fp: Uint16Array.from(indexes),
          seenAtMs: Float64Array.of(seenAtMs[0]!, seenAtMs[0]!),
          values: Float64Array.of(...values, ...values),
        };
      });
    expect([faultOf(twice([0, 1])), faultOf(twice([1, 0])), faultOf(twice([1, 1]))]).toEqual([
      ...["none", "malformed", "malformed"],
    ]);
  });

  it("FRAME-5: so are bytes that are not one msgpack map of texts", () => {
    expect(faultOf(new Uint8Array())).toBe("not_msgpack");
    expect(faultOf(pack([1, 2]))).toBe("malformed");
    expect(faultOf(pack(new Uint8Array(3)))).toBe("malformed");
    expect(faultOf(pack(new Map<unknown, unknown>([[{ a: 1 }, 2]])))).toBe("not_msgpack");
    expect(faultOf(pack(new Map<unknown, unknown>([[1, 2]])))).toBe("not_msgpack");
    expect(faultOf(encodeFrame(frameOf([row()])).subarray(0, 100))).toBe("not_msgpack");
  });

  it("FRAME-6: rows past the limit are refused in version 1, the limit itself is not", () => {
    const columns = (rows: number) => ({
      fp: new Uint8Array(2 * rows),
      at: new Uint8Array(4 * rows),
      flags: new Uint8Array(4 * rows),
      ...Object.fromEntries(IDENTITIES.map((name) => [name, new Uint8Array(4 * rows)])),
    });
    expect(faultOf(tampered(columns(FRAME_ROWS_MAX), 1))).toBe("none");
    expect(faultOf(tampered(columns(FRAME_ROWS_MAX + 1), 1))).toBe("malformed");
  });

  it("FRAME-6: … and in version 2, as are fingerprints: a table of one for every row is the most", () => {
    const sized = (rows: number, fps: number, seen = 0) =>
      faultOf(
        tampered(
          {
            n: [rows, fps, seen],
            cols: new Uint8Array(rows * ROW_BYTES + fps * KEY_BYTES + seen * SIGNALS_BYTES),
          },
          2,
        ),
      );
    expect([sized(FRAME_ROWS_MAX, FRAME_ROWS_MAX), sized(FRAME_ROWS_MAX + 1, 1)]).toEqual([
      "none",
      "malformed",
    ]);
    expect([sized(5, 5), sized(5, 6), sized(0, 0), sized(0, 1)]).toEqual([
      "none",
      "malformed",
      "none",
      "malformed",
    ]);
  });

  it("FRAME-6: bytes, samples' bytes, texts, depth and items have a limit, which holds", () => {
    const filler = (bytes: number) => ({ filler: new Uint8Array(bytes) });
    const spare = FRAME_BYTES_MAX - tampered(filler(100_000), 2).length + 100_000;
    expect(tampered(filler(spare), 2).length).toBe(FRAME_BYTES_MAX);
    expect(faultOf(tampered(filler(spare), 2))).toBe("none");
    expect(faultOf(tampered(filler(spare + 1), 2))).toBe("too_large");
    const samples = (bytes: number) => faultOf(tampered({ samples: new Uint8Array(bytes) }, 2));
    expect([samples(FRAME_SAMPLES_BYTES_MAX), samples(FRAME_SAMPLES_BYTES_MAX + 1)]).toEqual([
      "none",
      "malformed",
    ]);
    const text = (bytes: number) => faultOf(tampered({ filler: "x".repeat(bytes) }, 2));
    expect([text(512), text(513)]).toEqual(["none", "not_msgpack"]);
    expect([faultOf(tampered({ filler: [[[]]] }, 2)), faultOf(tampered({ filler: [[[[]]]] }, 2))]).toEqual([
      ...["none", "not_msgpack"],
    ]);
    // The map, 8 members of it, 4 counters and 3 sizes, and the list itself.
    const items = (count: number) => faultOf(tampered({ filler: new Array(count).fill(0) }, 2));
    const rest = 1 + 2 * 8 + 4 + 3 + 2;
    expect([items(12 * FRAME_ROWS_MAX - rest), items(12 * FRAME_ROWS_MAX - rest + 1)]).toEqual([
      "none",
      "not_msgpack",
    ]);
  });

  it("FRAME-7: what version 1 wrote is read as the same frame", () => {
    const read = decodeFrame(golden());
    expect(read).toEqual(goldenFrame());
    expect(decodeSamples(read.samples, read.fps)).toEqual([
      {
        ...{ fp: 0, at: 5, weight: 1, status: 401, asn: 64_500, path: "/login", host: "shop.example" },
        ...{ method: "POST", ray: "8f1a2b3c4d5e6f70-AMS" },
      },
      { fp: 1, at: 60_000, weight: 1, status: 0, asn: -1, path: "/höhe", host: "", method: "", ray: "" },
    ]);
  });

  it("FRAME-7: what version 2 wrote is read as the same frame, and written again byte for byte", () => {
    expect(decodeFrame(golden(GOLDEN_V2))).toEqual(goldenFrame());
    expect(encodeFrame(goldenFrame())).toEqual(golden(GOLDEN_V2));
  });

  it("FRAME-8: a frame is written in the older form, byte for byte, with the same id", () => {
    expect(encodeFrame(goldenFrame(), 1)).toEqual(golden());
    expect(downgradeFrame(encodeFrame(goldenFrame()))).toEqual(golden());
    expect(downgradeFrame(golden())).toEqual(golden());
    expect(() => downgradeFrame(new Uint8Array(3))).toThrow(FrameError);
  });

  it("FRAME-8: samples that cannot be read are left behind", () => {
    const frame = goldenFrame();
    frame.samples = new Uint8Array([0xc1]);
    const older = decodeFrame(downgradeFrame(encodeFrame(frame)));
    expect(older).toEqual({ ...goldenFrame(), samples: new Uint8Array() });
  });
});
