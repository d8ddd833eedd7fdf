/**
 * Blocks of 32-bit words in one growing buffer, for millions of small tables without an object each.
 *
 *   words  ┊ · ┊ block ┊ block ┊ free → 9 ┊ block ┊ free → 0 ┊ … end ┊ slack ┊     (word 0 is never given out)
 *
 * Free blocks of one size are a list through their first words (segregated free lists; Wilson et al., "Dynamic Storage
 * Allocation", 1995). They are neither split nor joined: the owners' sizes come from short tables of steps, so a free
 * block is soon of use again, and `compact` closes the gaps when they are not.
 * Who wants a block's size back later keeps it in the block.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

const FIRST_WORDS = 1_024;
/** Growth by a quarter: slack is our memory too, and a word is still copied only four times in the long run. */
const GROWTH = 1.25;
/** Offsets stay small integers in engines with 31-bit ones, which a table of handles relies on. */
const WORDS_MAX = 2 ** 30;
const LAYOUT = layoutOf("arena");

/** Answers where a block of `words` words at `at` will lie. */
export type MoveBlock = (at: number, words: number) => number;

/** Offsets are word offsets, 0 = none. Views are REPLACED when it grows: read them anew after every `alloc`. */
export class Arena {
  /** Both are views on the same buffer. Outgrown ones are detached: they read as empty, never as stale data. */
  words: Uint32Array<ArrayBuffer>;
  bytes: Uint8Array<ArrayBuffer>;
  /** First word that was never given out. */
  #end = 1;
  #used = 0;
  /** Words of a block → the first free one. */
  readonly #free = new Map<number, number>();

  constructor(firstWords = FIRST_WORDS) {
    this.words = new Uint32Array(Math.max(firstWords, 2));
    this.bytes = new Uint8Array(this.words.buffer);
  }

  /** Capacity in bytes: live blocks, free blocks, slack. */
  get byteLength(): number {
    return this.bytes.length;
  }

  /** Bytes of the live blocks. */
  get usedBytes(): number {
    return this.#used * 4;
  }

  /** A zeroed block of exactly `words` (≥ 1) words. Throws a RangeError past 4 GiB, and has changed nothing then. */
  alloc(words: number): number {
    const free = this.#free.get(words) ?? 0;
    if (free !== 0) {
      this.#used += words;
      this.#free.set(words, this.words[free]!);
      this.words.fill(0, free, free + words);
      return free;
    }
    const at = this.#end;
    if (at + words > this.words.length) this.#grow(at + words);
    this.#end = at + words;
    this.#used += words;
    return at;
  }

  /** Takes back a block that `alloc` answered for the same number of words. Its content is lost. */
  release(at: number, words: number): void {
    this.words[at] = this.#free.get(words) ?? 0;
    this.#free.set(words, at);
    this.#used -= words;
  }

  /**
   * Copies all live blocks, in the order in which `visit` names them, into a buffer without gaps. `visit` calls `move`
   * once for every live block and keeps what comes back; until it returns, `words` and `bytes` show the old places.
   * Throws, and changes nothing, when what was moved is not as long as what is live: a block was left out or named twice.
   * For a moment both buffers are held: old capacity plus what is live.
   */
  compact(visit: (move: MoveBlock) => void): void {
    const from = this.words;
    const to = new Uint32Array(Math.max(1 + this.#used, 2));
    let end = 1;
    visit((at, words) => {
      if (end + words > to.length) throw new Error("arena: a block was moved twice");
      to.set(from.subarray(at, at + words), end);
      end += words;
      return end - words;
    });
    if (end !== 1 + this.#used) throw new Error(`arena: ${this.#used + 1 - end} live words were not moved`);
    this.words = to;
    this.bytes = new Uint8Array(to.buffer);
    this.#end = end;
    this.#free.clear();
  }

  /** Live and free blocks as they lie, so that offsets stay what they are; slack is not written. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.words.length);
    writer.u32(this.#used);
    writer.words(Uint32Array.from([...this.#free].flat()));
    writer.words(this.words.subarray(0, this.#end));
  }

  /** Lays the blocks of an image into an arena that has none; throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    const capacity = reader.u32();
    this.#used = reader.u32();
    const free = reader.words().slice();
    const end = reader.count();
    const most = Math.max(this.words.length, Math.ceil(end * GROWTH));
    if (end === 0 || free.length % 2 !== 0 || capacity < end || capacity > most)
      throw new ImageError("malformed");
    this.#end = end;
    for (let i = 0; i < free.length; i += 2) this.#free.set(free[i]!, free[i + 1]!);
    this.words = new Uint32Array(capacity);
    reader.fill(this.words.subarray(0, end));
    this.bytes = new Uint8Array(this.words.buffer);
  }

  #grow(needed: number): void {
    const words = Math.max(needed, Math.ceil(this.words.length * GROWTH));
    if (words > WORDS_MAX) throw new RangeError("arena: full");
    // Gives the old buffer back at once, where a copy would wait for the collector.
    this.words = new Uint32Array(this.words.buffer.transfer(words * 4));
    this.bytes = new Uint8Array(this.words.buffer);
  }
}
