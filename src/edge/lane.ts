/**
 * The way from an isolate to one shard. One call at a time: what comes meanwhile waits as rows and goes together with the
 * next, so that a slow shard gets fewer and larger calls. Plain data: whoever drives a lane holds it by a lease, and a driver
 * that dies loses it.
 *
 * After a failure the lane is quiet for a pause that doubles, then one frame is tried; each frame has a back-off of its own
 * too, so that one that always fails does not keep the others waiting.
 */
import { backOffMs } from "../base/retry.ts";
import {
  EDGE_LANE_FRAMES_MAX,
  EDGE_RETRY_FIRST_MS,
  EDGE_RETRY_MAX_MS,
  FRAME_BYTES_TARGET,
  FRAME_ID_WINDOW,
  FRAME_ROWS_MAX,
  LOG_KEEP_MS,
  MINUTE_MS,
  PAST_MAX_MS,
} from "../config.ts";
import { COUNTERS, type Counters, encodeFrame, type Source } from "../wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../wire/frame-builder.ts";
import { type Channel, frameId, isSpent } from "./channels.ts";

export interface Place {
  readonly site: string;
  /** The shard map that the frames were made for. */
  readonly map: { readonly epoch: number; readonly shards: number };
  readonly shard: number;
}

/** A frame without an answer: kept with its bytes, so that any later request can send it again. */
export interface LaneFrame {
  readonly id: Uint8Array;
  readonly channel: Channel;
  readonly sequence: number;
  readonly madeMs: number;
  bytes: Uint8Array;
  /** None in a tombstone: an empty frame that tells, under the id of one that was given up, what is lost with it. */
  rows: number;
  tombstone: boolean;
  /** What rides along. */
  counters: Counters;
  /** Tries that count for its back-off, and when the next one is due, ms. */
  tries: number;
  dueMs: number;
  /** Whether the shard may have it: a try began and no answer said that it has not. */
  doubtful: boolean;
  /** The same before the try that is under way. */
  wasDoubtful: boolean;
}

/** Rows of one source that are in no frame yet. */
export interface Waiting {
  readonly source: Source;
  readonly builder: FrameBuilder;
}

export class Lane {
  readonly place: Place;
  /** Oldest first. */
  readonly frames = new Set<LaneFrame>();
  /** In the order of their arrival. */
  readonly waiting: Waiting[] = [];
  /** What rides on the next frame. */
  counters: Counters | undefined;
  #channel: Channel | undefined;
  #failures = 0;
  #quietUntilMs = 0;
  #leaseUntilMs = 0;
  #turn = 0;

  constructor(place: Place) {
    this.place = place;
  }

  /** Whether the last call failed. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  get isEmpty(): boolean {
    return this.frames.size === 0 && this.waiting.length === 0 && this.counters === undefined;
  }

  isQuiet(nowMs: number): boolean {
    return this.#quietUntilMs > nowMs;
  }

  /** When there is something to do here, ms; Infinity = nothing. `mayMake`: whether a further frame may be made. */
  readyMs(mayMake: boolean): number {
    const makes = mayMake && (this.waiting.length > 0 || this.counters !== undefined);
    let readyMs = makes ? 0 : Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.frames) readyMs = Math.min(readyMs, dueMs);
    return Math.max(readyMs, this.#quietUntilMs, this.#leaseUntilMs);
  }

  /** Gives the lane to a new driver until `untilMs`; the answer is what the driver proves it by. */
  claim(untilMs: number): number {
    this.#leaseUntilMs = untilMs;
    return ++this.#turn;
  }

  isDrivenBy(turn: number): boolean {
    return turn === this.#turn;
  }

  extend(untilMs: number): void {
    this.#leaseUntilMs = untilMs;
  }

  release(): void {
    this.#leaseUntilMs = 0;
    this.#turn++;
  }

  /** Whether the lane has frames enough without an answer; tombstones keep nobody waiting. */
  isFull(): boolean {
    let frames = 0;
    for (const { tombstone } of this.frames) if (!tombstone) frames++;
    return frames >= EDGE_LANE_FRAMES_MAX;
  }

