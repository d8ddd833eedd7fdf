/** Fifty isolates and one shard that has too much to do for a minute: how they leave it alone, and how they come back. */
import { describe, expect, it } from "vitest";
import {
  EDGE_MAX_INFLIGHT,
  EDGE_MAX_ROWS,
  EDGE_SEND_TIMEOUT_MS,
  FLUSH_DEFAULT_MS,
  FLUSH_MAX_MS,
} from "../../src/config.ts";
import type { BatchLimits } from "../../src/edge/batch.ts";
import { EdgeWorld, randomOf } from "../support/edge-world.ts";

const ISOLATES = 50;
const STEP_MS = 250;
/** Each isolate's; a flush every 10 s and isolate makes five calls a second, of 20 rows each. */
const VISITS_PER_S = 2;
const FROM_S = 60;
const TO_S = 120;
const END_S = 240;
const LIMITS: BatchLimits = {
  ...{ fullRows: 500, maxRows: EDGE_MAX_ROWS, maxInflight: EDGE_MAX_INFLIGHT },
  ...{ ageMs: FLUSH_DEFAULT_MS, ageMaxMs: FLUSH_MAX_MS, sendTimeoutMs: EDGE_SEND_TIMEOUT_MS },
};

/** Four minutes, of which the shard is overloaded in the second one. */
async function storm(seed: number, limits: BatchLimits) {
  const random = randomOf(seed);
  const chance = () => random(10_000) / 10_000;
  const world = new EdgeWorld(limits, { isolates: ISOLATES, shards: 1, random: chance });
  const startMs = world.nowMs;
  const second = () => (world.nowMs - startMs) / 1_000;
  world.luck = () => (second() >= FROM_S && second() < TO_S ? "overloaded" : "answers");
  while (second() < END_S) {
    for (let isolate = 0; isolate < ISOLATES; isolate++) {
      // They begin one after the other, over as long as a flush takes.
      const begins = (isolate * FLUSH_DEFAULT_MS) / 1_000 / ISOLATES;
      if (second() >= begins && chance() < (VISITS_PER_S * STEP_MS) / 1_000) world.visit(undefined, isolate);
    }
    await world.pass(STEP_MS);
  }
  // What is under way gets its answer.
  for (let i = 0; i < 100 && world.inflight > 0; i++) await world.pass(10);
  const calls = Array.from({ length: END_S + 2 }, () => 0);
  for (const atMs of world.offeredMs) calls[Math.floor((atMs - startMs) / 1_000)]!++;
  return { world, calls };
}

const mean = (list: readonly number[]) => list.reduce((total, each) => total + each, 0) / list.length;

describe("a shard that is overloaded for a minute", () => {
  it.each([1, 2, 3, 4])(
    "EDGE-41: seed %i: in its second half minute it gets under half of the calls, and no stampede afterwards",
    async (seed) => {
      const { world, calls } = await storm(seed, LIMITS);
      const normal = mean(calls.slice(20, FROM_S));
      expect(normal).toBeGreaterThan(4);
      // At first all isolates find out, and ask again after 5 s and 10 s: in sum no more than they did before.
      expect(mean(calls.slice(FROM_S, FROM_S + 20))).toBeLessThan(1.25 * normal);
      expect(mean(calls.slice(FROM_S + 30, TO_S))).toBeLessThan(normal / 2);
      // An isolate that finds it well again sends one frame, and then all that waited in one more.
      expect(Math.max(...calls.slice(TO_S, END_S))).toBeLessThanOrEqual(20);
      expect(mean(calls.slice(TO_S + 70, END_S))).toBeCloseTo(normal, 0);
      const { rows, lost } = world.held();
      expect([world.accepted.length + rows, lost, world.lostTold, world.inflight]).toEqual([
        ...[world.observed, 0, 0, 0],
      ]);
      expect(new Set(world.accepted).size).toBe(world.accepted.length);
      expect(world.isolates.every(({ batch }) => batch.lanes.waitingRows === 0)).toBe(true);
    },
  );

  it.each([5, 6])(
    "EDGE-41: seed %i: with little room what is cut off is told as lost, exactly",
    async (seed) => {
      const { world } = await storm(seed, { ...LIMITS, maxRows: 60 });
      const { rows, lost } = world.held();
      expect(world.lostTold).toBeGreaterThan(0);
      expect(world.accepted.length + rows + lost + world.lostTold).toBe(world.observed);
      expect([world.inflight, world.stale]).toEqual([0, 0]);
    },
  );
});
