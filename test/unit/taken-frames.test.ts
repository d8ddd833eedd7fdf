/** Which frames a shard has taken, against a set of all ids. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ImageError, readImage } from "../../src/base/image.ts";
import { FRAME_ID_WINDOW } from "../../src/config.ts";
import { TakenFrames } from "../../src/ingest/taken-frames.ts";
import { partsOf, stored } from "../support/images.ts";
import { runs } from "../support/runs.ts";

/** Id of a source's frame. */
function id(source: number, number: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.imul(source, 0x9e3779b1));
  view.setUint32(8, source);
  view.setUint32(12, number);
  return bytes;
}

const MINUTE = 29_000_000;

describe("frame ids", () => {
  it("IDS-1: an id is taken once it was taken, new before, and stale once it is a window behind its source", () => {
    const step = fc.record({ source: fc.nat(40), number: fc.integer({ min: 1, max: 400 }) });
    const streams = fc.array(step, { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(streams, (stream) => {
        const ids = new TakenFrames();
        const taken = new Set<string>();
        const highest = new Map<number, number>();
        for (const { source, number } of stream) {
          const top = highest.get(source) ?? 0;
          const isStale = top - number >= FRAME_ID_WINDOW;
          const isTaken = taken.has(`${source}/${number}`);
          expect(ids.age(id(source, number))).toBe(isStale ? "stale" : isTaken ? "taken" : "new");
          ids.take(id(source, number), MINUTE);
          taken.add(`${source}/${number}`);
          highest.set(source, Math.max(top, number));
        }
        expect(ids.size).toBe(highest.size);
      }),
      { numRuns: runs(200) },
    );
  });

  it("IDS-2: the window ends where it says: one number further is stale; numbers go up to 2^32 - 1", () => {
    for (const top of [FRAME_ID_WINDOW + 1, 1_000, 2 ** 31, 2 ** 32 - 1]) {
      const ids = new TakenFrames();
      ids.take(id(1, top), MINUTE);
      expect(ids.age(id(1, top - FRAME_ID_WINDOW + 1))).toBe("new");
      expect(ids.age(id(1, top - FRAME_ID_WINDOW))).toBe("stale");
      expect(ids.age(id(1, top))).toBe("taken");
    }
  });

  it("IDS-3: every jump within the window keeps what was taken, further ones forget it", () => {
    for (let jump = 1; jump <= FRAME_ID_WINDOW + 2; jump++) {
      const ids = new TakenFrames();
      for (const number of [100, 102, 103]) ids.take(id(1, number), MINUTE);
      ids.take(id(1, 103 + jump), MINUTE);
      for (let number = Math.max(100, 103 + jump - FRAME_ID_WINDOW + 1); number < 103 + jump; number++) {
        expect([jump, number, ids.age(id(1, number))]).toEqual([
          jump,
          number,
          [100, 102, 103].includes(number) ? "taken" : "new",
        ]);
      }
    }
  });

  it("IDS-4: sources are forgotten a given time after their last frame, and memory shrinks again", () => {
    const ids = new TakenFrames();
    const empty = ids.byteLength;
    for (let source = 0; source < 10_000; source++) ids.take(id(source, 1), MINUTE + (source % 10));
    ids.take(id(0, 2), MINUTE + 9);
    // 28 bytes a source, in a table that is at least a third full.
    expect(ids.byteLength).toBeLessThan(10_000 * 28 * 3);
    ids.forget(MINUTE + 5);
    expect(ids.size).toBe(5_001);
    expect(ids.age(id(0, 1))).toBe("taken");
    expect(ids.age(id(1, 1))).toBe("new");
    expect(ids.age(id(5, 1))).toBe("taken");
    ids.forget(MINUTE + 10);
    expect([ids.size, ids.byteLength]).toEqual([0, empty]);
  });

  it("IDS-5: an image is the same ids; one that is no table is refused", () => {
    const ids = new TakenFrames();
    for (let source = 0; source < 500; source++) ids.take(id(source, source + 1), MINUTE);
    const image = partsOf((into) => ids.writeImage(into));
    const read = readImage(stored(image), (from) => TakenFrames.readImage(from));
    expect(read.size).toBe(500);
    for (let source = 0; source < 500; source++) {
      expect(read.age(id(source, source + 1))).toBe("taken");
      expect(read.age(id(source, source + 2))).toBe("new");
    }
    const full = partsOf((into) => {
      ids.writeImage({
        section: (layout: number) => into.section(layout),
        u32: (size: number) => into.u32(size),
        words: (words: Uint32Array) => into.words(words.slice().fill(1)),
      } as typeof into);
    });
    expect(() => readImage(full, (from) => TakenFrames.readImage(from))).toThrow(ImageError);
  });
});
