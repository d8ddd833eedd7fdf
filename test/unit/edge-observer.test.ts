/** The observer of one isolate among failing shards and dying requests: every row has an end that can be told. */
import { describe, expect, it } from "vitest";
import type { BatchLimits } from "../../src/edge/batch.ts";
import { EdgeWorld, type Luck, randomOf } from "../support/edge-world.ts";

const LIMITS: BatchLimits = {
  ...{ fullRows: 50, maxRows: 200, maxInflight: 1_000 },
  ...{ ageMs: 10_000, ageMaxMs: 20_000, sendTimeoutMs: 5_000 },
};

/** Visitors now and then until nothing is in flight and all that was held has been sent. */
async function drain(world: EdgeWorld): Promise<void> {
  world.luck = () => "answers";
  world.mapLuck = () => "answers";
  for (let i = 0; i < 4 || world.inflight > 0; i++) {
    if (i > 50) throw new Error(`still ${world.inflight} frames in flight`);
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
    if (random(4) === 0) world.kill(random);
  }
  await drain(world);
  return world;
}

const BAD: readonly Luck[] = ["answers", "answers", "fails", "hangs", "answer_lost", "late", "overloaded"];
const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

/** Every row is counted once, is still held, or is told as lost, and no frame came too late for its source. */
function expectConserved(world: EdgeWorld): void {
  const { rows, lost } = world.held();
  expect(new Set(world.accepted).size).toBe(world.accepted.length);
  expect(world.accepted.length + rows + lost + world.lostTold).toBe(world.observed);
  expect(world.stale).toBe(0);
}

