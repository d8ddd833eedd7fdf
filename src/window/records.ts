/**
 * Records of a fixed number of 32-bit words under small integer indices. They lie in pages, so that growing copies
 * nothing and wastes a page at most; a freed index is given out again.
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

export class Records {
  readonly #stride: number;
  readonly #pageBits: number;
  readonly #pages: Uint32Array[] = [];
  #end = 0;
  #free = 0;
  #live = 0;

  /** A page holds 2^pageBits records. */
  constructor(stride: number, pageBits: number) {
    this.#stride = stride;
    this.#pageBits = pageBits;
  }

  /** Records in use. */
  get size(): number {
    return this.#live;
  }

  /** One more than the highest index ever given out. */
  get end(): number {
    return this.#end;
  }

  get byteLength(): number {
    return (this.#pages.length * this.#stride * 4) << this.#pageBits;
  }

  /** Index of a zeroed record. */
  alloc(): number {
    this.#live++;
    if (this.#free !== 0) {
      const index = this.#free - 1;
      const page = this.page(index);
      const at = this.at(index);
      this.#free = page[at]!;
      page[at] = 0;
      return index;
    }
    const index = this.#end++;
    if (index >>> this.#pageBits === this.#pages.length)
      this.#pages.push(new Uint32Array(this.#stride << this.#pageBits));
    return index;
  }

  /** Zeroes a record and gives its index back; the last one gives all memory back. */
  release(index: number): void {
    const page = this.page(index);
    const at = this.at(index);
    page.fill(0, at, at + this.#stride);
    page[at] = this.#free;
    this.#free = index + 1;
    if (--this.#live > 0) return;
    this.#pages.length = 0;
    this.#end = 0;
    this.#free = 0;
  }

  /** Records and free indices as they are; what reserved pages hold beyond them is not written. */
  writeImage(writer: ImageWriter): void {
    writer.section(this.#layout());
    writer.u32(this.#end);
    writer.u32(this.#free);
    writer.u32(this.#live);
    for (const [i, page] of this.#pages.entries()) writer.words(page.subarray(0, this.#wordsIn(i)));
  }

  /** Makes these the records of an image; throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(this.#layout());
    this.#end = reader.u32();
    this.#free = reader.u32(this.#end);
    this.#live = reader.u32(this.#end);
    this.#pages.length = 0;
    for (let i = 0; i << this.#pageBits < this.#end; i++) {
      const words = reader.words(this.#wordsIn(i));
      const page = new Uint32Array(this.#stride << this.#pageBits);
      page.set(words);
      this.#pages.push(page);
    }
  }

  /** The page that holds a record … */
  page(index: number): Uint32Array {
    return this.#pages[index >>> this.#pageBits]!;
  }

  /** … and where the record starts in it. */
  at(index: number): number {
    return (index & ((1 << this.#pageBits) - 1)) * this.#stride;
  }

  /** Words of a page that were ever given out. */
  #wordsIn(page: number): number {
    return Math.min(this.#end - (page << this.#pageBits), 1 << this.#pageBits) * this.#stride;
  }

  #layout(): number {
    return layoutOf("records", this.#stride, this.#pageBits);
  }
}
