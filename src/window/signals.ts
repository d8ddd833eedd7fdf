/**
 * Newest global signals of those fingerprints that came with any: records of eleven doubles (when they were seen, then
 * GLOBAL_SIGNALS with NaN = absent), found through a table id → record with open addressing.
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { GLOBAL_SIGNALS } from "../wire/signal-names.ts";

const STRIDE = 1 + GLOBAL_SIGNALS.length;
const PAGE_BITS = 8;
const FIRST_CAPACITY = 16;
const LOAD_MAX = 0.75;
const LAYOUT = layoutOf("signals", PAGE_BITS, ...GLOBAL_SIGNALS);

export interface SeenSignals {
  seenAtMs: number;
  /** Dense, in the order of GLOBAL_SIGNALS; NaN = absent. */
  values: Float64Array;
}

export class SignalTable {
  /** id + 1, record; 0 = empty place. */
  #places = new Uint32Array(2 * FIRST_CAPACITY);
  readonly #pages: Float64Array<ArrayBuffer>[] = [];
  #free: number[] = [];
  #size = 0;
  #end = 0;

  get byteLength(): number {
    return this.#places.byteLength + ((this.#pages.length * STRIDE * 8) << PAGE_BITS);
  }

  /** Keeps signals unless newer ones are there; `values[at …]` in the order of GLOBAL_SIGNALS. */
  set(id: number, seenAtMs: number, values: Float64Array, at: number): void {
    let record = this.#find(id);
    if (record < 0) {
      record = this.#free.pop() ?? this.#end++;
      if (record >>> PAGE_BITS === this.#pages.length)
        this.#pages.push(new Float64Array(STRIDE << PAGE_BITS));
      this.#add(id, record);
    } else if (this.#page(record)[this.#at(record)]! > seenAtMs) return;
    const page = this.#page(record);
    const start = this.#at(record);
    page[start] = seenAtMs;
    for (let i = 1; i < STRIDE; i++) page[start + i] = values[at + i - 1]!;
  }

  /** A view of what is kept; valid until the next change. */
  get(id: number): SeenSignals | undefined {
    const record = this.#find(id);
    if (record < 0) return undefined;
    const start = this.#at(record);
    const page = this.#page(record);
    return { seenAtMs: page[start]!, values: page.subarray(start + 1, start + STRIDE) };
  }

  remove(id: number): void {
    const places = this.#places;
    const mask = places.length / 2 - 1;
    let hole = this.#home(id);
    while (places[2 * hole] !== id + 1) {
      if (places[2 * hole] === 0) return;
      hole = (hole + 1) & mask;
    }
    this.#free.push(places[2 * hole + 1]!);
    this.#size--;
    // Entries behind the hole move up unless that puts them before their home (Knuth, TAOCP 3, 6.4 R).
    for (let at = (hole + 1) & mask; places[2 * at] !== 0; at = (at + 1) & mask) {
      if (((at - this.#home(places[2 * at]! - 1)) & mask) < ((at - hole) & mask)) continue;
      places[2 * hole] = places[2 * at]!;
      places[2 * hole + 1] = places[2 * at + 1]!;
      hole = at;
    }
    places[2 * hole] = 0;
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#size);
    writer.u32(this.#end);
    writer.words(this.#places);
    writer.words(Uint32Array.from(this.#free));
    for (const [i, page] of this.#pages.entries()) writer.words(wordsOf(page, this.#end - (i << PAGE_BITS)));
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#size = reader.u32();
    this.#end = reader.u32();
    const places = reader.words();
    const capacity = places.length / 2;
    // A power of two, for the mask; and without a free place a search would not end.
    if (
      capacity < FIRST_CAPACITY ||
      2 ** Math.floor(Math.log2(capacity)) !== capacity ||
      this.#size >= capacity
    )
      throw new ImageError("malformed");
    this.#places = places.slice();
    this.#free = Array.from(reader.words());
    for (let from = 0; from < this.#end; from += 1 << PAGE_BITS) {
      const words = reader.words(wordsIn(this.#end - from));
      const page = new Float64Array(STRIDE << PAGE_BITS);
      new Uint32Array(page.buffer).set(words);
      this.#pages.push(page);
    }
  }

  #page(record: number): Float64Array {
    return this.#pages[record >>> PAGE_BITS]!;
  }

  #at(record: number): number {
    return (record & ((1 << PAGE_BITS) - 1)) * STRIDE;
  }

  /** Ids are dense and ours: multiplying spreads them (Fibonacci hashing, TAOCP 3, 6.4). */
  #home(id: number): number {
    return (Math.imul(id, 0x9e3779b1) >>> 8) & (this.#places.length / 2 - 1);
  }

  #find(id: number): number {
    const places = this.#places;
    const mask = places.length / 2 - 1;
    for (let at = this.#home(id); places[2 * at] !== 0; at = (at + 1) & mask)
      if (places[2 * at] === id + 1) return places[2 * at + 1]!;
    return -1;
  }

  #add(id: number, record: number): void {
    if ((this.#size + 1) * 2 > this.#places.length * LOAD_MAX) this.#grow();
    this.#put(id + 1, record);
    this.#size++;
  }

  #put(held: number, record: number): void {
    const places = this.#places;
    const mask = places.length / 2 - 1;
    let at = this.#home(held - 1);
    while (places[2 * at] !== 0) at = (at + 1) & mask;
    places[2 * at] = held;
    places[2 * at + 1] = record;
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.#put(old[at]!, old[at + 1]!);
  }
}

/** Words of a page's first records, and how many those are. */
function wordsOf(page: Float64Array<ArrayBuffer>, records: number): Uint32Array {
  return new Uint32Array(page.buffer, 0, wordsIn(records));
}

function wordsIn(records: number): number {
  return Math.min(records, 1 << PAGE_BITS) * STRIDE * 2;
}
