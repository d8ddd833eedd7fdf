/**
 * How much gzip inflates to, without inflating it: the lengths that its codes stand for, added up. Nothing is copied and
 * nothing checked that only the bytes themselves can show, so a bomb costs what its codes do, 258 bytes at a time.
 *
 * RFC 1951 (deflate) and RFC 1952 (gzip). Whatever this takes for whole is still inflated and checked by `Gunzip`.
 */
import { isGzip } from "./gunzip.ts";
import { Bits, Code, damaged, SYMBOLS_MAX } from "./huffman.ts";

const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
/** RFC 1952 §2.3.1, FLG. */
const FLAG_CHECK = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;

const LITERALS = 256;
const END = 256;
/** RFC 1951 §3.2.5: length and extra bits of the symbols from 257, extra bits of the distances. */
const LENGTHS = Uint16Array.of(
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
);
const LENGTH_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
const DISTANCE_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13],
);
/** RFC 1951 §3.2.7: the order in which the lengths of the codes for lengths come. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;

/** What zlib looks up at once too; the codes of lengths have 7 bits at most. */
const SYMBOL_FAST_BITS = 9;
const DISTANCE_FAST_BITS = 6;
const LENGTH_FAST_BITS = 7;

/** RFC 1951 §3.2.6. */
const FIXED_LENGTHS = new Uint8Array(SYMBOLS_MAX).fill(8).fill(9, 144, 256).fill(7, 256, 280);
const fixedSymbols = new Code(SYMBOL_FAST_BITS).set(FIXED_LENGTHS, 0, SYMBOLS_MAX);
const fixedDistances = new Code(DISTANCE_FAST_BITS).set(new Uint8Array(30).fill(5), 0, 30);

/** Codes of one stream's blocks, one block after the other. */
class Sizer {
  readonly #bits: Bits;
  readonly #max: number;
  readonly #symbols = new Code(SYMBOL_FAST_BITS);
  readonly #distances = new Code(DISTANCE_FAST_BITS);
  readonly #ofLengths = new Code(LENGTH_FAST_BITS);
  readonly #lengths = new Uint8Array(SYMBOLS_MAX + 32);
  size = 0;

  constructor(bits: Bits, max: number) {
    this.#bits = bits;
    this.#max = max;
  }

  /** One stream of blocks, as far as `size` is at most the limit. */
  stream(): void {
    for (let isLast = false; !isLast && this.size <= this.#max; ) {
      isLast = this.#bits.take(1) === 1;
      const type = this.#bits.take(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#coded(fixedSymbols, fixedDistances);
      else if (type === 2) this.#dynamic();
      else throw damaged();
    }
  }

  #stored(): void {
    this.#bits.align();
    const length = this.#bits.take(8) | (this.#bits.take(8) << 8);
    this.#bits.align();
    this.#bits.jump(2 + length);
    this.size += length;
  }

  #coded(symbols: Code, distances: Code): void {
    const bits = this.#bits;
    let size = this.size;
    while (size <= this.#max) {
      const symbol = symbols.read(bits);
      if (symbol < LITERALS) {
        size++;
        continue;
      }
      if (symbol === END) break;
      const length = LENGTHS[symbol - END - 1];
      if (length === undefined) throw damaged();
      size += length + bits.take(LENGTH_EXTRA[symbol - END - 1]!);
      const extra = DISTANCE_EXTRA[distances.read(bits)];
      if (extra === undefined) throw damaged();
      bits.take(extra);
    }
    this.size = size;
  }

  #dynamic(): void {
    const bits = this.#bits;
    const symbols = bits.take(5) + 257;
    const distances = bits.take(5) + 1;
    const given = bits.take(4) + 4;
    const lengths = this.#lengths;
    for (let i = 0; i < ORDER.length; i++) lengths[ORDER[i]!] = i < given ? bits.take(3) : 0;
    const code = this.#ofLengths.set(lengths, 0, ORDER.length);
    for (let at = 0; at < symbols + distances; ) {
      const symbol = code.read(bits);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw damaged();
      const value = symbol === 16 ? lengths[at - 1]! : 0;
      const end =
        at + (symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7));
      if (end > symbols + distances) throw damaged();
      lengths.fill(value, at, end);
      at = end;
    }
    this.#symbols.set(lengths, 0, symbols);
    this.#distances.set(lengths, symbols, symbols + distances);
    this.#coded(this.#symbols, this.#distances);
  }
}

/** Where a member's deflate stream begins (RFC 1952 §2.3). */
function behindHeader(bytes: Uint8Array, start: number): number {
  if (!isGzip(bytes.subarray(start))) throw damaged();
  const flags = bytes[start + 3] ?? 0;
  let at = start + HEADER_BYTES;
  if (flags & FLAG_EXTRA) at += 2 + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) throw damaged();
    at = end + 1;
  }
  return flags & FLAG_CHECK ? at + 2 : at;
}

/**
 * Bytes that all members of gzip inflate to. Ends as soon as they are more than `max`; then it is some number above it.
 * Throws `GzipError` where the codes are damaged before that.
 */
export function inflatedSize(bytes: Uint8Array, max: number): number {
  const bits = new Bits(bytes);
  // One for all members: a hostile body has hundreds of thousands.
  const sizer = new Sizer(bits, max);
  let at = 0;
  do {
    bits.jump(behindHeader(bytes, at) - at);
    sizer.stream();
    if (sizer.size > max) break;
    bits.align();
    bits.jump(TRAILER_BYTES);
    const end = bits.align();
    at = end;
    while (bytes[at] === 0) at++;
    bits.jump(at - end);
  } while (at < bytes.length);
  return sizer.size;
}
