/** How much gzip inflates to, against what it does inflate to. */
import { constants, gunzipSync, gzipSync, type ZlibOptions } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GzipError } from "../../src/wire/gunzip.ts";
import { inflatedSize } from "../../src/wire/inflated-size.ts";
import { runs } from "../support/runs.ts";

const MIB = 1_048_576;

/** Words repeated, so that codes of all lengths and distances of all sizes occur; or noise; or one byte over and over. */
const text = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }),
  fc
    .array(fc.tuple(fc.stringMatching(/^[a-z0-9{}":,]{1,12}$/), fc.integer({ min: 1, max: 400 })), {
      maxLength: 60,
    })
    .map((words) => Buffer.from(words.map(([word, times]) => word.repeat(times)).join(""))),
  fc.tuple(fc.nat(255), fc.integer({ min: 0, max: 100_000 })).map(([byte, size]) => Buffer.alloc(size, byte)),
);
const options: fc.Arbitrary<ZlibOptions> = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  strategy: fc.constantFrom(
    ...[constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE],
  ),
});
/** What RFC 1952 lets stand in a header. */
const header = fc.record({
  extra: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
  name: fc.option(fc.stringMatching(/^[a-z.]{0,20}$/), { nil: undefined }),
  comment: fc.option(fc.stringMatching(/^[a-z ]{0,20}$/), { nil: undefined }),
});
const member = fc
  .tuple(text, options, header)
  .map(([bytes, how, more]) => ({ size: bytes.length, wire: withHeader(gzipSync(bytes, how), more) }));

function withHeader(
  wire: Buffer,
  {
    extra,
    name,
    comment,
  }: { extra?: Uint8Array | undefined; name?: string | undefined; comment?: string | undefined },
) {
  const head = Buffer.from(wire.subarray(0, 10));
  const parts: Uint8Array[] = [head];
  if (extra !== undefined) {
    head[3]! |= 4;
    parts.push(Uint8Array.of(extra.length & 0xff, extra.length >> 8), extra);
  }
  if (name !== undefined) {
    head[3]! |= 8;
    parts.push(Buffer.from(`${name}\0`));
  }
  if (comment !== undefined) {
    head[3]! |= 16;
    parts.push(Buffer.from(`${comment}\0`));
  }
  return Buffer.concat([...parts, wire.subarray(10)]);
}

/** The size, or that the bytes are damaged. Anything else that is thrown is a fault. */
function sizeOf(bytes: Uint8Array, max = Number.POSITIVE_INFINITY): number | "damaged" {
  try {
    return inflatedSize(bytes, max);
  } catch (error) {
    if (error instanceof GzipError) return "damaged";
    throw error;
  }
}

describe("the size of what gzip holds", () => {
  it("UPL-2: is that of all members together, of any compressor and header, with zeros between (seed 21)", () => {
    fc.assert(
      fc.property(fc.array(member, { minLength: 1, maxLength: 5 }), fc.nat(20), (members, zeros) => {
        const wire = Buffer.concat(members.flatMap((one) => [one.wire, Buffer.alloc(zeros)]));
        const size = members.reduce((sum, one) => sum + one.size, 0);
        expect(inflatedSize(wire, Number.POSITIVE_INFINITY)).toBe(size);
        expect(inflatedSize(wire, size)).toBe(size);
        if (size > 0) expect(inflatedSize(wire, size - 1)).toBeGreaterThan(size - 1);
      }),
      { numRuns: runs(300), seed: 21 },
    );
  });

  it("UPL-2: a header with a check of its own is read", () => {
    const wire = gzipSync("with a check");
    wire[3]! |= 2;
    const checked = Buffer.concat([wire.subarray(0, 10), Buffer.alloc(2), wire.subarray(10)]);
    expect(inflatedSize(checked, 100)).toBe(12);
  });

  it("UPL-3: bytes that were changed are damage, or as long as they inflate to where they do (seed 22)", () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    let damaged = 0;
    fc.assert(
      fc.property(member, fc.array(change, { minLength: 1, maxLength: 3 }), ({ wire }, changes) => {
        const bytes = Uint8Array.from(wire);
        for (const [at, mask] of changes) bytes[at % bytes.length]! ^= mask;
        const size = sizeOf(bytes);
        if (size === "damaged") damaged++;
        const inflated = inflatedOrNot(bytes);
        if (inflated !== undefined) expect(size).toBe(inflated);
      }),
      { numRuns: runs(1_000), seed: 22 },
    );
    expect(damaged).toBeGreaterThan(0);
  });

  it("UPL-3: what ends too early, or is followed by anything else, is damage", () => {
    const whole = gzipSync("a text that is long enough to have a middle, and a middle of its own");
    for (let length = 0; length < whole.length; length++)
      expect(sizeOf(whole.subarray(0, length))).toBe("damaged");
    for (let length = 1; length < whole.length; length++)
      expect(sizeOf(Buffer.concat([whole, whole.subarray(0, length)]))).toBe("damaged");
    expect(sizeOf(Buffer.concat([whole, Buffer.from("x")]))).toBe("damaged");
  });
});

/** What zlib makes of it. */
function inflatedOrNot(bytes: Uint8Array): number | undefined {
  try {
    return gunzipSync(bytes).length;
  } catch {
    return undefined;
  }
}

describe("bombs", () => {
  const bomb = gzipSync(Buffer.alloc(70 * MIB));

  it("HOST-1: what inflates too far is told, and what is just short enough is not", () => {
    expect(inflatedSize(bomb, 64 * MIB)).toBeGreaterThan(64 * MIB);
    expect(inflatedSize(bomb, 70 * MIB)).toBe(70 * MIB);
  });

  it("HOST-1: whatever its trailer says, and that of the member behind it", () => {
    const lying = Buffer.concat([bomb.subarray(0, -4), Buffer.alloc(4), gzipSync("{}\n")]);
    expect(inflatedSize(lying, 64 * MIB)).toBeGreaterThan(64 * MIB);
  });

  it("HOST-1: its end is not read for it", () => {
    const read = inflatedSize(bomb.subarray(0, Math.ceil((bomb.length * 65) / 70)), 64 * MIB);
    expect(read).toBeGreaterThan(64 * MIB);
    expect(read).toBeLessThanOrEqual(64 * MIB + 258);
  });
});
