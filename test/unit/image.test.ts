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
import { partsOf, sealed, stored } from "../support/images.ts";
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

/** The image of one part with some words changed, and a checksum that says so or not. */
function changed([part]: Uint8Array[], words: Readonly<Record<number, number>>, seal = true): Uint8Array[] {
  const copy = new Uint32Array(part!.slice().buffer);
  for (const [at, word] of Object.entries(words)) copy[Number(at)] = word;
  const last = copy.length - 1;
  if (seal) copy[last] = hashWords(copy, last);
  return [new Uint8Array(copy.buffer)];
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
  partsOf((writer) => {
    writer.section(LAYOUT);
    write(writer);
  });
const read = (parts: Iterable<Uint8Array>) =>
  readImage(parts, (reader) => {
    reader.section(LAYOUT);
    return reader.u32();
  });

describe("an image", () => {
  it("IMG-1: what is written is read back, value by value, however it is cut and wherever the parts lie in memory", () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 5 }), fc.integer({ min: 24, max: 90 }), (all, offset, maxBytes) => {
        const parts = partsOf((writer) => {
          for (const one of all) {
            if ("u32" in one) writer.u32(one.u32);
            else if ("int" in one) writer.int(one.int);
            else if ("words" in one) writer.words(one.words);
            else if ("bytes" in one) writer.bytes(one.bytes);
            else writer.section(one.section);
          }
        }, maxBytes);
        const lengths = parts.map(({ length }) => length);
        expect(lengths.pop()).toBeLessThanOrEqual(maxBytes);
        expect(lengths).toEqual(lengths.map(() => maxBytes - (maxBytes % 4)));
        const moved = parts.map((part) => {
          const there = new Uint8Array(part.length + offset).subarray(offset);
          there.set(part);
          return there;
        });
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
      { numRuns: 300 },
    );
  });

  it("IMG-4: what the buffer held before is not in the image", () => {
    const [, second] = partsOf((writer) => {
      for (let i = 0; i < 4; i++) writer.u32(0xffffffff);
      writer.bytes(Uint8Array.of(7, 7));
    }, 36);
    expect(new Uint32Array(second!.buffer).slice(4, -1)).toEqual(Uint32Array.of(2, 0x0707));
  });

  it("IMG-2: what is no whole image of this version and layout is refused with its fault", () => {
    const image = few();
    const [part] = image;
    expect([image.length, read(image)]).toEqual([1, 7]);
    expect(new ImageError("broken").message).toBe("image refused: broken");
    expect(faultOf(() => read([new Uint8Array()]))).toBe("no_image");
    expect(faultOf(() => read([new Uint8Array(16)]))).toBe("no_image");
    expect(faultOf(() => read([new Uint8Array(20)]))).toBe("no_image");
    expect(faultOf(() => read([part!.subarray(0, part!.length - 1)]))).toBe("no_image");
    expect(faultOf(() => read([part!.subarray(0, part!.length - 4)]))).toBe("broken");
    expect(faultOf(() => read(changed(image, { 0: 0x4854696d })))).toBe("no_image");
    expect(faultOf(() => read(changed(image, { 1: IMAGE_VERSION + 1 }, false)))).toBe("unknown_version");
    expect(faultOf(() => read(changed(image, { 2: 1 })))).toBe("broken");
    for (const more of [1, 2]) expect(faultOf(() => read(changed(image, { 3: more })))).toBe("broken");
    expect(faultOf(() => read(changed(image, { 4: LAYOUT + 1 })))).toBe("other_layout");
    expect(faultOf(() => read(changed(image, { 5: 8 }, false)))).toBe("broken");
    // Not one more and not one less than was written.
    expect(faultOf(() => readImage(image, (reader) => reader.section(LAYOUT)))).toBe("malformed");
    expect(faultOf(() => readImage(image, (reader) => [read(image), reader.int(), reader.u32()]))).toBe(
      "malformed",
    );
  });

  it("IMG-10: parts that are missing, doubled, of another image or in another order are refused", () => {
    const long = (number: number) =>
      partsOf((writer) => writer.words(Uint32Array.from({ length: 40 }, (_, i) => i % number)), 64);
    const parts = long(7);
    const sum = (image: Iterable<Uint8Array>) =>
      readImage(image, (reader) => reader.words(40).reduce((all, word) => all + word));
    expect([parts.length, sum(parts)]).toEqual([4, 5 * 21 + 10]);
    const other = long(9);
    const mixed: Record<string, Uint8Array[]> = { none: [], doubled: [...parts, ...parts] };
    for (let i = 0; i < parts.length; i++) {
      mixed[`without ${i}`] = parts.filter((_, j) => j !== i);
      mixed[`${i} twice`] = parts.flatMap((part, j) => (j === i ? [part, part] : [part]));
      mixed[`${i} of another`] = parts.map((part, j) => (j === i ? other[j]! : part));
      mixed[`from ${i} of another`] = parts.map((part, j) => (j >= i && i > 0 ? other[j]! : part));
      mixed[`${i} first`] = [parts[i]!, ...parts.filter((_, j) => j !== i)];
    }
    // What is the image itself, in spite of its name.
    delete mixed["0 first"];
    delete mixed["from 0 of another"];
    for (const [what, image] of Object.entries(mixed))
      expect(
        faultOf(() => sum(image)),
        what,
      ).toBe("broken");
    // Whole when it was checked, and shorter when it was read.
    let times = 0;
    const shrinking = { [Symbol.iterator]: () => parts.slice(0, parts.length - times++).values() };
    expect(faultOf(() => sum(shrinking))).toBe("broken");
    expect(times).toBe(2);
  });

  it("IMG-9: one part is held at a time: each is written into the same buffer, and read when the one before is used up", () => {
    const written: number[] = [];
    const buffers = new Set<ArrayBufferLike>();
    const parts: Uint8Array[] = [];
    writeImage(
      (writer) => {
        for (let i = 0; i < 20; i++) {
          writer.u32(i);
          written.push(parts.length);
        }
      },
      (part) => {
        buffers.add(part.buffer);
        parts.push(part.slice());
      },
      40,
    );
    // Five words each, besides what a part has at its ends.
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    expect(written).toEqual(numbers.map((i) => Math.floor(i / 5)));
    expect([parts.length, buffers.size]).toEqual([4, 1]);
    let given = 0;
    const counted = {
      *[Symbol.iterator]() {
        given = 0;
        for (const part of parts) {
          given++;
          yield part;
        }
      },
    };
    const read = readImage(counted, (reader) => numbers.map(() => [reader.u32(), given]));
    expect(read).toEqual(numbers.map((i) => [i, Math.floor(i / 5) + 1]));
  });

  it("IMG-9: what lies in one part is a view on it, and what lies in several a copy", () => {
    const parts = partsOf((writer) => {
      writer.words(Uint32Array.of(1, 2));
      writer.words(Uint32Array.of(3, 4));
      writer.words(new Uint32Array());
      writer.words(Uint32Array.of(5, 6));
    }, 40);
    const [first, second, third, last] = readImage(parts, (reader) =>
      Array.from({ length: 4 }, () => reader.words()),
    );
    expect([parts.length, first!.buffer === parts[0]!.buffer, third!.length]).toEqual([2, true, 0]);
    expect([[...second!], second!.buffer.byteLength, last!.buffer === parts[1]!.buffer]).toEqual([
      [3, 4],
      8,
      true,
    ]);
    const [across] = readImage(
      partsOf((writer) => writer.words(Uint32Array.of(1, 2, 3, 4, 5, 6, 7)), 40),
      (reader) => [reader.words()],
    );
    expect([[...across!], across!.buffer.byteLength]).toEqual([[1, 2, 3, 4, 5, 6, 7], 28]);
  });

  it("IMG-9: words are read to where they shall be, whatever parts they lie in, and no further than they go", () => {
    const numbers = Uint32Array.from({ length: 30 }, (_, i) => i);
    const parts = partsOf((writer) => writer.words(numbers), 40);
    const target = new Uint32Array(30);
    readImage(stored(parts), (reader) => {
      expect(reader.count()).toBe(30);
      reader.fill(target.subarray(0, 7));
      expect(faultOf(() => reader.fill(new Uint32Array(24)))).toBe("malformed");
      reader.fill(target.subarray(7));
    });
    expect(target).toEqual(numbers);
    const claims = parts.map((part) => new Uint32Array(part.slice().buffer));
    claims[0]![4] = 31;
    expect(faultOf(() => readImage(sealed(claims), (reader) => reader.count()))).toBe("malformed");
  });

  it("IMG-9: what the one who takes the parts throws ends the image; a part holds a word at least", () => {
    let taken = 0;
    const full = () =>
      writeImage(
        (writer) => writer.words(new Uint32Array(100)),
        () => {
          if (++taken === 3) throw new Error("disk full");
        },
        64,
      );
    expect(full).toThrow("disk full");
    expect(taken).toBe(3);
    expect(() => partsOf((writer) => writer.u32(1), 23)).toThrow(RangeError);
    expect(partsOf((writer) => writer.u32(1), 24)).toHaveLength(1);
  });

  it("IMG-2: lengths are checked before anything is made of them, numbers are whole ones", () => {
    const claims = few((writer) => writer.words(Uint32Array.of(1, 2)));
    const reading = (read: (reader: ImageReader) => unknown, words: Record<number, number> = {}) => {
      const reader = new ImageReader(changed(claims, words));
      reader.section(LAYOUT);
      return faultOf(() => read(reader));
    };
    for (const length of [3, 0x7fffffff, 0xffffffff])
      expect(reading((reader) => reader.words(), { 5: length })).toBe("malformed");
    for (const length of [9, 0x7fffffff, 0xffffffff])
      expect(reading((reader) => reader.bytes(), { 5: length })).toBe("malformed");
    expect(reading((reader) => reader.words())).toBe("none");
    expect(reading((reader) => reader.bytes(), { 5: 8 })).toBe("none");
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
      expect(reading((reader) => reader.int(), { 5: double(value)[0]!, 6: double(value)[1]! })).toBe(
        "malformed",
      );
    // Nor by way of the next part.
    const cut = partsOf((writer) => writer.words(new Uint32Array(20)), 64).map(
      (part) => new Uint32Array(part.buffer),
    );
    for (const [length, fault] of [
      [20, "none"],
      [21, "malformed"],
      [0xffffffff, "malformed"],
    ] as const) {
      cut[0]![4] = length;
      expect(faultOf(() => readImage(sealed(cut), (reader) => reader.words()))).toBe(fault);
    }
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
    const image = partsOf((writer) => ring.writeImage(writer), 200);
    const read = (frames: number, bytes = 1_000_000) =>
      readImage(stored(image), (reader) => EvidenceRing.readImage(reader, { frames, bytes }));
    const same = read(4);
    expect([same.unreadable, same.byteLength]).toEqual([1, ring.byteLength]);
    expect(same.of([CHROME, PSEUDO], 0)).toEqual(ring.of([CHROME, PSEUDO], 0));
    expect(partsOf((writer) => same.writeImage(writer), 200)).toEqual(image);
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
    const wrong = partsOf((writer) => {
      writer.section(new Uint32Array(image[0]!.buffer)[4]!);
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
    const image = partsOf((writer) => window.writeImage(writer));
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
    const image = partsOf((writer) => window.writeImage(writer));
    const [part] = image;
    const words = new Uint32Array(part!.buffer);
    // When this fails a layout has changed, and older images are refused as that; or something else has, and they would be
    // misread: then IMAGE_VERSION must go up. Either way the new numbers belong here.
    expect([IMAGE_VERSION, image.length, part!.length, words.at(-1)]).toEqual([1, 1, 368_476, 1_722_641_118]);
  });
});
