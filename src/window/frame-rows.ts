/** How the rows of a frame are gone through: in which order, and how often each counts. */
import { mix32 } from "../base/hash.ts";
import { FRAME_ROWS_MAX } from "../config.ts";
import { type Frame, WEIGHT_ONE } from "../wire/frame.ts";

export class FrameRows {
  readonly #order = new Uint16Array(FRAME_ROWS_MAX);
  readonly #places = new Uint16Array(FRAME_ROWS_MAX + 1);
  #weight = WEIGHT_ONE;
  #start = 0;

  /** A frame's rows, those of each fingerprint together (a counting sort): what they touch is then still at hand. */
  byFingerprint({ fp, fps, rows }: Frame): Uint16Array {
    const places = this.#places;
    places.fill(0, 0, fps + 1);
    for (let row = 0; row < rows; row++) places[fp[row]! + 1]!++;
    for (let i = 0; i < fps; i++) places[i + 1]! += places[i]!;
    for (let row = 0; row < rows; row++) this.#order[places[fp[row]!]!++] = row;
    return this.#order;
  }

  /** Begins with a frame, for `times`. */
  weigh({ id, weight = WEIGHT_ONE }: Frame): void {
    this.#weight = weight;
    this.#start = 0;
    if (weight % WEIGHT_ONE === 0) return;
    const words = new DataView(id.buffer, id.byteOffset);
    let hash = 0;
    for (let at = 0; at < id.length; at += 4) hash = mix32(hash ^ words.getUint32(at));
    this.#start = hash % WEIGHT_ONE;
  }

  /**
   * How many requests a row stands for. With a weight that is not whole some rows count one more than others (systematic
   * sampling, Madow 1949), from a start that the frame's id draws: the frame's sum is off by less than one, every row's count
   * is right on average, and a log that is read again counts the same.
   */
  times(row: number): number {
    if (this.#weight === WEIGHT_ONE) return 1;
    const before = row * this.#weight + this.#start;
    return Math.floor((before + this.#weight) / WEIGHT_ONE) - Math.floor(before / WEIGHT_ONE);
  }
}
