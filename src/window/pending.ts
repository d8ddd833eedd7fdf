/**
 * Frames with rows ahead of the clock, until they are due: those of senders whose clocks are ahead (at most a minute), and
 * all of a site whose `as_of` lies behind.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { PENDING_MAX_BYTES } from "../config.ts";
import { decodeFrame, encodeFrame, type Frame, FrameError } from "../wire/frame.ts";

const LAYOUT = layoutOf("pending");
/** Bytes of a row's columns in a decoded frame. */
const ROW_BYTES = 2 + 4 * 7;
const NO_SAMPLES = new Uint8Array();

interface Waiting {
  /** Without samples, whose bytes would be held with it. */
  readonly frame: Frame;
  /** Rows up to this time were counted. */
  sinceMs: number;
  /** Later ones were dropped. */
  readonly untilMs: number;
  /** Nothing of it is due before. */
  nextMs: number;
}

/** Rows of one frame that are due, in the order in which they are counted. */
export interface DueRows {
  readonly frame: Frame;
  readonly rows: readonly number[];
}

export class Pending {
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** Nothing is due before. */
  #nextMs = Number.POSITIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  /** Whether a frame fits beside the others. */
  hasRoom(frame: Frame): boolean {
    return this.#bytes + frame.rows * ROW_BYTES <= PENDING_MAX_BYTES;
  }

  /** Keeps a frame whose rows up to `sinceMs` were counted and those after `untilMs` were dropped. */
  add(frame: Frame, sinceMs: number, untilMs: number): void {
    const nextMs = dueAfter(frame, sinceMs, untilMs);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#waiting.push({ frame: { ...frame, samples: NO_SAMPLES }, sinceMs, untilMs, nextMs });
    this.#bytes += frame.rows * ROW_BYTES;
    this.#nextMs = Math.min(this.#nextMs, nextMs);
  }

  /**
   * Gives out the rows that are due at `nowMs`, by their times and then in the order in which they came: what becomes of them
   * must not depend on how often somebody looks.
   */
  due(nowMs: number): DueRows[] {
    if (nowMs < this.#nextMs) return [];
    const due: { ms: number; frame: Frame; row: number }[] = [];
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      const { frame, sinceMs, untilMs } = waiting;
      if (nowMs < waiting.nextMs) {
        this.#nextMs = Math.min(this.#nextMs, waiting.nextMs);
        continue;
      }
      const endMs = Math.min(nowMs, untilMs);
      for (let row = 0; row < frame.rows; row++) {
        const ms = frame.baseMs + frame.at[row]!;
        if (ms > sinceMs && ms <= endMs) due.push({ ms, frame, row });
      }
      waiting.sinceMs = nowMs;
      waiting.nextMs = dueAfter(frame, nowMs, untilMs);
      this.#nextMs = Math.min(this.#nextMs, waiting.nextMs);
      if (waiting.nextMs === Number.POSITIVE_INFINITY) this.#bytes -= frame.rows * ROW_BYTES;
    }
    this.#waiting = this.#waiting.filter(({ nextMs }) => nextMs !== Number.POSITIVE_INFINITY);
    due.sort((a, b) => a.ms - b.ms);
    const runs: { frame: Frame; rows: number[] }[] = [];
    for (const { frame, row } of due) {
      if (runs.at(-1)?.frame === frame) runs.at(-1)!.rows.push(row);
      else runs.push({ frame, rows: [row] });
    }
    return runs;
  }

  /** Frames as they travel; their samples are evidence and kept elsewhere. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#waiting.length);
    for (const { frame, sinceMs, untilMs } of this.#waiting) {
      writer.int(sinceMs);
      writer.int(untilMs);
      writer.bytes(encodeFrame(frame));
    }
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    for (let left = reader.u32(); left > 0; left--) {
      const [sinceMs, untilMs] = [reader.int(), reader.int()];
      this.add(frameOf(reader.bytes()), sinceMs, untilMs);
    }
  }
}

/** Time of a frame's first row after `sinceMs`, up to `untilMs`; infinity when there is none. */
function dueAfter({ at, baseMs, rows }: Frame, sinceMs: number, untilMs: number): number {
  let first = Number.POSITIVE_INFINITY;
  for (let row = 0; row < rows; row++) {
    const ms = baseMs + at[row]!;
    if (ms > sinceMs && ms <= untilMs && ms < first) first = ms;
  }
  return first;
}

function frameOf(bytes: Uint8Array): Frame {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    throw error instanceof FrameError ? new ImageError("malformed") : error;
  }
}
