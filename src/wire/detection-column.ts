/** Detection ids of a frame in the making: most rows have none, and cost nothing. */
import { DETECTIONS_A_ROW_MAX } from "../config.ts";
import type { FrameDetections } from "./frame-form.ts";
import { grown } from "./grown.ts";

const ID_BYTES = 4;
const NONE: readonly number[] = Object.freeze([]);

export class DetectionColumn {
  /** Rows with ids, rising, and where the ids of each end. */
  #rows = new Uint16Array(0);
  #ends = new Uint16Array(0);
  #ids = new Uint32Array(0);
  #count = 0;

  /** Takes the ids of a row behind those before it; answers the bytes that they take in a frame. */
  add(row: number, ids: ArrayLike<number>): number {
    const count = Math.min(ids.length, DETECTIONS_A_ROW_MAX);
    if (count === 0) return 0;
    const from = this.#end;
    this.#ids = grown(this.#ids, from + count);
    for (let i = 0; i < count; i++) this.#ids[from + i] = ids[i]!;
    this.#rows = grown(this.#rows, this.#count + 1);
    this.#ends = grown(this.#ends, this.#count + 1);
    this.#rows[this.#count] = row;
    this.#ends[this.#count++] = from + count;
    return count * ID_BYTES;
  }

  /** The frame's member, of its own; without ids none. */
  build(rows: number): { detections?: FrameDetections } {
    if (this.#count === 0) return {};
    const start = new Uint16Array(rows + 1);
    for (let row = 0, i = 0; row < rows; row++) {
      start[row + 1] = start[row]!;
      if (i < this.#count && this.#rows[i] === row) start[row + 1] = this.#ends[i++]!;
    }
    return { detections: { start, ids: this.#ids.slice(0, this.#end) } };
  }

  /** Answers the ids of rows that are asked for in rising order. */
  walk(): (row: number) => ArrayLike<number> {
    let i = 0;
    return (row) => {
      if (i === this.#count || this.#rows[i] !== row) return NONE;
      return this.#ids.subarray(i === 0 ? 0 : this.#ends[i - 1]!, this.#ends[i++]!);
    };
  }

  reset(): void {
    this.#count = 0;
  }

  get #end(): number {
    return this.#count === 0 ? 0 : this.#ends[this.#count - 1]!;
  }
}