describe("conservation", () => {
  it.each(seeds)(
    "BATCH-13: seed %i: every row is counted once, is still held, or is told as lost",
    async (seed) => {
      const world = await chaos(seed, LIMITS, BAD);
      expectConserved(world);
      expect(world.events).toContain("shard_failed");
    },
  );

  it.each(seeds)("BATCH-13: seed %i: also with shards that refuse frames for good", async (seed) => {
    const world = await chaos(seed, LIMITS, [...BAD, "refuses", "refuses"]);
    expectConserved(world);
    expect(world.events).toContain("frame_refused");
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
    "BATCH-14: seed %i: with little room what is cut off is told as lost, exactly",
    async (seed) => {
      const world = await chaos(seed, { ...LIMITS, maxInflight: 2, maxRows: 60 }, [
        ...["fails", "hangs", "answer_lost", "answers"],
      ] as Luck[]);
      expectConserved(world);
      expect(world.lostTold).toBeGreaterThan(0);
    },
  );
});

describe("the time of a request", () => {
  it.each([1, 2, 3])(
    "EDGE-40: seed %i: waiting and sending end within 25 s, whatever hangs",
    async (seed) => {
      const random = randomOf(seed);
      const world = new EdgeWorld({ ...LIMITS, ageMs: 20_000 });
      const luck: readonly Luck[] = ["hangs", "hangs", "late", "answers"];
      world.luck = () => luck[random(luck.length)]!;
      world.mapLuck = () => (random(2) === 0 ? "hangs" : "fails");
      for (let step = 0; step < 300; step++) {
        if (step === 60) world.mapLuck = () => "answers";
        for (let i = random(4); i > 0; i--) world.visit();
        await world.pass(random(4_000));
      }
      expect(world.longestMs).toBeGreaterThan(20_000);
      expect(world.longestMs).toBeLessThanOrEqual(25_000);
      await drain(world);
      expectConserved(world);
    },
  );

  it("EDGE-40: what is left when its time is over goes with the next request", async () => {
    const world = new EdgeWorld({ ...LIMITS, ageMs: 20_000 }, { shards: 1 });
    world.visit();
    await world.pass(21_000);
    // The answer comes 4.5 s into the call, which begins after 20 s: there is no time for a second one.
    world.answerMs = 4_500;
    world.visit();
    await world.pass(20_100);
    // So many grow the buffer fast enough to be taken at once; they wait for the shard.
    for (let i = 0; i < 16; i++) world.visit();
    await world.pass(4_500);
    expect([world.accepted.length, world.offered.length]).toEqual([2, 2]);
    world.visit();
    await world.pass(4_600);
    expect([world.accepted.length, world.offered.length, world.batch.rows]).toEqual([18, 3, 1]);
  });
});

describe("hours of bad luck", () => {
  it.each(seeds)(
    "EDGE-37: seed %i: what is given up with an unknown fate is counted once, by its shard or as lost",
    async (seed) => {
      const random = randomOf(seed);
      const world = new EdgeWorld({ ...LIMITS, maxRows: 400 }, { random: () => random(1_000) / 1_000 });
      // No shard answers for an hour, but some take what they are sent, or get it late. It ends before ids are forgotten.
      const luck: readonly Luck[] = ["fails", "hangs", "late", "answer_lost", "overloaded"];
      for (let hour = 0; hour < 2; hour++) {
        world.luck = () => luck[random(luck.length)]!;
        for (const endMs = world.nowMs + 61.5 * 60_000; world.nowMs < endMs; ) {
          for (let i = random(3); i >= 0; i--) world.visit();
          await world.pass(random(30_000));
          if (random(4) === 0) world.kill(random);
        }
        await drain(world);
      }
      await world.pass(10_000);
      expectConserved(world);
      expect(world.tombstones).toBeGreaterThan(0);
    },
  );
});

describe("a shard of earlier code", () => {
  /** Takes version 1 only, as the code before this one did. */
  const olderWorld = () => {
    const world = new EdgeWorld(LIMITS);
    world.reads = 1;
    return world;
  };

  it("EDGE-24: gets the same frame, with the same id, in the older form; the next ones are not refused first", async () => {
    const world = olderWorld();
    world.visit();
    await world.pass(11_000);
    expect([world.accepted, world.offered, world.inflight]).toEqual([[1], [2, 1], 0]);
    expect(new Set(world.offeredIds).size).toBe(1);
    for (let i = 0; i < 3; i++) world.visit();
    await world.pass(11_000);
    expect(world.accepted).toEqual(expect.arrayContaining([1, 2, 3, 4]));
    expect(new Set(world.offered.slice(2))).toEqual(new Set([1]));
    expect(world.lostTold).toBe(0);
  });

  it("EDGE-24: several refused at once lose nothing", async () => {
    const world = olderWorld();
    for (let i = 0; i < 60; i++) world.visit(`t13d1516h2_${i.toString(16).padStart(12, "0")}_02713d6af862`);
    await world.pass(11_000);
    world.visit();
    await world.pass(11_000);
    expect(world.accepted.length + world.batch.rows).toBe(61);
    expect([world.lostTold, world.held().lost]).toEqual([0, 0]);
    expect(world.events).not.toContain("frame_refused");
  });

  it("EDGE-24: one that reads neither form has refused for good, and the loss is counted", async () => {
    const world = olderWorld();
    world.reads = 0;
    world.visit();
    await world.pass(11_000);
    expect([world.offered, world.events]).toEqual([[2, 1], ["frame_refused"]]);
    expect(world.held()).toEqual({ rows: 0, lost: 1 });
  });
});

describe("a request that ends", () => {
  it("EDGE-25: with rows that it had taken and not sent loses none: another one sends them", async () => {
    const world = new EdgeWorld(LIMITS);
    world.mapLuck = () => "hangs";
    world.visit();
    await world.pass(10_100);
    world.kill(() => 0);
    world.mapLuck = () => "answers";
    expect([world.accepted, world.batch.rows]).toEqual([[], 1]);
    for (let i = 0; i < 4; i++) {
      world.visit();
      await world.pass(8_000);
    }
    expect(world.accepted).toContain(1);
    expect(world.accepted.length + world.batch.rows).toBe(world.observed);
  });

  it("EDGE-26: what cannot be encoded is told as lost", async () => {
    const world = new EdgeWorld(LIMITS);
    world.idBytes = 13;
    world.visit();
    await world.pass(11_000);
    expect(world.events).toEqual(["encode_failed"]);
    expect(world.held()).toEqual({ rows: 0, lost: 1 });
  });
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
    // A quarter of the pause more: the middle of its jitter.
    await world.pass(2_200);
    world.visit();
    await world.pass(1_000);
    expect(world.accepted).toEqual([1]);
  });
});
