/**
 * Records of a fixed number of 32-bit words under small integer indices. They lie in pages, so that growing copies
 * nothing and wastes a page at most; a freed index is given out again.
 */
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

  /** The page that holds a record … */
  page(index: number): Uint32Array {
    return this.#pages[index >>> this.#pageBits]!;
  }

  /** … and where the record starts in it. */
  at(index: number): number {
    return (index & ((1 << this.#pageBits) - 1)) * this.#stride;
  }
}
