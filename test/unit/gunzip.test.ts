import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gunzip, GzipError, isGzip } from "../../src/wire/gunzip.ts";
import { LineCounter, LineSplitter, LineTooLongError } from "../../src/wire/lines.ts";
import { runs } from "../support/runs.ts";

/** What comes out when the bytes come in pieces that end at these places. */
function inflate(bytes: Uint8Array, ends: readonly number[] = []): Buffer {
  const gunzip = new Gunzip();
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const end of [...ends.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    pieces.push(...gunzip.push(bytes.subarray(from, end)));
    from = end;
  }
  gunzip.finish();
  return Buffer.concat(pieces);
}

describe("gunzip", () => {
  it("GZIP-1: members, however they are cut, inflate to all that went in; zeros behind them are padding", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 3_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(parts, fc.array(fc.nat(20_000), { maxLength: 8 }), fc.nat(40), (texts, ends, zeros) => {
        const wire = Buffer.concat([...texts.map((text) => gzipSync(text)), Buffer.alloc(zeros)]);
        expect(isGzip(wire)).toBe(true);
        expect(inflate(wire, ends).equals(Buffer.concat(texts))).toBe(true);
      }),
      { numRuns: runs(200), seed: 11 },
    );
  });

  it("GZIP-1: a member may end where a piece does", () => {
    const [a, b] = [gzipSync("first"), gzipSync("second")];
    expect(inflate(Buffer.concat([a, b]), [a.length]).toString()).toBe("firstsecond");
  });

  it("GZIP-2: what is cut off, damaged or followed by anything else is refused", () => {
    const whole = gzipSync("a text that is long enough to have a middle");
    for (let length = 0; length < whole.length; length++)
      expect(() => inflate(whole.subarray(0, length))).toThrow(GzipError);
    for (const at of [0, 2, 20, whole.length - 8, whole.length - 4]) {
      const damaged = Uint8Array.from(whole);
      damaged[at]! ^= 0x55;
      expect(() => inflate(damaged)).toThrow(GzipError);
    }
    expect(() => inflate(Buffer.concat([whole, Buffer.from("x")]))).toThrow(GzipError);
  });

  it("GZIP-3: a step of a bomb makes at most 2 MiB, and nobody who stops asking gets more", () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1_048_576));
    const gunzip = new Gunzip();
    let most = 0;
    for (let at = 0; at < bomb.length; at += 2_048) {
      let made = 0;
      for (const piece of gunzip.push(bomb.subarray(at, at + 2_048))) made += piece.length;
      most = Math.max(most, made);
    }
    expect(most).toBeGreaterThan(1_048_576);
    expect(most).toBeLessThanOrEqual(2_048 * 1_032 + 65_536);
    const [first] = new Gunzip().push(bomb);
    expect(first!.length).toBe(65_536);
  });
});

describe("lines", () => {
  const utf8 = new TextDecoder();

  it("LINE-1: pieces of any size give the lines of the whole that are not blank", () => {
    const text = fc.stringMatching(/^[ab \n\r\t]{0,80}$/);
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (whole, size) => {
        const bytes = new TextEncoder().encode(whole);
        const splitter = new LineSplitter(100);
        const found: string[] = [];
        for (let at = 0; at < bytes.length; at += size)
          for (const line of splitter.push(bytes.subarray(at, at + size))) found.push(utf8.decode(line));
        for (const line of splitter.finish()) found.push(utf8.decode(line));
        const lines = whole.split("\n").map((line) => line.trimStart());
        expect(found.map((line) => line.trimEnd())).toEqual(
          lines.map((line) => line.trimEnd()).filter(Boolean),
        );
      }),
      { numRuns: runs(500), seed: 11 },
    );
  });

  it("UPL-4: lines are counted as they are cut, and refused where one is too long (seed 23)", () => {
    const text = fc.stringMatching(/^[ab \n\r\t]{0,80}$/);
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        (whole, size, max) => {
          const bytes = new TextEncoder().encode(whole);
          const pieces: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
          const counter = new LineCounter(max);
          const splitter = new LineSplitter(max);
          const counted = orTooLong(() => {
            for (const piece of pieces) counter.push(piece);
            return counter.count;
          });
          const cut = orTooLong(
            () => [...pieces.flatMap((piece) => [...splitter.push(piece)]), ...splitter.finish()].length,
          );
          expect(counted).toBe(cut);
        },
      ),
      { numRuns: runs(1_000), seed: 23 },
    );
  });

  it("LINE-2: a line may be as long as it may be and no longer, in one piece or many", () => {
    for (const size of [1, 3, 100]) {
      const read = (length: number) => {
        const splitter = new LineSplitter(10);
        const bytes = new Uint8Array(length).fill(0x61);
        const found: number[] = [];
        for (let at = 0; at < length; at += size)
          for (const line of splitter.push(bytes.subarray(at, at + size))) found.push(line.length);
        for (const line of splitter.finish()) found.push(line.length);
        return found;
      };
      expect(read(10)).toEqual([10]);
      expect(() => read(11)).toThrow(LineTooLongError);
    }
  });
});

function orTooLong(count: () => number): number | "too long" {
  try {
    return count();
  } catch (error) {
    if (error instanceof LineTooLongError) return "too long";
    throw error;
  }
}
