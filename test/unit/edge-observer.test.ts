/** The observer of one isolate among failing shards and dying requests: every row has an end that can be told. */
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { BatchLimits } from "../../src/edge/batch.ts";
import { EdgeWorld, type Luck, randomOf } from "../support/edge-world.ts";

const LIMITS: BatchLimits = {
  ...{ fullRows: 50, maxRows: 200, maxInflight: 1_000 },
  ...{ ageMs: 10_000, sendTimeoutMs: 5_000 },
};

beforeAll(() => {
  // Answered at once instead of by another thread: the order of things follows from the seed alone.
  vi.spyOn(crypto.subtle, "digest").mockImplementation(async (_, data) => {
    const digest = createHash("sha256")
      .update(new Uint8Array(data as ArrayBuffer))
      .digest();
    return Uint8Array.from(digest).buffer;
  });
});

/** Visitors now and then until nothing is in flight and all that was held has been sent. */
async function drain(world: EdgeWorld): Promise<void> {
  world.luck = () => "answers";
  world.mapLuck = () => "answers";
  for (let i = 0; i < 4 || world.batch.inflight > 0; i++) {
    if (i > 50) throw new Error(`still ${world.batch.inflight} frames in flight`);
    world.visit();
    await world.pass(12_500);
  }
}

async function chaos(seed: number, limits: BatchLimits, luck: readonly Luck[]): Promise<EdgeWorld> {
  const random = randomOf(seed);
  const world = new EdgeWorld(limits);
  const draw = () => luck[random(luck.length)]!;
  world.luck = draw;
  world.mapLuck = draw;
  for (let step = 0; step < 150; step++) {
    const visitors = random(10) === 0 ? 1 + random(150) : random(4);
    for (let i = 0; i < visitors; i++) world.visit();
    await world.pass(random(3) === 0 ? random(6_000) : random(300));
    // Not before the map is known: the rows of a request that dies while it waits for it die with it.
    if (world.accepted.length > 0 && random(4) === 0) world.kill(random);
  }
  await drain(world);
  return world;
}

const BAD: readonly Luck[] = ["answers", "answers", "fails", "hangs", "answer_lost"];
const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

describe("conservation", () => {
  it.each(seeds)(
    "BATCH-13: seed %i: every row is counted once, is still held, or is told as lost",
    async (seed) => {
      const world = await chaos(seed, LIMITS, BAD);
      const { rows, lost } = world.held();
      expect(new Set(world.accepted).size).toBe(world.accepted.length);
      expect(world.accepted.length + rows + lost + world.lostTold).toBe(world.observed);
      expect(world.events).toContain("shard_failed");
    },
  );

  it.each(seeds)("BATCH-13: seed %i: also with shards that refuse frames for good", async (seed) => {
    const world = await chaos(seed, LIMITS, [...BAD, "refuses"]);
    const { rows, lost } = world.held();
    expect(new Set(world.accepted).size).toBe(world.accepted.length);
    // A frame whose answer was lost is refused when it is sent again: counted and told as lost.
    expect(world.accepted.length + rows + lost + world.lostTold).toBeGreaterThanOrEqual(world.observed);
    expect(world.lostTold).toBeGreaterThan(0);
  });

  it("GRP-10: an overloaded shard gets its frame later, and nothing is lost", async () => {
    const world = new EdgeWorld(LIMITS);
    world.luck = () => "overloaded";
    for (let i = 0; i < 30; i++) world.visit();
    await world.pass(12_500);
    expect(world.events).toContain("shard_failed");
    expect(world.events).not.toContain("frame_refused");
    await drain(world);
    const { rows, lost } = world.held();
    expect([world.accepted.length + rows, lost, world.lostTold]).toEqual([world.observed, 0, 0]);
  });

  it.each(seeds)(
    "BATCH-14: seed %i: with few frames in flight nothing vanishes, and nothing counts twice",
    async (seed) => {
      const world = await chaos(seed, { ...LIMITS, maxInflight: 2, maxRows: 60 }, [
        "fails",
        "hangs",
        "answer_lost",
        "answers",
      ]);
      const { rows, lost } = world.held();
      expect(new Set(world.accepted).size).toBe(world.accepted.length);
      expect(world.accepted.length + rows + lost + world.lostTold).toBeGreaterThanOrEqual(world.observed);
      expect(world.lostTold).toBeGreaterThan(0);
    },
  );
});

describe("an object that hangs", () => {
  it("EDGE-1: while the map does not answer, rows are kept for later and none is sent or lost", async () => {
    const world = new EdgeWorld(LIMITS);
    world.mapLuck = () => "hangs";
    for (let i = 0; i < 30; i++) world.visit();
    await world.pass(6_000);
    expect([world.batch.rows, world.events]).toEqual([30, ["map_failed"]]);
    world.mapLuck = () => "answers";
    world.visit();
    await world.pass(16_000);
    world.visit();
    await world.pass(16_000);
    expect(world.accepted.length + world.batch.rows).toBe(world.observed);
    expect(world.accepted.length).toBeGreaterThanOrEqual(31);
  });

  it("EDGE-2: a shard that hangs costs no call more than one in its time-out, and gets its frame once it answers", async () => {
    const world = new EdgeWorld(LIMITS);
    let calls = 0;
    world.luck = () => {
      calls++;
      return "hangs";
    };
    world.visit();
    await world.pass(10_100);
    for (let i = 0; i < 10; i++) {
      world.visit();
      await world.pass(400);
    }
    expect(calls).toBe(1);
    world.luck = () => "answers";
    await world.pass(1_000);
    world.visit();
    await world.pass(1_000);
    expect(world.accepted).toEqual([1]);
  });
});
