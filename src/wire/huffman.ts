/**
 * Bits and Huffman codes of deflate (RFC 1951 §3.1.1, §3.2.2), after Mark Adler's puff.c; short codes are looked up at
 * once, longer ones found bit by bit as there. Large tables would cost more to fill than they save: a hostile stream has new
 * codes every dozen bytes. Incomplete codes are let through here, not by the inflater.
 */
import { GzipError } from "./gunzip.ts";

const CODE_MAX_BITS = 15;
/** An entry of the table: the symbol, and below it how many bits its code has. */
const ENTRY_BITS = 4;
const ENTRY_MASK = (1 << ENTRY_BITS) - 1;

/** Symbols of a code: those of the fixed one for literals and lengths. */
export const SYMBOLS_MAX = 288;

export function damaged(): GzipError {
  return new GzipError("the stream is damaged");
}

/** Bits of bytes, lowest first. */
export class Bits {
  readonly #bytes: Uint8Array;
  #at = 0;
  #hold = 0;
  #held = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next bits without taking them, at least 15 where there are so many; zeros follow the last. */
  peek(): number {
    while (this.#held <= 16 && this.#at < this.#bytes.length) {
      this.#hold |= this.#bytes[this.#at++]! << this.#held;
      this.#held += 8;
    }
    return this.#hold;
  }

  /** Takes up to 15 bits that were peeked at. */
  skip(count: number): void {
    if (count > this.#held) throw damaged();
    this.#hold >>>= count;
    this.#held -= count;
  }

  /** The next up to 15 bits. */
  take(count: number): number {
    const value = this.peek() & ((1 << count) - 1);
    this.skip(count);
    return value;
  }

  /** Leaves the rest of the byte at hand out; the place in the bytes from which nothing is taken yet. */
  align(): number {
    this.#at -= this.#held >> 3;
    this.#hold = 0;
    this.#held = 0;
    return this.#at;
  }

  /** Goes on so many bytes further; only behind `align`. */
  jump(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) throw damaged();
  }
}

/** One Huffman code (RFC 1951 §3.2.2). */
export class Code {
  /** Entries by the next few bits; 0 = the code is longer, or none. */
  readonly #fast: Uint16Array;
  readonly #fastBits: number;
  readonly #counts = new Uint16Array(CODE_MAX_BITS + 1);
  readonly #symbols = new Uint16Array(SYMBOLS_MAX);
  readonly #next = new Uint16Array(CODE_MAX_BITS + 2);
  readonly #places = new Uint16Array(CODE_MAX_BITS + 2);

  /** Codes of up to `fastBits` bits are looked up. */
  constructor(fastBits: number) {
    this.#fastBits = fastBits;
    this.#fast = new Uint16Array(1 << fastBits);
  }

  /** Makes the code of the symbols' lengths in bits, in place of the one before. */
  set(lengths: Uint8Array, from: number, to: number): this {
    const [counts, next, places] = [this.#counts, this.#next, this.#places];
    counts.fill(0);
    this.#fast.fill(0);
    for (let at = from; at < to; at++) counts[lengths[at]!]!++;
    counts[0] = 0;
    next[1] = 0;
    places[1] = 0;
    for (let bits = 1; bits <= CODE_MAX_BITS; bits++) {
      next[bits + 1] = (next[bits]! + counts[bits]!) << 1;
      places[bits + 1] = places[bits]! + counts[bits]!;
      if (next[bits]! + counts[bits]! > 1 << bits) throw damaged();
    }
    for (let at = from; at < to; at++) {
      const bits = lengths[at]!;
      if (bits === 0) continue;
      const symbol = at - from;
      this.#symbols[places[bits]!++] = symbol;
      const code = next[bits]!++;
      if (bits <= this.#fastBits) this.#enter(reversed(code, bits), bits, symbol);
    }
    return this;
  }

  /** Takes one symbol. */
  read(bits: Bits): number {
    const ahead = bits.peek();
    const entry = this.#fast[ahead & (this.#fast.length - 1)]!;
    if (entry === 0) return this.#readLong(bits, ahead);
    bits.skip(entry & ENTRY_MASK);
    return entry >> ENTRY_BITS;
  }

  #enter(code: number, bits: number, symbol: number): void {
    const entry = (symbol << ENTRY_BITS) | bits;
    const fast = this.#fast;
    for (let at = code; at < fast.length; at += 1 << bits) fast[at] = entry;
  }

  #readLong(bits: Bits, ahead: number): number {
    for (let length = 1, code = 0, first = 0, place = 0; length <= CODE_MAX_BITS; length++) {
      code |= (ahead >>> (length - 1)) & 1;
      const count = this.#counts[length]!;
      if (code - first < count) {
        bits.skip(length);
        return this.#symbols[place + code - first]!;
      }
      place += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw damaged();
  }
}

function reversed(code: number, bits: number): number {
  let back = 0;
  for (let bit = 0; bit < bits; bit++) back |= ((code >> bit) & 1) << (bits - 1 - bit);
  return back;
}
