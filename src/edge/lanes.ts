/**
 * All lanes of an isolate: what is bounded over all of them, and what is given up. A frame that no shard took in an hour is
 * given up. Where the shard may have it, because an answer was lost, its loss is not counted here: the frame becomes a
 * tombstone of the same id. If the shard has the original, the tombstone is a duplicate and changes nothing; if not, it tells
 * the loss, and whatever of the original is still on its way is the duplicate.
 */
import { EDGE_TOMBSTONES_MAX } from "../config.ts";
import type { Counters, Source } from "../wire/frame.ts";
import { type FrameBuilder, NO_COUNTERS } from "../wire/frame-builder.ts";
import type { Channel, Channels } from "./channels.ts";
import { bury, expiryMs, Lane, type LaneFrame, type Place } from "./lane.ts";
import { Spares } from "./spares.ts";
import { splitByShard } from "./split.ts";

export interface LanesLimits {
  /** Rows that wait for failing shards at most; what comes on top is lost, and counted. */
  maxWaiting: number;
  /** Frames without an answer at most; with as many no further one is made. */
  maxInflight: number;
  /** Time after which a driver that says nothing is taken for dead, ms. */
  leaseMs: number;
}

/** What an isolate draws from: both are first asked behind a request. */
export interface Chance {
  /** In [0, 1). */
  random(): number;
  channels: Channels;
}

/** A lane with the right to send on it. */
export interface Drive {
  readonly lane: Lane;
  readonly turn: number;
}

/** What is to be sent: rows of one site and source, by builders that are given away. */
export interface Load {
  readonly site: string;
  readonly source: Source;
  readonly builders: readonly FrameBuilder[];
  readonly counters: Counters;
}

/** Told of what is given up for good, with the counters that it carried. */
type Lose = (site: string, rows: number, counters: Counters) => void;

/** Lanes kept although nothing is on them. */
const LANES_MAX = 1_024;
const NO_DRIVES: readonly Drive[] = Object.freeze([]);

export class Lanes {
  readonly #limits: LanesLimits;
  readonly #chance: Chance;
  readonly #lose: Lose;
  readonly #lanes = new Map<string, Lane>();
  readonly spares = new Spares();
  #waitingRows = 0;
  #inflight = 0;
  #tombstones = 0;
  #nextDueMs = Number.POSITIVE_INFINITY;
  #turn = 0;

  constructor(limits: LanesLimits, chance: Chance, lose: Lose) {
    this.#limits = limits;
    this.#chance = chance;
    this.#lose = lose;
  }

  /** Rows that are in no frame yet. */
  get waitingRows(): number {
    return this.#waitingRows;
  }

  /** Frames without an answer, tombstones included. */
  get inflight(): number {
    return this.#inflight + this.#tombstones;
  }

