import { describe, expect, it } from "vitest";
import { FRAME_BYTES_MAX, FRAME_BYTES_TARGET, FRAME_ROWS_MAX, FRAME_SAMPLES_MAX } from "../../src/config.ts";
import { pack, unpack } from "../../src/wire/codec.ts";
import { FLAGS_MASK, HAS_IP, HAS_SIGNALS } from "../../src/wire/flags.ts";
import { decodeFrame, encodeFrame, type Frame, FrameError, IDENTITIES } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const BASE = 1_763_892_000_000;

function row(over: Partial<Row> = {}): Row {
  return {
    timestampMs: BASE,
    ja4: CHROME,
    flags: HAS_IP,
    hashes: { ip: 7, ua: 0, path: 0, host: 0, asn: 0 },
    signals: undefined,
    path: "/login",
    host: "shop.example",
    method: "POST",
    status: 401,
    asn: 64_500,
    rayId: "ray1",
    ...over,
  };
}

function frameOf(rows: Row[]): Frame {
  const builder = new FrameBuilder();
  for (const each of rows) builder.add(each);
  return builder.build(new Uint8Array(16).fill(9), "edge", { ...NO_COUNTERS, lost_at_edge: 3 });
}

/** The frame's map with some members changed, as bytes. */
function tampered(change: Record<string, unknown>): Uint8Array {
  const map = { ...(unpack(encodeFrame(frameOf([row(), row()]))) as object), ...change };
  return pack(Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined)));
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

describe("frame", () => {
  it("FRAME-1: comes back as it was, columns, signals, samples and counters", () => {
    const signals = new Float64Array(10).fill(Number.NaN);
    signals[2] = 0.93;
    const frame = frameOf([
      row({ timestampMs: BASE + 5 }),
      row({ signals, flags: HAS_IP | HAS_SIGNALS, timestampMs: BASE + 60_000 }),
      row({ ja4: "", path: undefined, status: undefined, asn: undefined, timestampMs: BASE }),
    ]);
    const read = decodeFrame(encodeFrame(frame));
    expect(read).toEqual(frame);
    expect(read.baseMs).toBe(BASE);
    expect(read.fps).toEqual([CHROME, ""]);
    expect(read.samples.map((sample) => sample.fp)).toEqual([0, 0]);
    expect(read.counters.lost_at_edge).toBe(3);
  });

  it("FRAME-1: without rows it still carries its counters", () => {
    const read = decodeFrame(encodeFrame(frameOf([])));
    expect(read.rows).toBe(0);
    expect(read.counters.lost_at_edge).toBe(3);
  });

  it("FRAME-2: samples are bounded, spread over the frame, and their weights stand for all rows", () => {
    const rows = Array.from({ length: 1_000 }, (_, i) => row({ timestampMs: BASE + i, path: `/${i}` }));
    const { samples } = frameOf(rows);
    expect(samples).toHaveLength(FRAME_SAMPLES_MAX);
    const weight = samples.reduce((sum, sample) => sum + sample.weight, 0);
    expect(weight).toBe(1_000);
    expect(Math.max(...samples.map(({ at }) => at))).toBeGreaterThan(500);
  });

  it("FRAME-3: the same rows make the same bytes, which repeats rely on", () => {
    const rows = Array.from({ length: 50 }, (_, i) => row({ timestampMs: BASE + i, path: `/${i}` }));
    expect(encodeFrame(frameOf(rows))).toEqual(encodeFrame(frameOf(rows)));
  });

  it("FRAME-4: the builder is full at the row limit, and a frame of the longest texts fits the byte limit", () => {
    const builder = new FrameBuilder();
    let rows = 0;
    while (!builder.isFull()) {
      const ja4 = `t13d1516h2_${(rows++).toString(16).padStart(12, "0")}_02713d6af862`;
      builder.add(
        row({
          ja4,
          path: "€".repeat(128),
          host: "€".repeat(128),
          method: "€".repeat(128),
          rayId: "r".repeat(64),
        }),
      );
    }
    const bytes = encodeFrame(builder.build(new Uint8Array(16), "edge", NO_COUNTERS)).length;
    expect(bytes).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    expect(bytes).toBeGreaterThan(FRAME_BYTES_TARGET / 2);
    const plain = new FrameBuilder();
    for (let i = 0; i < FRAME_ROWS_MAX - 1; i++) plain.add(row());
    expect(plain.isFull()).toBe(false);
    plain.add(row());
    expect(plain.isFull()).toBe(true);
  });

  it.each([
    ["a newer version", { v: 2 }, "unknown_version"],
    ["no version", { v: undefined }, "unknown_version"],
    ["a short id", { id: new Uint8Array(15) }, "malformed"],
    ["an unknown source", { source: "moon" }, "malformed"],
    ["a fractional base", { base: 1.5 }, "malformed"],
    ["a fingerprint that is none", { fps: ["curl"] }, "malformed"],
    ["an index past the table", { fp: new Uint8Array([9, 0, 0, 0]) }, "malformed"],
    ["columns of unequal length", { at: new Uint8Array(4) }, "malformed"],
    ["a column cut within an entry", { fp: new Uint8Array(3) }, "malformed"],
    [
      "a flag of the future",
      { flags: new Uint8Array(new Uint32Array([0, FLAGS_MASK + 1]).buffer) },
      "malformed",
    ],
    ["a text for a column", { ip: "no" }, "malformed"],
    ["a missing column", { asn: undefined }, "malformed"],
    ["negative counters", { counters: [-1, 0, 0, 0] }, "malformed"],
    ["too few counters", { counters: [1] }, "malformed"],
    ["sample texts that do not match", { paths: [] }, "malformed"],
    ["a sample text that is too long", { rays: ["r".repeat(65), "r"] }, "malformed"],
    ["signals past the table", { gfp: new Uint8Array([7, 0]) }, "malformed"],
  ])("FRAME-5: %s is refused", (_, change, fault) => {
    expect(faultOf(tampered(change))).toBe(fault);
  });

  it("FRAME-5: so are bytes that are not one msgpack map, and more than the limit", () => {
    expect(faultOf(new Uint8Array())).toBe("not_msgpack");
    expect(faultOf(pack([1, 2]))).toBe("malformed");
    expect(faultOf(encodeFrame(frameOf([row()])).subarray(0, 100))).toBe("not_msgpack");
    expect(faultOf(new Uint8Array(FRAME_BYTES_MAX + 1))).toBe("too_large");
    expect(faultOf(tampered({}))).toBe("none");
  });

  it("FRAME-6: rows past the limit are refused, the limit itself is not", () => {
    const columns = (rows: number) => ({
      fp: new Uint8Array(2 * rows),
      at: new Uint8Array(4 * rows),
      flags: new Uint8Array(4 * rows),
      ...Object.fromEntries(IDENTITIES.map((name) => [name, new Uint8Array(4 * rows)])),
    });
    expect(faultOf(tampered(columns(FRAME_ROWS_MAX)))).toBe("none");
    expect(faultOf(tampered(columns(FRAME_ROWS_MAX + 1)))).toBe("malformed");
  });
});
