/** Frames with rows ahead of the clock, until they are due. At most a minute of them: later times are refused outside. */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { decodeFrame, encodeFrame, type Frame, FrameError } from "../wire/frame.ts";

const LAYOUT = layoutOf("pending");

interface Waiting {
  frame: Frame;
  /** Rows up to this time were counted. */
  sinceMs: number;
  /** Later ones were dropped. */
  untilMs: number;
}

export class Pending {
  #waiting: Waiting[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get byteLength(): number {
    return this.#waiting.reduce((sum, { frame }) => sum + frame.rows * ROW_BYTES, 0);
  }

  /** Keeps a frame whose rows up to `sinceMs` were counted and those after `untilMs` were dropped. */
  add(frame: Frame, sinceMs: number, untilMs: number): void {
    this.#waiting.push({ frame, sinceMs, untilMs });
  }

  /** Gives the frames out, each with the times between which it waits; what is still ahead in one is added again. */
  *due(): Generator<Waiting> {
    const waiting = this.#waiting;
    this.#waiting = [];
    yield* waiting;
  }

  /** Frames as they travel; their samples are evidence and kept elsewhere. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#waiting.length);
    for (const { frame, sinceMs, untilMs } of this.#waiting) {
      writer.int(sinceMs);
      writer.int(untilMs);
      writer.bytes(encodeFrame({ ...frame, samples: NO_SAMPLES }));
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

const NO_SAMPLES = new Uint8Array();

function frameOf(bytes: Uint8Array): Frame {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    throw error instanceof FrameError ? new ImageError("malformed") : error;
  }
}

/** Bytes of a row's columns in a decoded frame. */
const ROW_BYTES = 2 + 4 * 7;
