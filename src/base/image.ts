/**
 * Images: what is in memory, as bytes, so that a start copies instead of counting again. An image is only an accelerator: it
 * is read by code that lays its memory out in the same way, or refused as a typed error. 32-bit words, little-endian:
 *
 *   magic ┊ version ┊ words of the image ┊ section ┊ section ┊ … ┊ checksum of all words before it
 *
 *   section   layout ┊ values, in the order in which its owner writes them:
 *     u32     1 word
 *     int     2 words, a double: a whole number up to 2⁵³ (times, sums)
 *     words   their number ┊ the words
 *     bytes   their number ┊ the bytes, up to a whole word
 *
 * `layout` is a hash over everything that says what a section's words mean: strides, page sizes, names of columns. What does
 * not show in such a number (another hash function, another meaning of a bit) needs a new IMAGE_VERSION.
 */
import { fnv1a, hashWords, mix32 } from "./hash.ts";

export const IMAGE_VERSION = 1;

/** "HTim". As a word: on a machine with the other order of bytes nothing is an image. */
const MAGIC = 0x6d695448;
const PREAMBLE_WORDS = 3;
const WORD_BYTES = 4;
const INT_WORDS = 2;

/**
 * Why bytes are no image of ours: not one at all; of code with another version; torn or flipped; laid out differently; or,
 * with a checksum that is right, lengths and numbers that cannot be.
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
 * The image that `write` makes, in a buffer of exactly its length. `write` is called twice, to measure and to write, so it
 * must write the same both times and change nothing.
 */
export function writeImage(write: (writer: ImageWriter) => void): Uint8Array<ArrayBuffer> {
  const measure = new ImageWriter(0);
  write(measure);
  const words = measure.end + 1;
  const writer = new ImageWriter(words);
  write(writer);
  return writer.seal();
}

/**
 * What `read` makes of an image; it must read all that was written. Throws an ImageError, and nothing else, whatever the
 * bytes are; what `read` made until then is void. Costs one pass over the bytes besides what `read` does.
 */
export function readImage<T>(bytes: Uint8Array, read: (reader: ImageReader) => T): T {
  const reader = new ImageReader(bytes);
  const value = read(reader);
  reader.finish();
  return value;
}

export class ImageWriter {
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);
  /** Words written so far. */
  end = PREAMBLE_WORDS;

  /** `words`: length of the image; 0 = only measures. */
  constructor(words: number) {
    this.#words = new Uint32Array(words);
  }

  /** Begins a section; `layout` by `layoutOf`. */
  section(layout: number): void {
    this.u32(layout);
  }

  u32(value: number): void {
    if (this.#words.length > 0) this.#words[this.end] = value;
    this.end++;
  }

  /** A whole number up to 2⁵³, of either sign. */
  int(value: number): void {
    this.#double[0] = value;
    this.u32(this.#halves[0]!);
    this.u32(this.#halves[1]!);
  }

  words(words: Uint32Array): void {
    this.u32(words.length);
    if (this.#words.length > 0) this.#words.set(words, this.end);
    this.end += words.length;
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    if (this.#words.length > 0) new Uint8Array(this.#words.buffer).set(bytes, this.end * WORD_BYTES);
    this.end += Math.ceil(bytes.length / WORD_BYTES);
  }

  /** Writes preamble and checksum; answers the image. */
  seal(): Uint8Array<ArrayBuffer> {
    const words = this.#words;
    const last = words.length - 1;
    if (this.end !== last) throw new Error("image: written differently the second time");
    words.set([MAGIC, IMAGE_VERSION, words.length]);
    words[last] = hashWords(words, last);
    return new Uint8Array(words.buffer);
  }
}

/** Answers views on the image: whoever keeps something copies it. */
export class ImageReader {
  readonly #words: Uint32Array;
  /** Before the checksum. */
  readonly #end: number;
  readonly #double = new Float64Array(1);
  readonly #halves = new Uint32Array(this.#double.buffer);
  #at = PREAMBLE_WORDS;

  /** Throws an ImageError unless the bytes are a whole image of this version. */
  constructor(image: Uint8Array) {
    if (image.length % WORD_BYTES !== 0 || image.length < (PREAMBLE_WORDS + 1) * WORD_BYTES)
      throw new ImageError("no_image");
    const bytes = image.byteOffset % WORD_BYTES === 0 ? image : image.slice();
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD_BYTES);
    if (words[0] !== MAGIC) throw new ImageError("no_image");
    if (words[1] !== IMAGE_VERSION) throw new ImageError("unknown_version");
    this.#words = words;
    this.#end = words.length - 1;
    if (words[2] !== words.length || words[this.#end] !== hashWords(words, this.#end))
      throw new ImageError("broken");
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

  /** A view; `length`: how many words there must be. */
  words(length?: number): Uint32Array {
    const count = this.u32();
    if (length !== undefined && count !== length) throw new ImageError("malformed");
    return this.#take(count);
  }

  /** A view. */
  bytes(): Uint8Array {
    const count = this.u32();
    const words = this.#take(Math.ceil(count / WORD_BYTES));
    return new Uint8Array(words.buffer, words.byteOffset, count);
  }

  /** Throws unless all was read. */
  finish(): void {
    if (this.#at !== this.#end) throw new ImageError("malformed");
  }

  #take(count: number): Uint32Array {
    // Before anything of that length is made.
    if (count > this.#end - this.#at) throw new ImageError("malformed");
    this.#at += count;
    return this.#words.subarray(this.#at - count, this.#at);
  }
}
