/**
 * Counts by a 32-bit key and a small tag: open addressing with linear probing (Knuth, TAOCP 3, 6.4 L), two words an
 * entry. Entries are never taken out one by one: what was set to zero leaves when the table is made anew.
 *
 *   word 0   key; 0 = free
 *   word 1   count (from bit 0 up) · tag, of as many bits as the table was made for
 */
import { mix32 } from "../base/hash.ts";
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

const FIRST_CAPACITY = 64;
const LOAD_MAX = 0.75;

export class CountTable {
  /** The largest count; a tag is what a word holds on top of it, in multiples of one more. */
  readonly #countMax: number;
  readonly #layout: number;
  #places = new Uint32Array(2 * FIRST_CAPACITY);
  #size = 0;

  /** `tagBits`: 0–16 of the 32 that a count and its tag share. */
  constructor(tagBits: number) {
    this.#countMax = 2 ** (32 - tagBits) - 1;
    this.#layout = layoutOf("count-table", tagBits);
  }

  /** Entries, those set to zero among them. */
  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return this.#places.byteLength;
  }

  /** The count of a key (not 0) under a tag. */
  get(key: number, tag: number): number {
    return this.#countOf(this.#places[this.#find(key, tag) + 1]!);
  }

  /** Counts one. False, and nothing done, when that takes an entry more than `sizeMax`, or the count is at its largest. */
  count(key: number, tag: number, sizeMax: number): boolean {
    let at = this.#find(key, tag);
    if (this.#places[at] === 0) {
      if (this.#size >= sizeMax) return false;
      if ((this.#size + 1) * 2 > this.#places.length * LOAD_MAX) {
        this.#resize(this.#places.length);
        at = this.#find(key, tag);
      }
      this.#size++;
      this.#places[at] = key;
      this.#places[at + 1] = tag * (this.#countMax + 1);
    } else if (this.#countOf(this.#places[at + 1]!) === this.#countMax) return false;
    this.#places[at + 1]!++;
    return true;
  }

  /** Takes from a count that is at least as large. */
  subtract(key: number, tag: number, count: number): void {
    this.#places[this.#find(key, tag) + 1]! -= count;
  }

  /** Calls back for every entry that is not zero; `visit` answers whether it stays. The table shrinks to what is left. */
  sweep(visit: (key: number, tag: number, count: number) => boolean): void {
    const places = this.#places;
    let kept = 0;
    for (let at = 0; at < places.length; at += 2) {
      const word = places[at + 1]!;
      const count = this.#countOf(word);
      if (count === 0 || visit(places[at]!, this.#tagOf(word), count)) kept += Math.sign(count);
      else places[at + 1] = 0;
    }
    let capacity = FIRST_CAPACITY;
    while (kept > capacity * LOAD_MAX) capacity *= 2;
    this.#resize(capacity);
  }

  writeImage(writer: ImageWriter): void {
    writer.section(this.#layout);
    writer.u32(this.#size);
    // An empty one has its first capacity again.
    if (this.#size > 0) writer.words(this.#places);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(this.#layout);
    const size = reader.u32();
    if (size === 0) return;
    const places = reader.words().slice();
    const capacity = places.length / 2;
    let held = 0;
    for (let at = 0; at < places.length; at += 2) if (places[at] !== 0) held++;
    // A power of two, for the mask; and without a free place a search would not end.
    const isTable = capacity >= FIRST_CAPACITY && Number.isInteger(Math.log2(capacity));
    if (!isTable || held !== size || held > capacity * LOAD_MAX) throw new ImageError("malformed");
    this.#places = places;
    this.#size = size;
  }

  #countOf(word: number): number {
    return (word & this.#countMax) >>> 0;
  }

  #tagOf(word: number): number {
    return (word - this.#countOf(word)) / (this.#countMax + 1);
  }

  /** Where the entry is, or the free place where it belongs. */
  #find(key: number, tag: number): number {
    const places = this.#places;
    const mask = places.length / 2 - 1;
    for (let slot = mix32(key ^ Math.imul(tag + 1, 0x9e3779b1)) & mask; ; slot = (slot + 1) & mask) {
      const at = 2 * slot;
      if (places[at] === 0 || (places[at] === key && this.#tagOf(places[at + 1]!) === tag)) return at;
    }
  }

  /** Makes the table anew with another capacity, without what is zero. */
  #resize(capacity: number): void {
    const old = this.#places;
    this.#places = new Uint32Array(2 * capacity);
    this.#size = 0;
    for (let at = 0; at < old.length; at += 2) {
      const word = old[at + 1]!;
      if (this.#countOf(word) === 0) continue;
      const to = this.#find(old[at]!, this.#tagOf(word));
      this.#places[to] = old[at]!;
      this.#places[to + 1] = word;
      this.#size++;
    }
  }
}
