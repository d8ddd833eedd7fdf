import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { hashWords } from "../../src/base/hash.ts";
import {
  IMAGE_VERSION,
  ImageError,
  ImageReader,
  type ImageWriter,
  layoutOf,
  readImage,
  writeImage,
} from "../../src/base/image.ts";
import { EvidenceRing } from "../../src/detect/evidence-ring.ts";
import { Window } from "../../src/window/window.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame.ts";
import { KEY_WORDS } from "../../src/wire/key.ts";
import { BASE, CHROME, frameOf, PSEUDO, row } from "../support/frames.ts";
import { ja4Of, type Observed, frameOf as observedFrame } from "../support/window-frames.ts";

const LAYOUT = layoutOf("test", 1);

function faultOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ImageError) return error.fault;
    throw error;
  }
  return "none";
}

/** The image with some words changed, and a checksum that says so or not. */
function changed(image: Uint8Array, words: Readonly<Record<number, number>>, sealed = true): Uint8Array {
  const copy = new Uint32Array(image.slice().buffer);
  for (const [at, word] of Object.entries(words)) copy[Number(at)] = word;
  const last = copy.length - 1;
  if (sealed) copy[last] = hashWords(copy, last);
  return new Uint8Array(copy.buffer);
}

/** A value of each kind that a section can hold. */
const values = fc.array(
  fc.oneof(
    fc.record({ u32: fc.nat({ max: 0xffffffff }) }),
    fc.record({ int: fc.maxSafeInteger() }),
    fc.record({ words: fc.uint32Array({ maxLength: 9 }) }),
    fc.record({ bytes: fc.uint8Array({ maxLength: 9 }) }),
    fc.record({ section: fc.nat({ max: 0xffffffff }) }),
  ),
);

const few = (write = (writer: ImageWriter) => writer.u32(7)) =>
  writeImage((writer) => {
    writer.section(LAYOUT);
    write(writer);
  });
const read = (bytes: Uint8Array) =>
  readImage(bytes, (reader) => {
    reader.section(LAYOUT);
    return reader.u32();
  });

