/** The ways from an isolate to its shards: what is sent when, what waits, what is given up and how that is told. */
import { describe, expect, it } from "vitest";
import { EDGE_TOMBSTONES_MAX, FRAME_ID_WINDOW, HOUR_MS, MINUTE_MS } from "../../src/config.ts";
import { Channels } from "../../src/edge/channels.ts";
import type { LaneFrame } from "../../src/edge/lane.ts";
import { type Drive, Lanes, type LanesLimits } from "../../src/edge/lanes.ts";
import { decodeFrame, type Source } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import { bareRow } from "../support/frames.ts";

const LIMITS: LanesLimits = { maxWaiting: 20, maxInflight: 8, leaseMs: 7_000 };
const MAP = { epoch: 1, shards: 1 };
const FAILS = { overload: false, tookNothing: false };
const OVERLOAD = { overload: true, tookNothing: true };

/** Lanes, and what they count as lost. Jitter 0: every pause is its shortest. */
class World {
  lost = 0;
  dropped = 0;
  readonly lanes: Lanes;

  constructor(limits: Partial<LanesLimits> = {}, random = 0, bytes = 10) {
    const chance = { random: () => random, channels: new Channels(() => new Uint8Array(bytes)) };
    this.lanes = new Lanes({ ...LIMITS, ...limits }, chance, (_site, rows, counters) => {
      this.lost += rows + counters.lost_at_edge;
      this.dropped += counters.fields_dropped;
    });
  }

  /** Puts rows on the lanes of a site. */
  load(rows: number, nowMs: number, over: { source?: Source; lost?: number; site?: string } = {}): Drive[] {
    const builder = new FrameBuilder();
    for (let i = 0; i < rows; i++) builder.add(bareRow());
    const counters = { ...NO_COUNTERS, lost_at_edge: over.lost ?? 0 };
    const { source = "edge", site = "shop" } = over;
    return this.lanes.load({ site, source, builders: rows > 0 ? [builder] : [], counters }, MAP, nowMs);
  }

  /** The one drive that is there to have. */
  drive(nowMs: number): Drive {
    const drives = this.lanes.due(nowMs);
    expect(drives).toHaveLength(1);
    return drives[0]!;
  }

  fail(drive: Drive, nowMs: number, how = FAILS): LaneFrame {
    const frame = this.lanes.begin(drive, nowMs)!;
    this.lanes.failed(drive, frame, nowMs, nowMs, how);
    expect(this.lanes.begin(drive, nowMs)).toBeUndefined();
    return frame;
  }

  answer(drive: Drive, nowMs: number): LaneFrame | undefined {
    const frame = this.lanes.begin(drive, nowMs);
    if (frame !== undefined) this.lanes.answered(drive, frame);
    return frame;
  }

  /** When the lanes are next worth a look, tried second by second. */
  nextMs(fromMs: number): number {
    for (let nowMs = fromMs; nowMs < fromMs + 2 * HOUR_MS; nowMs += 500) {
      if (this.lanes.due(nowMs).length > 0) return nowMs;
    }
    return Number.POSITIVE_INFINITY;
  }
}

