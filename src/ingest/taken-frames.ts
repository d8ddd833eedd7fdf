/**
 * Which frames a shard has taken, so that one that comes again counts once. An id is a source (12 bytes: a channel of an
 * isolate, or a request's key) and a number that the source counts up. Of each source the highest number is kept and a
 * bitmap of those below it, as IPsec's anti-replay window does it (RFC 4303 §3.4.3):
 *
 *   source, 3 words · highest number · minute of its last frame · taken: bit d = number highest − d, 2 words
 *
 * 28 bytes a source, whatever it sends; one id each as text in a Map takes a hundred. What is older than the bitmap cannot
 * be told from new: it is refused for good, and senders never let numbers of a source that far apart be under way.
 */
import { mix32 } from "../base/hash.ts";
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { FRAME_ID_WINDOW } from "../config.ts";
import { FRAME_ID_BYTES } from "../wire/frame.ts";

const SOURCE_WORDS = 3;
const HIGH = 3;
const MINUTE = 4;
const TAKEN = 5;
const STRIDE = 7;
const FIRST_CAPACITY = 64;
const FULL_SHARE = 0.7;
const LAYOUT = layoutOf("frame ids", STRIDE, HIGH, MINUTE, TAKEN, FRAME_ID_WINDOW);

export type FrameAge = "new" | "taken" | "stale";

export class TakenFrames {
  /** Open addressing; an entry without a minute is free. */
  #table = new Uint32Array(FIRST_CAPACITY * STRIDE);
  #size = 0;
  readonly #words = new Uint32Array(SOURCE_WORDS + 1);

  /** Sources held. */
  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return this.#table.byteLength;
  }

  /** What is known of a frame's id (FRAME_ID_BYTES). */
  age(id: Uint8Array): FrameAge {
    const at = this.#find(id);
    if (this.#table[at + MINUTE] === 0) return "new";
    const behind = this.#table[at + HIGH]! - this.#words[SOURCE_WORDS]!;
    if (behind < 0) return "new";
    if (behind >= FRAME_ID_WINDOW) return "stale";
    return (this.#table[at + TAKEN + (behind >>> 5)]! & (1 << (behind & 31))) === 0 ? "new" : "taken";
  }

  /** Notes a frame as taken; `minute` (> 0) is that of its arrival. A stale one changes nothing. */
  take(id: Uint8Array, minute: number): void {
    let at = this.#find(id);
    if (this.#table[at + MINUTE] === 0) {
      if (this.#size >= this.#capacity * FULL_SHARE) {
        this.#rebuild(this.#capacity * 2, 0);
        at = this.#find(id);
      }
      this.#size++;
      this.#table.set(this.#words.subarray(0, SOURCE_WORDS), at);
      this.#table[at + HIGH] = this.#words[SOURCE_WORDS]!;
    }
    this.#note(at, this.#words[SOURCE_WORDS]!);
    this.#table[at + MINUTE] = Math.max(minute, this.#table[at + MINUTE]!);
  }

  /** Forgets sources whose last frame came before a minute. */
  forget(beforeMinute: number): void {
    let kept = 0;
    for (let at = MINUTE; at < this.#table.length; at += STRIDE)
      if (this.#table[at]! >= Math.max(1, beforeMinute)) kept++;
    if (kept === this.#size) return;
    let capacity = FIRST_CAPACITY;
    while (kept >= capacity * FULL_SHARE) capacity *= 2;
    this.#rebuild(capacity, beforeMinute);
  }

  writeImage(into: ImageWriter): void {
    into.section(LAYOUT);
    into.u32(this.#size);
    into.words(this.#table);
  }

  /** Throws an ImageError. */
  static readImage(from: ImageReader): TakenFrames {
    from.section(LAYOUT);
    const ids = new TakenFrames();
    ids.#size = from.u32();
    ids.#table = from.words().slice();
    let held = 0;
    for (let at = MINUTE; at < ids.#table.length; at += STRIDE) if (ids.#table[at] !== 0) held++;
    // In a table that is full, or no power of two long, a search would never end.
    const isTable = Number.isInteger(Math.log2(ids.#capacity)) && held <= ids.#capacity * FULL_SHARE + 1;
    if (!isTable || held !== ids.#size) throw new ImageError("malformed");
    return ids;
  }

  get #capacity(): number {
    return this.#table.length / STRIDE;
  }

  /** Moves the bitmap up to a new highest number, and marks the number. */
  #note(at: number, number: number): void {
    const table = this.#table;
    const ahead = number - table[at + HIGH]!;
    if (ahead > 0) {
      const [low, high] = [table[at + TAKEN]!, table[at + TAKEN + 1]!];
      if (ahead >= FRAME_ID_WINDOW) table.fill(0, at + TAKEN, at + STRIDE);
      else if (ahead >= 32) {
        table[at + TAKEN] = 0;
        table[at + TAKEN + 1] = low << (ahead - 32);
      } else {
        table[at + TAKEN] = low << ahead;
        table[at + TAKEN + 1] = (high << ahead) | (low >>> (32 - ahead));
      }
      table[at + HIGH] = number;
    }
    const behind = table[at + HIGH]! - number;
    if (behind < FRAME_ID_WINDOW) table[at + TAKEN + (behind >>> 5)]! |= 1 << (behind & 31);
  }

  /** Where the id's source is, or the free entry where it belongs; its words are left in `#words`. */
  #find(id: Uint8Array): number {
    const words = this.#words;
    for (let i = 0, at = 0; at < FRAME_ID_BYTES; i++, at += 4)
      words[i] = (id[at]! << 24) | (id[at + 1]! << 16) | (id[at + 2]! << 8) | id[at + 3]!;
    return this.#place(words, 0);
  }

  #place(words: Uint32Array, from: number): number {
    const table = this.#table;
    const mask = this.#capacity - 1;
    const [a, b, c] = [words[from]!, words[from + 1]!, words[from + 2]!];
    for (let slot = mix32(a ^ mix32(b ^ mix32(c))) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * STRIDE;
      if (table[at + MINUTE] === 0) return at;
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c) return at;
    }
  }

  #rebuild(capacity: number, beforeMinute: number): void {
    const old = this.#table;
    this.#table = new Uint32Array(capacity * STRIDE);
    this.#size = 0;
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at + MINUTE]! < Math.max(1, beforeMinute)) continue;
      this.#table.set(old.subarray(at, at + STRIDE), this.#place(old, at));
      this.#size++;
    }
  }
}
