import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_ROWS_MAX, FRAME_SAMPLES_BYTES_MAX, FRAME_SAMPLES_MAX } from "../../src/config.ts";
import { pack, unpack } from "../../src/wire/codec.ts";
import { FrameError } from "../../src/wire/frame.ts";
import { decodeSamples, type FrameSample, SampleWriter } from "../../src/wire/samples.ts";

const SAMPLE_BYTES = 24;

function packed(samples: readonly FrameSample[]): Uint8Array {
  const writer = new SampleWriter(samples.length);
  for (const sample of samples) writer.add(sample);
  return writer.bytes();
}

const sample = (over: Partial<FrameSample> = {}): FrameSample => ({
  ...{ fp: 0, at: 5, weight: 3, status: 200, asn: 64_500, path: "/a", host: "h", method: "GET", ray: "r1" },
  ...over,
});

function faultOf(bytes: Uint8Array, fps = 1): string {
  try {
    decodeSamples(bytes, fps);
  } catch (error) {
    if (error instanceof FrameError) return error.fault;
    throw error;
  }
  return "none";
}

/** Two packed samples with some members of their map changed. */
function tampered(change: Record<string, unknown>): Uint8Array {
  return pack({ ...(unpack(packed([sample(), sample({ path: "/b" })])) as object), ...change });
}

describe("samples", () => {
  it("SAMPLE-1: come back as they were", () => {
    const text = fc.constantFrom("", "/login", "/höhe", "GET", "\u{1f600}", "x".repeat(64));
    const any = fc.record<FrameSample>({
      fp: fc.integer({ min: 0, max: 99 }),
      at: fc.integer({ min: 0, max: 0xffff_ffff }),
      weight: fc.integer({ min: 0, max: 0xffff_ffff }),
      status: fc.integer({ min: 0, max: 599 }),
      asn: fc.integer({ min: -1, max: 0xffff_ffff }),
      ...{ path: text, host: text, method: text, ray: text },
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), (samples) => {
        const bytes = packed(samples);
        expect(decodeSamples(bytes, 100)).toEqual(samples);
      }),
      { seed: 3 },
    );
    expect(packed([])).toHaveLength(0);
  });

  it("SAMPLE-1: a text that many of them share is on the wire once", () => {
    const path = `/${"x".repeat(100)}`;
    const bytes = packed(Array.from({ length: 50 }, (_, i) => sample({ path, ray: `r${i}` })));
    expect(bytes.length).toBeLessThan(50 * (SAMPLE_BYTES + 3) + path.length + 50);
  });

  /** Columns of one sample whose four texts have these lengths. */
  const lengths = (...shorts: number[]) =>
    new Uint8Array(Uint16Array.of(0, 0, 0, 0, 0, 0, 0, 0, ...shorts).buffer);
  const utf8 = (text: string) => new TextEncoder().encode(text);

  it.each([
    [
      "a fingerprint past the table",
      { n: 1, cols: new Uint8Array(SAMPLE_BYTES).fill(1, 12, 14), text: utf8("") },
    ],
    ["a text past the end", { n: 1, cols: lengths(1, 1, 1, 1), text: utf8("abc") }],
    ["text that is nobody's", { n: 1, cols: lengths(1, 1, 1, 1), text: utf8("abcde") }],
    ["a text that ends within a character", { n: 1, cols: lengths(1, 1, 0, 0), text: utf8("\u{1f600}") }],
    ["text that is not UTF-8", { n: 1, cols: lengths(1, 0, 0, 0), text: new Uint8Array([0xff]) }],
    ["text that is a text", { n: 1, cols: lengths(1, 0, 0, 0), text: "a" }],
    ["columns that do not fit their number", { n: 3 }],
    ["a number that is none", { n: "2" }],
    ["no columns", { cols: null }],
  ])("SAMPLE-1: %s is malformed", (_, change) => {
    expect(faultOf(tampered({ n: 1, cols: lengths(1, 1, 1, 1), text: utf8("abcd") }))).toBe("none");
    expect(faultOf(tampered(change))).toBe("malformed");
  });

  it("SAMPLE-1: what is no msgpack map is refused, extension types too", () => {
    expect(faultOf(new Uint8Array([0xc1]))).toBe("not_msgpack");
    expect(faultOf(new Uint8Array([0xd4, 0x78, 0x2f]))).toBe("not_msgpack");
    expect(faultOf(pack([1]))).toBe("malformed");
  });

  it("SAMPLE-2: samples a fingerprint, samples, texts and bytes have a limit, which holds", () => {
    const sized = (n: number, fps: number) =>
      faultOf(tampered({ n, cols: new Uint8Array(n * SAMPLE_BYTES), text: utf8("") }), fps);
    expect([sized(FRAME_SAMPLES_MAX, 1), sized(FRAME_SAMPLES_MAX + 1, 1)]).toEqual(["none", "malformed"]);
    expect([sized(FRAME_ROWS_MAX, 4_000), sized(FRAME_ROWS_MAX + 1, 4_000)]).toEqual(["none", "malformed"]);
    const texts = (path: number, ray: number) =>
      faultOf(tampered({ n: 1, cols: lengths(path, 0, 0, ray), text: utf8("a".repeat(path + ray)) }));
    expect([texts(128, 64), texts(129, 0), texts(0, 65)]).toEqual(["none", "malformed", "malformed"]);
    // The map, three members, and another one: a list.
    const items = (count: number) => faultOf(tampered({ filler: new Array(count).fill(0) }));
    expect([items(32 - 9), items(33 - 9)]).toEqual(["none", "not_msgpack"]);
    const nested = (filler: unknown) => faultOf(tampered({ filler }));
    expect([nested([[]]), nested([[[]]])]).toEqual(["none", "not_msgpack"]);
    const filler = (bytes: number) => tampered({ filler: new Uint8Array(bytes) });
    const spare = FRAME_SAMPLES_BYTES_MAX - filler(100_000).length + 100_000;
    expect([faultOf(filler(spare)), faultOf(filler(spare + 1))]).toEqual(["none", "too_large"]);
  });
});
