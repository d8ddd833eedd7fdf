/** From disk to memory after a start: the newest checkpoint that this code can read, then the log behind it. */
import { ImageError } from "../base/image.ts";
import { FRAME_WORK, MINUTE_MS } from "../config.ts";
import { decodeFrame, type Frame, FrameError } from "../wire/frame.ts";
import { framesOfRow, GroupRowError } from "./group-row.ts";
import { type DelayChange, type LogPosition, ShardMemory } from "./memory.ts";

export interface LogRow extends LogPosition {
  /** When it was written, ms; absent in rows of before that was noted. */
  readonly atMs: number | undefined;
  readonly bytes: Uint8Array;
}

/** The slice of a shard's disk that is read at a start. */
export interface RecoveryDisk {
  readonly logMinutes: readonly number[];
  /** Rows behind a position, in the order in which they were written. */
  logRows(after: LogPosition): Iterable<LogRow>;
  /** How the delay changed, oldest first; what was before the oldest is 0. */
  delays(): readonly DelayChange[];
  /**
   * The parts of the checkpoint, read anew by each iteration, each void when the next one is asked for; `undefined` = there
   * is none.
   */
  checkpoint(): Iterable<Uint8Array> | undefined;
  /** First sights older than the log, of the fingerprints that were held at a time, ms. */
  born(): { atMs: number; entries: Iterable<[string, number]> };
}

export interface Recovery {
  readonly memory: ShardMemory;
  /** Observations that were read from the log: what the checkpoint did not save. */
  readonly replayed: number;
  /** The same as work. */
  readonly work: number;
  /** Rows and frames of the log that could not be read or counted; they stay on disk. */
  readonly unreadable: number;
  /** `unreadable` = there is one, of other code or broken: the log was read whole. */
  readonly checkpoint: "read" | "none" | "unreadable";
}

/** `seed`: the shard's own, that a memory without a checkpoint starts with. */
export function recover(disk: RecoveryDisk, nowMs: number, seed: number): Recovery {
  const { memory, checkpoint } = start(disk, seed);
  let replayed = 0;
  let work = 0;
  let unreadable = 0;
  const delays = [...disk.delays()];
  for (const row of disk.logRows(memory.position)) {
    const { minute, seq } = row;
    while (delays.length > 0 && isBefore(delays[0]!.after, row)) memory.setDelay(delays.shift()!);
    // Also when the clock was set back since: as it was counted then it is counted now.
    const atMs = row.atMs ?? Math.min((minute + 1) * MINUTE_MS, nowMs);
    try {
      for (const bytes of framesOfRow(row.bytes)) {
        const frame = take(memory, bytes, minute, atMs);
        replayed += frame?.rows ?? 0;
        if (frame === undefined) unreadable++;
        else work += workOf(frame);
      }
    } catch (error) {
      if (!(error instanceof GroupRowError)) throw error;
      unreadable++;
    }
    memory.position = { minute, seq };
  }
  for (const change of delays) memory.setDelay(change);
  if (checkpoint !== "read") takeBorn(memory, disk);
  // What code of before dropped of the log is in its totals already.
  const [first] = disk.logMinutes;
  for (const minute of memory.perMinute.keys()) {
    if (first === undefined || minute < first) memory.perMinute.delete(minute);
  }
  return { memory, replayed, work, unreadable, checkpoint };
}

function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.minute < b.minute || (a.minute === b.minute && a.seq < b.seq);
}

function start(disk: RecoveryDisk, seed: number): Pick<Recovery, "memory" | "checkpoint"> {
  const parts = disk.checkpoint();
  if (parts === undefined) return { memory: ShardMemory.empty(seed), checkpoint: "none" };
  try {
    return { memory: ShardMemory.readImage(parts), checkpoint: "read" };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { memory: ShardMemory.empty(seed), checkpoint: "unreadable" };
  }
}

/** Older first sights of those that are held since: one that left meanwhile and came back is a newborn again. */
function takeBorn({ window: { fingerprints } }: ShardMemory, disk: RecoveryDisk): void {
  const { atMs, entries } = disk.born();
  for (const [ja4, firstMs] of entries) {
    const id = fingerprints.id(ja4);
    if (id !== undefined && fingerprints.firstSeenMs(id) <= atMs) fingerprints.seen(id, firstMs);
  }
}

/** What it costs to read a frame again, in observations counted. */
export function workOf({ rows }: Frame): number {
  return rows + FRAME_WORK;
}

/** The frame; `undefined` when it cannot be read. One that is there twice counts once. */
function take(memory: ShardMemory, bytes: Uint8Array, minute: number, atMs: number): Frame | undefined {
  let frame: Frame;
  try {
    frame = decodeFrame(bytes);
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
  if (memory.ids.age(frame.id) === "new") memory.take(frame, minute, atMs);
  return frame;
}