  /** Lets rows wait, with those of their source where one frame has room for both. Answers whether `builder` is free again. */
  hold(source: Source, builder: FrameBuilder): boolean {
    const last = this.waiting.findLast((each) => each.source === source)?.builder;
    const fits =
      last !== undefined &&
      last.rows + builder.rows <= FRAME_ROWS_MAX &&
      last.bytes + builder.bytes <= FRAME_BYTES_TARGET;
    if (fits) builder.splitInto(() => last);
    else this.waiting.push({ source, builder });
    return fits;
  }

  /** Lets counters ride on the next frame. */
  note(counters: Counters): void {
    this.counters = sumOf(this.counters ?? NO_COUNTERS, counters);
  }

  /** The frame that is to be tried: tombstones first, else the one that is due longest. */
  due(nowMs: number): LaneFrame | undefined {
    let found: LaneFrame | undefined;
    for (const frame of this.frames) {
      if (frame.dueMs > nowMs) continue;
      if (frame.tombstone) return frame;
      if (found === undefined || frame.dueMs < found.dueMs) found = frame;
    }
    return found;
  }

  /** A frame of `builder`'s rows and `counters` with the next id, made and not yet kept. `open` gives a fresh channel. */
  encode({ source, builder }: Waiting, counters: Counters, nowMs: number, open: () => Channel): LaneFrame {
    const channel = this.#openChannel(open);
    const sequence = channel.next;
    const id = frameId(channel.source, sequence);
    const bytes = encodeFrame(builder.build(id, source, counters));
    channel.next++;
    return {
      ...{ id, channel, sequence, bytes, counters, rows: builder.rows, tombstone: false },
      ...{ madeMs: nowMs, tries: 0, dueMs: nowMs, doubtful: false, wasDoubtful: false },
    };
  }

  /** A try begins. Until it has an answer the shard may have the frame. */
  begin(frame: LaneFrame, nowMs: number, random: number): void {
    frame.tries++;
    frame.dueMs = nowMs + pauseMs(frame.tries, random);
    frame.wasDoubtful = frame.doubtful;
    frame.doubtful = true;
  }

  /** The shard answers: the pauses begin anew with the next failure. */
  recover(): void {
    this.#failures = 0;
    this.#quietUntilMs = 0;
  }

  /** A failure: the lane is quiet for the next, longer pause from `fromMs` on. */
  fail(fromMs: number, random: number): void {
    this.#failures++;
    this.#quietUntilMs = fromMs + pauseMs(this.#failures, random);
  }

  /**
   * The channel of the next frame: another one where a shard could take that for one too old to know, since one of the
   * channel's frames has had no answer for so long.
   */
  #openChannel(open: () => Channel): Channel {
    const channel = this.#channel;
    const isFit = channel !== undefined && !isSpent(channel) && this.#isNear(channel);
    const fit = isFit ? channel : open();
    this.#channel = fit;
    return fit;
  }

  #isNear(channel: Channel): boolean {
    for (const frame of this.frames) {
      if (frame.channel === channel && channel.next - frame.sequence >= FRAME_ID_WINDOW) return false;
    }
    return true;
  }
}

/** A shard forgets ids after LOG_KEEP_MS, to the minute; a tombstone that came later would count what was accepted. */
const TOMBSTONE_MAX_MS = LOG_KEEP_MS - MINUTE_MS;

/** When a frame, or a tombstone, is not sent any more, ms. */
export function expiryMs({ madeMs, tombstone }: LaneFrame): number {
  return madeMs + (tombstone ? TOMBSTONE_MAX_MS : PAST_MAX_MS);
}

/** Makes a tombstone of a frame, in place. */
export function bury(frame: LaneFrame, nowMs: number): void {
  const { counters, rows } = frame;
  frame.counters = { ...counters, lost_at_edge: counters.lost_at_edge + rows };
  frame.bytes = encodeFrame(new FrameBuilder().build(frame.id, "edge", frame.counters));
  frame.rows = 0;
  frame.tombstone = true;
  frame.tries = 0;
  frame.dueMs = nowMs;
}

function pauseMs(failures: number, random: number): number {
  return backOffMs(failures, EDGE_RETRY_FIRST_MS, EDGE_RETRY_MAX_MS, random);
}

function sumOf(a: Counters, b: Counters): Counters {
  const sum = { ...a };
  for (const name of COUNTERS) sum[name] += b[name];
  return sum;
}
