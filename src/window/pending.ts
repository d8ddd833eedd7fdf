/** Frames with rows ahead of the clock, until they are due. At most a minute of them: later times are refused outside. */
import type { Frame } from "../wire/frame.ts";

interface Waiting {
  frame: Frame;
  /** Rows up to this time were counted. */
  sinceMs: number;
}

export class Pending {
  #waiting: Waiting[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get byteLength(): number {
    return this.#waiting.reduce((sum, { frame }) => sum + frame.rows * ROW_BYTES, 0);
  }

  /** Keeps a frame whose rows up to `sinceMs` were counted. */
  add(frame: Frame, sinceMs: number): void {
    this.#waiting.push({ frame, sinceMs });
  }

  /** Gives the frames out, each with the time up to which it was counted; what is still ahead in one is added again. */
  *due(): Generator<Waiting> {
    const waiting = this.#waiting;
    this.#waiting = [];
    yield* waiting;
  }
}

/** Bytes of a row's columns in a decoded frame. */
const ROW_BYTES = 2 + 4 * 7;