  /** Before this there is nothing to do, ms. */
  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Lanes that have something to do, each the caller's to drive. */
  due(nowMs: number): readonly Drive[] {
    if (nowMs < this.#nextDueMs) return NO_DRIVES;
    const drives: Drive[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      const goneMs = this.#expire(lane, nowMs);
      const drive = this.#driveOf(lane, nowMs);
      if (drive !== undefined) drives.push(drive);
      nextMs = Math.min(nextMs, goneMs, lane.readyMs(this.#mayMake(lane)));
    }
    this.#nextDueMs = nextMs;
    return drives;
  }

  /**
   * Puts rows on the lanes of their shards, and their counters on one that does not fail if there is one. Nothing waits in
   * between, so whoever does it ends before all of it or after. Answers the lanes that nobody drives yet.
   */
  load({ site, source, builders, counters }: Load, map: Place["map"], nowMs: number): Drive[] {
    const spread = this.#turn++ % map.shards;
    const touched = new Set<Lane>();
    const hold = (shard: number, part: FrameBuilder) => {
      const lane = this.#laneOf(site, map, shard);
      touched.add(lane);
      this.#hold(lane, source, part);
    };
    for (const builder of builders) {
      if (map.shards === 1) {
        hold(0, builder);
        continue;
      }
      const parts = splitByShard(builder, map, spread, () => this.spares.take());
      this.spares.giveBack(builder);
      for (const [shard, part] of parts) hold(shard, part);
    }
    if (counters.lost_at_edge > 0 || counters.fields_dropped > 0) {
      const other = this.#laneOf(site, map, spread);
      const teller = [...touched, other].find(({ failing }) => !failing) ?? other;
      teller.note(counters);
      touched.add(teller);
    }
    this.#nextDueMs = 0;
    return [...touched].flatMap((lane) => this.#driveOf(lane, nowMs) ?? []);
  }

  /**
   * The frame to send next, of which a try begins now; `undefined` = none, and the lane is nobody's. Throws when waiting rows
   * cannot be encoded: they are counted as lost, and the next call goes on.
   */
  begin({ lane, turn }: Drive, nowMs: number): LaneFrame | undefined {
    if (!lane.isDrivenBy(turn)) return undefined;
    this.#nextDueMs = 0;
    const frame = lane.isQuiet(nowMs) ? undefined : this.#next(lane, nowMs);
    if (frame === undefined) {
      lane.release();
      return undefined;
    }
    lane.begin(frame, nowMs, this.#chance.random());
    lane.extend(nowMs + this.#limits.leaseMs);
    return frame;
  }

  /** The driver has no time left: another request goes on. */
  leave({ lane, turn }: Drive): void {
    if (!lane.isDrivenBy(turn)) return;
    lane.release();
    this.#nextDueMs = 0;
  }

  /**
   * The shard has it. This counts from whomever; all else that a driver says who was taken for dead does not, since
   * another try of the frame may be under way.
   */
  answered({ lane, turn }: Drive, frame: LaneFrame): void {
    this.#remove(lane, frame);
    if (lane.isDrivenBy(turn)) lane.recover();
  }

  /** The shard will never take it. Whether it has taken it before, an earlier try may leave open. */
  refused({ lane, turn }: Drive, frame: LaneFrame, nowMs: number): void {
    if (!lane.isDrivenBy(turn)) return;
    this.#nextDueMs = 0;
    lane.recover();
    frame.doubtful = frame.wasDoubtful;
    if (!frame.tombstone) this.#giveUp(lane, frame, nowMs);
  }

  /**
   * The call failed: `startedMs` = its beginning. `overload` = the shard has too much to do, `tookNothing` = it said itself
   * that it has nothing of the frame.
   */
  failed(
    { lane, turn }: Drive,
    frame: LaneFrame,
    startedMs: number,
    nowMs: number,
    { overload, tookNothing }: { overload: boolean; tookNothing: boolean },
  ): void {
    if (!lane.isDrivenBy(turn)) return;
    this.#nextDueMs = 0;
    if (tookNothing) frame.doubtful = frame.wasDoubtful;
    if (overload) {
      // No fault of the frame's: the lane's pause is enough.
      frame.tries = Math.max(0, frame.tries - 1);
      frame.dueMs = nowMs;
    }
    lane.fail(overload ? nowMs : startedMs, this.#chance.random());
  }

  #driveOf(lane: Lane, nowMs: number): Drive | undefined {
    if (lane.readyMs(this.#mayMake(lane)) > nowMs) return undefined;
    return { lane, turn: lane.claim(nowMs + this.#limits.leaseMs) };
  }

  #mayMake(lane: Lane): boolean {
    return this.#inflight < this.#limits.maxInflight && !lane.isFull();
  }

  #laneOf(site: string, map: Place["map"], shard: number): Lane {
    const key = `${site}/${map.epoch}-${shard}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      if (this.#lanes.size >= LANES_MAX) {
        for (const [old, each] of this.#lanes) if (each.isEmpty) this.#lanes.delete(old);
      }
      lane = new Lane({ site, map, shard });
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #hold(lane: Lane, source: Source, part: FrameBuilder): void {
    const { rows } = part;
    if (lane.failing && this.#waitingRows + rows > this.#limits.maxWaiting) {
      this.#lose(lane.place.site, rows, NO_COUNTERS);
      this.spares.giveBack(part);
      return;
    }
    this.#waitingRows += rows;
    if (lane.hold(source, part)) this.spares.giveBack(part);
  }

  /** What has failed twice lets what waits go first: it may be at fault itself. */
  #next(lane: Lane, nowMs: number): LaneFrame | undefined {
    const due = lane.due(nowMs);
    if (due !== undefined && (due.tombstone || due.tries < 2)) return due;
    return this.#make(lane, nowMs) ?? due;
  }

  /** A frame of the rows that wait longest, or of counters alone. */
  #make(lane: Lane, nowMs: number): LaneFrame | undefined {
    if (!this.#mayMake(lane)) return undefined;
    const waiting = lane.waiting.shift();
    const { counters, place } = lane;
    if (waiting === undefined && counters === undefined) return undefined;
    lane.counters = undefined;
    const { site, map, shard } = place;
    const load = waiting ?? { source: "edge", builder: this.spares.take() };
    const { rows } = load.builder;
    this.#waitingRows -= rows;
    try {
      const open = (): Channel => this.#chance.channels.open(site, map.epoch, shard);
      const frame = lane.encode(load, counters ?? NO_COUNTERS, nowMs, open);
      lane.frames.add(frame);
      this.#inflight++;
      return frame;
    } catch (error) {
      this.#lose(site, rows, counters ?? NO_COUNTERS);
      throw error;
    } finally {
      this.spares.giveBack(load.builder);
    }
  }

  #remove(lane: Lane, frame: LaneFrame): void {
    this.#nextDueMs = 0;
    if (!lane.frames.delete(frame)) return;
    if (frame.tombstone) this.#tombstones--;
    else this.#inflight--;
  }

  /** Gives up what is too old, and answers when the next one will be, ms. */
  #expire(lane: Lane, nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const frame of lane.frames) {
      if (!frame.tombstone && expiryMs(frame) <= nowMs) this.#giveUp(lane, frame, nowMs);
      if (frame.tombstone && expiryMs(frame) <= nowMs) this.#drop(lane, frame);
      if (lane.frames.has(frame)) nextMs = Math.min(nextMs, expiryMs(frame));
    }
    return nextMs;
  }

  #giveUp(lane: Lane, frame: LaneFrame, nowMs: number): void {
    if (!lane.frames.has(frame)) return;
    if (!frame.doubtful || this.#tombstones >= EDGE_TOMBSTONES_MAX) {
      this.#drop(lane, frame);
      return;
    }
    bury(frame, nowMs);
    this.#inflight--;
    this.#tombstones++;
  }

  /** Counts a frame as lost, here and now. */
  #drop(lane: Lane, frame: LaneFrame): void {
    this.#remove(lane, frame);
    this.#lose(lane.place.site, frame.rows, frame.counters);
  }
}
