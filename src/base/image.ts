/**
 * Images: what is in memory, as bytes, so that a start copies instead of counting again. An image is only an accelerator: it
 * is read by code that lays its memory out in the same way, or refused as a typed error. It comes in parts, because a shard
 * at its limits leaves its isolate no room for a second copy of itself: neither side holds more than one part, and the
 * reader the one run of words at hand. 32-bit words, little-endian; a part is
 *
 *   magic ┊ version ┊ link: checksum of the part before, or 0 ┊ 1 = more follow, 0 = the last ┊ words … ┊ checksum of all these
 *
 * so that a part which is torn, missing, of another image or in another place shows. The words of all parts in a row are
 *
 *   section ┊ section ┊ …
 *
 *   section   layout ┊ values, in the order in which its owner writes them, cut wherever a part is full:
 *     u32     1 word
 *     int     2 words, a double: a whole number up to 2⁵³ (times, sums)
 *     words   their number ┊ the words
 *     bytes   their number ┊ the bytes, up to a whole word
 *
 * `layout` is a hash over everything that says what a section's words mean: strides, page sizes, names of columns. What does
 * not show in such a number (another hash function, another meaning of a bit) needs a new IMAGE_VERSION.
 */
import { LOG_ROW_MAX_BYTES } from "../config.ts";
import { fnv1a, hashWords, mix32 } from "./hash.ts";

export const IMAGE_VERSION = 1;

/** "HTim". As a word: on a machine with the other order of bytes nothing is an image. */
const MAGIC = 0x6d695448;
const HEAD_WORDS = 4;
const WORD_BYTES = 4;
const INT_WORDS = 2;
const NO_WORDS: Uint32Array = new Uint32Array();

/** Takes a part. Its bytes are overwritten afterwards: whoever keeps them copies them before it returns. */
export type PartSink = (part: Uint8Array) => void;

/**
 * Why parts are no image of ours: one is no part of an image at all; of code with another version; torn, flipped, missing or
 * mixed up; laid out differently; or, with checksums that are right, lengths and numbers that cannot be.
 */
export type ImageFault = "no_image" | "unknown_version" | "broken" | "other_layout" | "malformed";

export class ImageError extends Error {
  override readonly name = "ImageError";
  readonly fault: ImageFault;
  constructor(fault: ImageFault) {
    super(`image refused: ${fault}`);
    this.fault = fault;
  }
}

/** What a section's words mean, in one number: `name` says whose they are, `parts` every constant that they depend on. */
export function layoutOf(name: string, ...parts: readonly (number | string)[]): number {
  return mix32(fnv1a(JSON.stringify([name, ...parts])));
}

/**
 * Hands the image that `write` makes to `sink`, part by part, all but the last of exactly `maxBytes` (down to whole words).
 * Takes one buffer of that size, whatever the image's. What either throws ends it: the parts until then are no image.
 */
export function writeImage(
  write: (writer: ImageWriter) => void,
  sink: PartSink,
  maxBytes = LOG_ROW_MAX_BYTES,
): void {
  const writer = new ImageWriter(sink, maxBytes);
  write(writer);
  writer.finish();
}

/**
 * What `read` makes of an image; it must read all that was written. Throws an ImageError whatever the parts are, and besides
 * only what `parts` itself throws; what `read` made until then is void. `parts` is iterated twice, to check them all before
 * anything is made of one, and to read; it may take a part back when the next one is asked for.
 */
export function readImage<T>(parts: Iterable<Uint8Array>, read: (reader: ImageReader) => T): T {
  const reader = new ImageReader(parts);
  const value = read(reader);
  reader.finish();
  return value;
}

export class ImageWriter {
  readonly #sink: PartSink;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);
  /** Checksum of the part before. */
  #link = 0;
  /** Words of the part at hand. */
  #at = HEAD_WORDS;