describe("an image", () => {
  it("IMG-1: what is written is read back, value by value, wherever the bytes lie in memory", () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 5 }), (all, offset) => {
        const image = writeImage((writer) => {
          for (const one of all) {
            if ("u32" in one) writer.u32(one.u32);
            else if ("int" in one) writer.int(one.int);
            else if ("words" in one) writer.words(one.words);
            else if ("bytes" in one) writer.bytes(one.bytes);
            else writer.section(one.section);
          }
        });
        expect(image.length).toBe(image.buffer.byteLength);
        const moved = new Uint8Array(image.length + offset).subarray(offset);
        moved.set(image);
        const back = readImage(moved, (reader) =>
          all.map((one) => {
            if ("u32" in one) return { u32: reader.u32() };
            if ("int" in one) return { int: reader.int() };
            if ("words" in one) return { words: reader.words().slice() };
            if ("bytes" in one) return { bytes: reader.bytes().slice() };
            reader.section(one.section);
            return { section: one.section };
          }),
        );
        expect(back).toEqual(all);
      }),
      { numRuns: 200 },
    );
  });

  it("IMG-1: what measures and writes differently is our own mistake", () => {
    let calls = 0;
    expect(() => writeImage((writer) => writer.words(new Uint32Array(++calls)))).toThrow("second time");
  });

  it("IMG-2: what is no whole image of this version and layout is refused with its fault", () => {
    const image = few();
    const words = image.length / 4;
    expect(read(image)).toBe(7);
    expect(new ImageError("broken").message).toBe("image refused: broken");
    expect(faultOf(() => read(new Uint8Array()))).toBe("no_image");
    expect(faultOf(() => read(new Uint8Array(12)))).toBe("no_image");
    expect(faultOf(() => read(new Uint8Array(16)))).toBe("no_image");
    expect(faultOf(() => read(image.subarray(0, image.length - 1)))).toBe("no_image");
    expect(faultOf(() => read(image.subarray(0, image.length - 4)))).toBe("broken");
    expect(faultOf(() => read(changed(image, { 0: 0x4854696d })))).toBe("no_image");
    expect(faultOf(() => read(changed(image, { 1: IMAGE_VERSION + 1 }, false)))).toBe("unknown_version");
    expect(faultOf(() => read(changed(image, { 2: words + 1 })))).toBe("broken");
    expect(faultOf(() => read(changed(image, { 3: LAYOUT + 1 })))).toBe("other_layout");
    expect(faultOf(() => read(changed(image, { 4: 8 }, false)))).toBe("broken");
    // Not one more and not one less than was written.
    expect(faultOf(() => readImage(image, (reader) => reader.section(LAYOUT)))).toBe("malformed");
    expect(faultOf(() => readImage(image, (reader) => [read(image), reader.int(), reader.u32()]))).toBe(
      "malformed",
    );
  });

  it("IMG-2: lengths are checked before anything is made of them, numbers are whole ones", () => {
    const claims = few((writer) => writer.words(Uint32Array.of(1, 2)));
    const reading = (read: (reader: ImageReader) => unknown, words: Record<number, number> = {}) => {
      const reader = new ImageReader(changed(claims, words));
      reader.section(LAYOUT);
      return faultOf(() => read(reader));
    };
    for (const length of [3, 0x7fffffff, 0xffffffff])
      expect(reading((reader) => reader.words(), { 4: length })).toBe("malformed");
    for (const length of [9, 0x7fffffff, 0xffffffff])
      expect(reading((reader) => reader.bytes(), { 4: length })).toBe("malformed");
    expect(reading((reader) => reader.words())).toBe("none");
    expect(reading((reader) => reader.bytes(), { 4: 8 })).toBe("none");
    expect([reading((reader) => reader.words(2)), reading((reader) => reader.words(1))]).toEqual([
      "none",
      "malformed",
    ]);
    expect([reading((reader) => reader.u32(2)), reading((reader) => reader.u32(1))]).toEqual([
      "none",
      "malformed",
    ]);
    const double = (value: number) => new Uint32Array(Float64Array.of(value).buffer);
    for (const value of [Number.NaN, 0.5, 2 ** 53, Number.NEGATIVE_INFINITY])
      expect(reading((reader) => reader.int(), { 4: double(value)[0]!, 5: double(value)[1]! })).toBe(
        "malformed",
      );
  });

  it("IMG-2: a word that differs always shows in the checksum, and so does one more or less", () => {
    fc.assert(
      fc.property(
        fc.uint32Array({ minLength: 1, maxLength: 21 }),
        fc.nat(),
        fc.integer({ min: 1, max: 0xffffffff }),
        (words, place, bits) => {
          const other = words.slice();
          const at = place % words.length;
          other[at] = other[at]! ^ bits;
          expect(hashWords(other, other.length)).not.toBe(hashWords(words, words.length));
          expect(hashWords(words, at)).not.toBe(hashWords(words, words.length));
        },
      ),
      { numRuns: 500 },
    );
    expect(new Set(Array.from({ length: 40 }, (_, n) => hashWords(new Uint32Array(n), n))).size).toBe(40);
  });

  it("IMG-2: a layout is told from every other: by its name, each number, and their order", () => {
    const layouts = [
      layoutOf("rows"),
      layoutOf("rows", 7),
      layoutOf("rows", 7, 10),
      layoutOf("rows", 10, 7),
      layoutOf("rows", 71, 0),
      layoutOf("rows", "7", 10),
      layoutOf("records", 7, 10),
    ];
    expect(new Set(layouts).size).toBe(layouts.length);
  });

  it("IMG-5: evidence comes back with the newest first, as far as it fits", () => {
    const ring = new EvidenceRing({ frames: 4, bytes: 1_000_000 });
    for (let i = 0; i < 7; i++) {
      const rows = [row({ path: `/${i}`, timestampMs: BASE + i }), row({ ja4: PSEUDO, path: "/other" })];
      ring.add(decodeFrame(encodeFrame(frameOf(rows))));
    }
    const frame = decodeFrame(encodeFrame(frameOf([row({ path: "/broken", timestampMs: BASE })])));
    ring.add({ ...frame, samples: Uint8Array.of(1, 2, 3) });
    expect(ring.of([CHROME], 0).get(CHROME)).toHaveLength(3);
    const image = writeImage((writer) => ring.writeImage(writer));
    const read = (frames: number, bytes = 1_000_000) =>
      readImage(image, (reader) => EvidenceRing.readImage(reader, { frames, bytes }));
    const same = read(4);
    expect([same.unreadable, same.byteLength]).toEqual([1, ring.byteLength]);
    expect(same.of([CHROME, PSEUDO], 0)).toEqual(ring.of([CHROME, PSEUDO], 0));
    expect(writeImage((writer) => same.writeImage(writer))).toEqual(image);
    const paths = (one: EvidenceRing) =>
      one
        .of([CHROME], 0)
        .get(CHROME)!
        .map(({ path }) => path);
    expect(paths(same)).toEqual(["/6", "/5", "/4"]);
    expect(paths(read(3))).toEqual(["/6", "/5"]);
    expect(paths(read(4, ring.byteLength - 1))).toEqual(["/6", "/5"]);
    // They go on alike.
    for (const one of [ring, same]) one.add(decodeFrame(encodeFrame(frameOf([row({ path: "/next" })]))));
    expect(paths(same)).toEqual(paths(ring));
    // A key has so many words.
    const wrong = writeImage((writer) => {
      writer.section(new Uint32Array(image.buffer)[3]!);
      writer.u32(0);
      writer.u32(1);
      writer.int(BASE);
      writer.words(new Uint32Array(KEY_WORDS - 1));
      writer.bytes(new Uint8Array(1));
    });
    expect(faultOf(() => readImage(wrong, (reader) => EvidenceRing.readImage(reader)))).toBe("malformed");
  });

  it("IMG-7: code that lays its memory out differently refuses the image", async () => {
    const window = new Window(1);
    window.apply(observedFrame([{ at: BASE, ja4: ja4Of(1), ip: 1 }]), BASE);
    const image = writeImage((writer) => window.writeImage(writer));
    for (const other of [{ SLOT_MS: 10_000 }, { STAMP_MS: 60_000 }]) {
      vi.resetModules();
      vi.doMock("../../src/config.ts", async (original) => ({ ...(await original<object>()), ...other }));
      const { Window: Other } = await import("../../src/window/window.ts");
      const images = await import("../../src/base/image.ts");
      const refusal = (() => {
        try {
          images.readImage(image, (reader) => Other.readImage(reader));
        } catch (error) {
          return error instanceof images.ImageError ? error.fault : error;
        }
        return "none";
      })();
      expect(refusal, JSON.stringify(other)).toBe("other_layout");
    }
    vi.doUnmock("../../src/config.ts");
  });

  it("IMG-8: the bytes change with the version or a layout only", () => {
    const window = new Window(0x5eed, { fingerprints: 12 });
    for (let minute = 0; minute < 20; minute++) {
      const now = BASE + minute * 60_000;
      const rows = Array.from({ length: 400 }, (_, i): Observed => {
        const n = (i * 7 + minute) % 31;
        return {
          at: now - i * 250,
          ja4: n === 30 ? "" : ja4Of(n % 17),
          ip: i * minute,
          path: i,
          asn: n,
        };
      });
      window.apply(observedFrame(rows), now);
    }
    expect(window.pressure().evicted).toBeGreaterThan(0);
    const image = writeImage((writer) => window.writeImage(writer));
    const words = new Uint32Array(image.buffer);
    // When this fails a layout has changed, and older images are refused as that; or something else has, and they would be
    // misread: then IMAGE_VERSION must go up. Either way the new numbers belong here.
    expect([IMAGE_VERSION, image.length, words.at(-1)]).toEqual([1, 368_432, 2_257_119_378]);
  });
});
