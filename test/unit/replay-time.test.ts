/** Times that are sent, when they are due, and the pieces that they make. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_RECORDS_MAX, type Chunk, Chunker, SLOT_MS } from "../../scripts/lib/replay/chunks.ts";
import { timeMap } from "../../scripts/lib/replay/time-map.ts";

const SEED = 41;
const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 23, 13);
const MAX = Number.POSITIVE_INFINITY;

const log = fc
  .array(fc.integer({ min: 0, max: 10 * DAY_MS }), { minLength: 1, maxLength: 40 })
  .map((offsets) => {
    return offsets.map((offset) => Date.UTC(2015, 4, 17) + offset);
  });
const speed = fc.oneof(fc.constant(MAX), fc.double({ min: 0.1, max: 10_000, noNaN: true }));
const compress = fc.option(fc.integer({ min: 1_000, max: 2 * DAY_MS }), { nil: undefined });

function planOf(
  times: readonly number[],
  speedUp: number,
  compressMs: number | undefined,
  startedMs?: number,
) {
  const plan = { oldestMs: Math.min(...times), newestMs: Math.max(...times), speed: speedUp, compressMs };
  return timeMap({ ...plan, startedMs });
}

describe("time map", () => {
  it(`REPLAY-7: the order is kept, the newest is now, the span is what was asked for (seed ${SEED})`, () => {
    const property = fc.property(log, compress, (times, compressMs) => {
      const map = planOf(times, MAX, compressMs, NOW);
      const sorted = [...times].sort((a, b) => a - b);
      const mapped = sorted.map(map.timeOf);
      expect(mapped).toEqual([...mapped].sort((a, b) => a - b));
      expect(mapped.at(-1)).toBe(NOW);
      const span = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0);
      expect((mapped.at(-1) ?? 0) - (mapped[0] ?? 0)).toBe(span === 0 ? 0 : (compressMs ?? span));
      expect([map.oldestMs, map.newestMs]).toEqual([mapped[0], mapped.at(-1)]);
    });
    fc.assert(property, { seed: SEED });
  });

  it("REPLAY-7: without --now and --compress times stay as they are; with --compress alone the newest stays", () => {
    const times = [Date.UTC(2015, 4, 17), Date.UTC(2015, 4, 18)];
    expect(times.map(planOf(times, MAX, undefined).timeOf)).toEqual(times);
    expect(times.map(planOf(times, MAX, 60_000).timeOf)).toEqual([(times[1] ?? 0) - 60_000, times[1]]);
  });

  it(`REPLAY-8: at N times real time nothing is sent before its time, and the last is now when it is sent (seed ${SEED})`, () => {
    const property = fc.property(log, compress, speed, (times, compressMs, speedUp) => {
      const map = planOf(times, speedUp, compressMs, NOW);
      const newest = Math.max(...times);
      expect(Math.abs(map.timeOf(newest) - (NOW + map.dueOf(newest)))).toBeLessThanOrEqual(1);
      // Below real time the log itself is faster than we are: then its beginning is what is late.
      if (speedUp >= 1)
        for (const time of times) expect(map.timeOf(time)).toBeLessThanOrEqual(NOW + map.dueOf(time) + 1);
    });
    fc.assert(property, { seed: SEED });
  });

  it("REPLAY-8: at real time every record is sent at the time that it carries", () => {
    const times = [0, 250, 1_000, 60_000].map((offset) => Date.UTC(2015, 4, 17) + offset);
    const map = planOf(times, 1, undefined, NOW);
    expect(times.map(map.timeOf)).toEqual([0, 250, 1_000, 60_000].map((offset) => NOW + offset));
    expect(times.map(map.dueOf)).toEqual([0, 250, 1_000, 60_000]);
    expect(planOf(times, MAX, undefined, NOW).durationMs).toBe(0);
  });
});

function chunksOf(dues: readonly number[], line = "{}"): Chunk[] {
  const chunker = new Chunker();
  const chunks = dues.map((due, i) => chunker.push(line, { file: "a", line: i + 1 }, due));
  return [...chunks, chunker.end()].filter((chunk) => chunk !== undefined);
}

describe("pieces", () => {
  it("REPLAY-11: at most 5,000 records, numbered, every record once and in order", () => {
    const chunks = chunksOf(Array.from({ length: 12_345 }, () => 0));
    expect(chunks.map(({ index, places }) => [index, places.length])).toEqual([
      [0, CHUNK_RECORDS_MAX],
      [1, CHUNK_RECORDS_MAX],
      [2, 2_345],
    ]);
    expect(chunks.flatMap(({ places }) => places.map(({ line }) => line))).toEqual(
      Array.from({ length: 12_345 }, (_, i) => i + 1),
    );
    for (const { body, places } of chunks) expect(body.split("\n").length - 1).toBe(places.length);
  });

  it("REPLAY-11: large records make smaller pieces, and one larger than a piece is one of its own", () => {
    const chunks = chunksOf([0, 0, 0], "x".repeat(3_000_000));
    expect(chunks.map(({ places }) => places.length)).toEqual([1, 1, 1]);
  });

  it(`REPLAY-11: below full speed no piece mixes two seconds, and none is due before an earlier one (seed ${SEED})`, () => {
    const dues = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 50 });
    const property = fc.property(dues, (list) => {
      const chunks = chunksOf(list);
      const due = chunks.map(({ dueMs }) => dueMs);
      expect(due).toEqual([...due].sort((a, b) => a - b));
      expect(new Set(due.map((ms) => Math.floor(ms / SLOT_MS))).size).toBe(chunks.length);
      expect(chunks.flatMap(({ places }) => places).length).toBe(list.length);
    });
    fc.assert(property, { seed: SEED });
  });
});