  /** A RangeError when there is no room for a word in a part. */
  constructor(sink: PartSink, maxBytes: number) {
    const words = Math.floor(maxBytes / WORD_BYTES);
    if (words < HEAD_WORDS + 2) throw new RangeError("an image needs longer parts");
    this.#sink = sink;
    this.#words = new Uint32Array(words);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** Begins a section; `layout` by `layoutOf`. */
  section(layout: number): void {
    this.u32(layout);
  }

  u32(value: number): void {
    this.#room(1);
    this.#words[this.#at++] = value;
  }

  /** A whole number up to 2⁵³, of either sign. */
  int(value: number): void {
    this.#double[0] = value;
    this.u32(this.#halves[0]!);
    this.u32(this.#halves[1]!);
  }

  words(words: Uint32Array): void {
    this.u32(words.length);
    for (let from = 0; from < words.length; ) {
      const count = this.#room(words.length - from);
      this.#words.set(words.subarray(from, from + count), this.#at);
      this.#at += count;
      from += count;
    }
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    for (let from = 0; from < bytes.length; ) {
      const count = this.#room(Math.ceil((bytes.length - from) / WORD_BYTES));
      // Behind the last byte the buffer still holds the part before.
      this.#words[this.#at + count - 1] = 0;
      this.#bytes.set(bytes.subarray(from, from + count * WORD_BYTES), this.#at * WORD_BYTES);
      this.#at += count;
      from += count * WORD_BYTES;
    }
  }

  /** Hands out the last part. */
  finish(): void {
    this.#handOut(0);
  }

  /** How many of so many words (≥ 1) the part at hand has room for: at least one, in the next part if need be. */
  #room(wanted: number): number {
    const end = this.#words.length - 1;
    if (this.#at === end) this.#handOut(1);
    return Math.min(wanted, end - this.#at);
  }

  #handOut(more: 0 | 1): void {
    const end = this.#at;
    this.#words.set([MAGIC, IMAGE_VERSION, this.#link, more]);
    this.#link = hashWords(this.#words, end);
    this.#words[end] = this.#link;
    this.#at = HEAD_WORDS;
    this.#sink(this.#bytes.subarray(0, (end + 1) * WORD_BYTES));
  }
}

/**
 * Answers views on the part at hand, and copies of what lies in several. Neither lasts longer than until the next value is
 * read: whoever keeps something copies it, or has it written to where it shall be (`fill`).
 */
export class ImageReader {
  readonly #parts: Iterator<Uint8Array>;
  /** The words that the part at hand holds … */
  #part = NO_WORDS;
  /** … how many of them were read … */
  #at = 0;
  /** … and how many were not, of all parts. */
  #left: number;
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);

  /** Throws an ImageError unless the parts are a whole image of this version. */
  constructor(parts: Iterable<Uint8Array>) {
    this.#left = check(parts);
    this.#parts = parts[Symbol.iterator]();
  }

  /** Begins a section: it must have the layout that this code would write. */
  section(layout: number): void {
    if (this.u32() !== layout) throw new ImageError("other_layout");
  }

  u32(max = 0xffff_ffff): number {
    const value = this.#take(1)[0]!;
    if (value > max) throw new ImageError("malformed");
    return value;
  }

  int(): number {
    this.#halves.set(this.#take(INT_WORDS));
    const value = this.#double[0]!;
    if (!Number.isSafeInteger(value)) throw new ImageError("malformed");
    return value;
  }

  /** Of `words`, how many they are; `fill` reads them then. There are as many, so an array of that length may be made. */
  count(): number {
    return this.u32(this.#left - 1);
  }

  /** As many words as `target` has room for. */
  fill(target: Uint32Array): void {
    if (target.length > this.#left) throw new ImageError("malformed");
    for (let at = 0; at < target.length; ) {
      const some = this.#view(Math.min(target.length - at, this.#ahead()));
      target.set(some, at);
      at += some.length;
    }
  }

  /** `length`: how many words there must be. */
  words(length?: number): Uint32Array {
    const count = this.count();
    if (length !== undefined && count !== length) throw new ImageError("malformed");
    return this.#take(count);
  }

  bytes(): Uint8Array {
    const count = this.u32();
    const words = this.#take(Math.ceil(count / WORD_BYTES));
    return new Uint8Array(words.buffer, words.byteOffset, count);
  }

  /** Throws unless all was read. */
  finish(): void {
    if (this.#left !== 0) throw new ImageError("malformed");
  }

  #take(count: number): Uint32Array {
    // Before anything of that length is made.
    if (count > this.#left) throw new ImageError("malformed");
    if (count > 0 && count <= this.#ahead()) return this.#view(count);
    const run = new Uint32Array(count);
    this.fill(run);
    return run;
  }

  /** Words that the part at hand still has; when none, those of the next one. */
  #ahead(): number {
    while (this.#at === this.#part.length) this.#next();
    return this.#part.length - this.#at;
  }

  #view(count: number): Uint32Array {
    this.#left -= count;
    this.#at += count;
    return this.#part.subarray(this.#at - count, this.#at);
  }

  #next(): void {
    // Given up before the next one is made.
    this.#part = NO_WORDS;
    this.#at = 0;
    const { done, value } = this.#parts.next();
    // They were all there a moment ago; whoever gives others the second time must not keep us here.
    if (done === true) throw new ImageError("broken");
    const words = wordsOf(value);
    this.#part = words.subarray(HEAD_WORDS, words.length - 1);
  }
}

/** How many words the parts hold. Throws an ImageError unless they are a whole image of this version, in their order. */
function check(parts: Iterable<Uint8Array>): number {
  let held = 0;
  let link = 0;
  let more = 1;
  for (const part of parts) {
    const words = wordsOf(part);
    const end = words.length - 1;
    if (words[0] !== MAGIC) throw new ImageError("no_image");
    if (words[1] !== IMAGE_VERSION) throw new ImageError("unknown_version");
    if (more !== 1 || words[2] !== link || words[end] !== hashWords(words, end))
      throw new ImageError("broken");
    held += end - HEAD_WORDS;
    more = words[3]!;
    link = words[end]!;
  }
  if (more !== 0) throw new ImageError("broken");
  return held;
}

function wordsOf(part: Uint8Array): Uint32Array {
  if (part.length % WORD_BYTES !== 0 || part.length <= HEAD_WORDS * WORD_BYTES)
    throw new ImageError("no_image");
  const bytes = part.byteOffset % WORD_BYTES === 0 ? part : part.slice();
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD_BYTES);
}