describe("one call at a time", () => {
  it("EDGE-31: what comes while a call is under way waits, and goes together with the next", () => {
    const world = new World();
    const [drive] = world.load(3, 0);
    const first = world.lanes.begin(drive!, 0)!;
    expect([world.load(4, 1), world.load(5, 2), world.lanes.due(3)]).toEqual([[], [], []]);
    expect([first.rows, world.lanes.waitingRows, world.lanes.inflight]).toEqual([3, 9, 1]);
    world.lanes.answered(drive!, first);
    expect(world.answer(drive!, 4)!.rows).toBe(9);
    expect([world.lanes.begin(drive!, 5), world.lanes.waitingRows, world.lanes.inflight]).toEqual([
      ...[undefined, 0, 0],
    ]);
  });

  it("EDGE-31: rows of different sources wait apart", () => {
    const world = new World();
    const [drive] = world.load(1, 0);
    const first = world.lanes.begin(drive!, 0)!;
    world.load(2, 0, { source: "binding" });
    world.load(3, 0);
    world.load(4, 0, { source: "binding" });
    world.lanes.answered(drive!, first);
    const sent = [world.answer(drive!, 1)!, world.answer(drive!, 1)!].map(({ bytes }) => decodeFrame(bytes));
    expect(sent.map(({ source, rows }) => [source, rows])).toEqual([
      ["binding", 6],
      ["edge", 3],
    ]);
  });

  it("BATCH-8: a frame whose sender died is sent again with the same id, by one request at a time", () => {
    const world = new World();
    const [drive] = world.load(4, 0);
    const frame = world.lanes.begin(drive!, 0)!;
    expect(world.lanes.due(6_999)).toEqual([]);
    const next = world.drive(7_000);
    expect(world.lanes.due(7_001)).toEqual([]);
    const again = world.lanes.begin(next, 7_002)!;
    expect(again.bytes).toBe(frame.bytes);
    // The one that was taken for dead has no say, but an answer is an answer.
    world.lanes.failed(drive!, frame, 0, 7_003, FAILS);
    world.lanes.refused(drive!, frame, 7_003);
    expect([world.lanes.begin(drive!, 7_003), world.lost, world.lanes.inflight]).toEqual([undefined, 0, 1]);
    world.lanes.answered(drive!, frame);
    world.lanes.answered(next, again);
    expect([world.lanes.inflight, world.nextMs(7_003)]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it("BATCH-9: frames without an answer are bounded, over all and a lane; with as many, rows wait", () => {
    const world = new World({ maxInflight: 2 });
    for (const site of ["a", "b"]) world.fail(world.load(1, 0, { site })[0]!, 0);
    expect([world.load(1, 0, { site: "c" }), world.lanes.inflight, world.lanes.waitingRows]).toEqual([
      [],
      2,
      1,
    ]);
    for (const drive of world.lanes.due(5_000)) world.answer(drive, 5_000);
    for (const drive of world.lanes.due(5_001)) world.answer(drive, 5_001);
    expect([world.lanes.inflight, world.lanes.waitingRows, world.lost]).toEqual([0, 0, 0]);
    let nowMs = 0;
    world.fail(world.load(1, nowMs)[0]!, nowMs);
    for (let i = 0; i < 12; i++) {
      world.load(1, nowMs);
      nowMs = world.nextMs(nowMs);
      for (const drive of world.lanes.due(nowMs + 8_000)) world.fail(drive, nowMs + 8_000);
      nowMs += 8_000;
    }
    expect(world.lanes.inflight).toBeLessThanOrEqual(2);
  });

  it("BATCH-10: a frame that is refused at its first try is counted once, with what it carried", () => {
    const world = new World();
    const [drive] = world.load(4, 0, { lost: 1 });
    const frame = world.lanes.begin(drive!, 0)!;
    world.lanes.refused(drive!, frame, 0);
    world.lanes.refused(drive!, frame, 0);
    world.lanes.answered(drive!, frame);
    expect([world.lanes.inflight, world.lost]).toEqual([0, 5]);
  });

  it("BATCH-17: what cannot be encoded is counted as lost with what it carried, and the lane goes on", () => {
    const world = new World({}, 0, 13);
    const [drive] = world.load(4, 0, { lost: 2 });
    expect(() => world.lanes.begin(drive!, 0)).toThrow(RangeError);
    expect([world.lost, world.lanes.waitingRows, world.lanes.inflight]).toEqual([6, 0, 0]);
    expect(world.lanes.begin(drive!, 0)).toBeUndefined();
  });

  it("EDGE-39: rows of failing shards take half of the room at most; further ones are counted as lost", () => {
    const world = new World();
    world.fail(world.load(1, 0)[0]!, 0);
    world.load(15, 1);
    world.load(6, 2, { lost: 3 });
    expect([world.lanes.waitingRows, world.lost]).toEqual([15, 6]);
    // One that answers has its room.
    expect(world.answer(world.load(9, 3, { site: "api" })[0]!, 3)!.rows).toBe(9);
    expect(world.lost).toBe(6);
    const drive = world.drive(8_000);
    expect(world.answer(drive, 8_000)!.rows).toBe(1);
    const { rows, counters } = world.answer(drive, 8_000)!;
    expect([rows, counters.lost_at_edge]).toEqual([15, 3]);
  });
});

describe("a shard that fails", () => {
  /** Times at which a lane tries, jitter as given, while every call fails at once. */
  function triesOf(random: number, how: typeof FAILS): number[] {
    const world = new World({}, random);
    const times: number[] = [];
    world.fail(world.load(1, 0)[0]!, 0, how);
    for (let nowMs = 500; nowMs < 10 * MINUTE_MS; nowMs += 500) {
      for (const drive of world.lanes.due(nowMs)) {
        world.fail(drive, nowMs, how);
        times.push(nowMs / 1_000);
      }
    }
    return times;
  }
  const gaps = (times: number[]) => times.map((time, i) => time - (times[i - 1] ?? 0));

  it("EDGE-32: is tried with one frame after 5 s, then after pauses that double up to 60 s, with a jitter", () => {
    expect(gaps(triesOf(0, FAILS)).slice(0, 6)).toEqual([5, 10, 20, 40, 40, 40]);
    expect(gaps(triesOf(0.999_999, FAILS)).slice(0, 6)).toEqual([7.5, 15, 30, 60, 60, 60]);
  });

  it("EDGE-32: tries no second frame in a pause, whatever waits", () => {
    const world = new World();
    world.fail(world.load(1, 0)[0]!, 0);
    for (let nowMs = 100; nowMs < 5_000; nowMs += 100) expect(world.load(1, nowMs, {})).toEqual([]);
    expect(world.drive(5_000).lane.frames.size).toBe(1);
  });

  it("EDGE-34: an overload quietens its lane for 5 s to 60 s, and is no frame's fault", () => {
    expect(gaps(triesOf(0, OVERLOAD)).slice(0, 6)).toEqual([5, 10, 20, 40, 40, 40]);
    const world = new World();
    for (let i = 0, nowMs = 0; i < 4; i++) {
      const drive = i === 0 ? world.load(1, 0)[0]! : world.drive(nowMs);
      const frame = world.fail(drive, nowMs, OVERLOAD);
      expect([frame.tries, frame.doubtful]).toEqual([0, false]);
      nowMs += 60_000;
    }
  });

  it("EDGE-35: once it answers, the frames go one after the other, and what waits in one", () => {
    const world = new World();
    let nowMs = 0;
    world.fail(world.load(1, nowMs)[0]!, nowMs);
    // Each try is another frame while there are few, so that one bad frame does not keep the others waiting.
    for (let i = 0; i < 3; i++) {
      world.load(2, nowMs);
      nowMs = world.nextMs(nowMs) + 7_000;
      world.fail(world.drive(nowMs), nowMs);
    }
    world.load(3, nowMs);
    world.load(4, nowMs);
    nowMs += MINUTE_MS;
    const drive = world.drive(nowMs);
    const rows: number[] = [];
    for (let frame = world.lanes.begin(drive, nowMs); frame; frame = world.lanes.begin(drive, nowMs)) {
      expect(world.lanes.due(nowMs)).toEqual([]);
      rows.push(frame.rows);
      world.lanes.answered(drive, frame);
    }
    expect(rows.reduce((sum, each) => sum + each, 0)).toBe(1 + 3 * 2 + 7);
    expect(rows.length).toBeLessThanOrEqual(5);
    expect([world.lanes.inflight, world.lost]).toEqual([0, 0]);
  });

  it("EDGE-33: a frame that always fails is tried ever less often, and the others go on", () => {
    const world = new World();
    const bad = world.fail(world.load(1, 0)[0]!, 0);
    let [tries, taken] = [0, 0];
    for (let nowMs = 1_000; nowMs < 10 * MINUTE_MS; nowMs += 1_000) {
      const drives = [...world.lanes.due(nowMs), ...(nowMs % 10_000 === 0 ? world.load(2, nowMs) : [])];
      for (const drive of drives) {
        for (let frame = world.lanes.begin(drive, nowMs); frame; frame = world.lanes.begin(drive, nowMs)) {
          if (frame === bad) {
            tries++;
            world.lanes.failed(drive, frame, nowMs, nowMs, FAILS);
          } else {
            taken += frame.rows;
            world.lanes.answered(drive, frame);
          }
        }
      }
    }
    expect(tries).toBeLessThanOrEqual(17);
    expect(taken + world.lanes.waitingRows).toBe(59 * 2);
    expect(taken).toBeGreaterThan(110);
  });

  it("EDGE-29: no two frames of a channel are on their way that lie FRAME_ID_WINDOW apart", () => {
    const world = new World();
    const bad = world.fail(world.load(1, 0)[0]!, 0);
    const sources = new Set<string>();
    const sequences: number[] = [];
    for (let i = 0, nowMs = 60_000; i < 2 * FRAME_ID_WINDOW; i++, nowMs += 1) {
      const [drive] = world.load(1, nowMs);
      if (drive === undefined) continue;
      for (let frame = world.lanes.begin(drive, nowMs); frame; frame = world.lanes.begin(drive, nowMs)) {
        if (frame === bad) {
          world.lanes.failed(drive, frame, nowMs - 60_000, nowMs, FAILS);
          continue;
        }
        if (frame.channel === bad.channel) sequences.push(frame.sequence - bad.sequence);
        sources.add(frame.channel.source.join());
        world.lanes.answered(drive, frame);
      }
    }
    expect(Math.max(...sequences)).toBe(FRAME_ID_WINDOW - 1);
    expect(sources.size).toBe(2);
  });
});

describe("ways to many shards", () => {
  it("EDGE-44: those on which nothing is are kept up to a number, those with something on them always", () => {
    const world = new World();
    const sourceOf = (site: string, nowMs: number) => {
      const [drive] = world.load(1, nowMs, { site });
      const frame = world.answer(drive!, nowMs)!;
      expect(world.lanes.begin(drive!, nowMs)).toBeUndefined();
      return frame.channel.source.join();
    };
    world.fail(world.load(2, 0, { site: "down" })[0]!, 0);
    const first = sourceOf("first", 0);
    for (let i = 0; i < 1_022; i++) sourceOf(`site${i}`, 1);
    expect(sourceOf("first", 2)).toBe(first);
    sourceOf("one too many", 3);
    expect(sourceOf("first", 4)).not.toBe(first);
    expect(world.answer(world.drive(6_000), 6_000)!.rows).toBe(2);
  });
});

describe("giving up", () => {
  const told = (frame: LaneFrame) => decodeFrame(frame.bytes);

  it("EDGE-36: after an hour a frame that the shard may have becomes an empty one of the same id, which tells the loss", () => {
    const world = new World();
    const original = world.fail(world.load(4, 0, { lost: 2 })[0]!, 0);
    const id = original.id.join();
    const [again] = world.lanes.due(HOUR_MS - 1);
    expect(world.fail(again!, HOUR_MS - 1).rows).toBe(4);
    const next = world.nextMs(HOUR_MS);
    const tombstone = world.answer(world.drive(next + 7_000), next + 7_000)!;
    const { rows, counters } = told(tombstone);
    expect([tombstone.id.join(), told(tombstone).id.join(), rows]).toEqual([id, id, 0]);
    expect(counters).toEqual({ ...NO_COUNTERS, lost_at_edge: 6 });
    expect([world.lost, world.lanes.inflight]).toEqual([0, 0]);
  });

  it("EDGE-36: one that the shard surely has not is counted as lost directly", () => {
    const world = new World();
    world.fail(world.load(4, 0, { lost: 2 })[0]!, 0, OVERLOAD);
    expect(world.lanes.due(HOUR_MS)).toEqual([]);
    expect([world.lost, world.lanes.inflight]).toEqual([6, 0]);
  });

  it("EDGE-36: a refusal after a try without an answer is told by a tombstone, since the shard may have it", () => {
    const world = new World();
    world.fail(world.load(4, 0)[0]!, 0);
    const drive = world.drive(5_000);
    world.lanes.refused(drive, world.lanes.begin(drive, 5_000)!, 5_000);
    const tombstone = world.lanes.begin(drive, 5_000)!;
    expect([told(tombstone).rows, told(tombstone).counters.lost_at_edge, world.lost]).toEqual([0, 4, 0]);
    // Refused too, it is kept: only the shard can say.
    world.lanes.refused(drive, tombstone, 5_001);
    expect([world.lanes.begin(drive, 5_001), world.lanes.inflight, world.lost]).toEqual([undefined, 1, 0]);
  });

  it("EDGE-38: tombstones go before the frames of their shard, and keep none of them waiting", () => {
    const world = new World();
    world.fail(world.load(4, 0)[0]!, 0);
    world.load(1, 1);
    const late = HOUR_MS + 7_000;
    const drive = world.drive(late);
    expect([world.answer(drive, late)!.tombstone, world.answer(drive, late)!.rows]).toEqual([true, 1]);
  });

  it("EDGE-38: one that finds no shard for an hour and four minutes is counted here: its id may be forgotten", () => {
    const world = new World();
    world.fail(world.load(4, 0)[0]!, 0);
    for (const drive of world.lanes.due(HOUR_MS)) world.fail(drive, HOUR_MS);
    for (const drive of world.lanes.due(HOUR_MS + 4 * MINUTE_MS - 1))
      world.fail(drive, HOUR_MS + 4 * MINUTE_MS - 1);
    expect([world.lanes.inflight, world.lost]).toEqual([1, 0]);
    expect(world.lanes.due(HOUR_MS + 4 * MINUTE_MS)).toEqual([]);
    expect([world.lanes.inflight, world.lost]).toEqual([0, 4]);
  });

  it("EDGE-38: there are so many tombstones and no more; what is given up beyond is counted here", () => {
    const sites = EDGE_TOMBSTONES_MAX + 3;
    const world = new World({ maxInflight: sites });
    for (let i = 0; i < sites; i++) world.fail(world.load(1, 0, { site: `site${i}` })[0]!, 0);
    world.lanes.due(HOUR_MS);
    expect([world.lanes.inflight, world.lost]).toEqual([EDGE_TOMBSTONES_MAX, 3]);
  });
});
