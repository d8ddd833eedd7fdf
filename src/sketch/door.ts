/**
 * The door before a full table: how often was something seen lately, for far more things than there is room for? A count-min
 * sketch (Cormode and Muthukrishnan, "An Improved Data Stream Summary", 2005) with conservative update (Estan and
 * Varghese, 2002): of its counters only the smallest are raised. It never answers too few; with T sights since the counters
 * were 0 it answers more than e · T / width too many with probability at most e^-rows.
 *
 *   row 0  ┊ u8 ┊ u8 ┊ u8 ┊ … 65,536 saturating counters
 *   row 1  ┊ …      each row finds its counter by another 16 bits of the mixed hash
 *   row 2  ┊
 *   row 3  ┊
 *
 * Admit on the third sight, and a flood of things that never come again does not push out what does. Ageing (halving, as in
 * TinyLFU: Einziger, Friedman and Manes, 2017) forgets the past; its pace is the owner's.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

const ROWS = 4;
const WIDTH = 65_536;
const COUNT_MAX = 255;
const LAYOUT = layoutOf("door", ROWS, WIDTH);

export class Door {
  readonly #counters = new Uint8Array(ROWS * WIDTH);
  readonly #seed: number;

  /** `seed`: any 32 bits; doors with different seeds confuse different things. */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  get byteLength(): number {
    return this.#counters.byteLength;
  }

  /** Notes a sight of a 32-bit hash, signed or not; answers the estimated sights of it, this one included, up to 255. */
  note(hash: number): number {
    const counters = this.#counters;
    const first = mix(hash ^ this.#seed);
    const second = mix(first ^ 0x5bd1e995);
    const a = first & 0xffff;
    const b = WIDTH + (first >>> 16);
    const c = 2 * WIDTH + (second & 0xffff);
    const d = 3 * WIDTH + (second >>> 16);
    const least = Math.min(counters[a]!, counters[b]!, counters[c]!, counters[d]!);
    if (least === COUNT_MAX) return COUNT_MAX;
    if (counters[a] === least) counters[a] = least + 1;
    if (counters[b] === least) counters[b] = least + 1;
    if (counters[c] === least) counters[c] = least + 1;
    if (counters[d] === least) counters[d] = least + 1;
    return least + 1;
  }

  /** A door that nobody came to, as of every shard below its capacity, takes next to nothing. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    const words = new Uint32Array(this.#counters.buffer);
    writer.words(words.every((word) => word === 0) ? words.subarray(0, 0) : words);
  }

  /** Of an image that a door with the same seed wrote. Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    const words = reader.words();
    if (words.length !== 0 && words.length * 4 !== ROWS * WIDTH) throw new ImageError("malformed");
    new Uint32Array(this.#counters.buffer).set(words);
  }

  /** Halves all counters, rounding down: a sight an age ago counts half. */
  age(): void {
    // Four counters a word; the mask takes off the bit that came over from the neighbour.
    const words = new Uint32Array(this.#counters.buffer);
    for (let at = 0; at < words.length; at++) words[at] = (words[at]! >>> 1) & 0x7f7f7f7f;
  }
}

/** A bijection of 32-bit numbers that mixes well (Ellis, "lowbias32", 2018); signed. */
function mix(n: number): number {
  let h = n ^ (n >>> 16);
  h = Math.imul(h, 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}
