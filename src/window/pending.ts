/** Frames with rows ahead of the clock, until they are due. At most a minute of them: later times are refused outside. */
import type { Frame } from "../wire/frame.ts";

interface Waiting {
  frame: Frame;
  /** Rows up to this time were counted. */
  countedMs: number;
}

export class Pending {
  #waiting: Waiting[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get byteLength(): number {
    return this.#waiting.reduce((sum, { frame }) => sum + frame.rows * ROW_BYTES, 0);
  }

  /** Keeps a frame whose rows up to `countedMs` were counted. */
  add(frame: Frame, countedMs: number): void {
    this.#waiting.push({ frame, countedMs });
  }

  /** The rows that are due at `nowMs` and were not before. */
  *due(nowMs: number): Generator<{ frame: Frame; rows: number[] }> {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { frame, countedMs } of waiting) {
      const rows: number[] = [];
      let ahead = false;
      for (let row = 0; row < frame.rows; row++) {
        const ms = frame.baseMs + frame.at[row]!;
        if (ms > nowMs) ahead = true;
        else if (ms > countedMs) rows.push(row);
      }
      if (ahead) this.#waiting.push({ frame, countedMs: nowMs });
      yield { frame, rows };
    }
  }
}

/** Bytes of a row's columns in a decoded frame. */
const ROW_BYTES = 2 + 4 * 7;
