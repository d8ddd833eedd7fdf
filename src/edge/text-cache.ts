/**
 * What was worked out for texts that come again and again (agents, URLs, fingerprints), in a table of fixed size.
 *
 * A visitor's texts are new strings with every request, so a `Map` would read all of their characters twice: once to hash,
 * once to compare. Here some of the characters choose a set of two slots, and only the comparison reads the whole text. The keys
 * are the visitors' to choose: somebody who aims at one set costs us the look-up on top of the work that the cache would
 * have saved, never more, and the table holds at most `slots` texts of at most `maxChars`.
 */

/** 2³² divided by the golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, §6.4). */
const GOLDEN = 0x9e3779b1;

export interface TextCacheShape {
  /** Texts kept at most; a power of two. */
  readonly slots: number;
  /** Longer texts are not kept. */
  readonly maxChars: number;
  /** Characters at the end, where versions and numbers are, that all count for the place; a multiple of four. */
  readonly tail: number;
  /** Of what comes before, at most 2^spread characters count. */
  readonly spread: number;
}

export class TextCache<V> {
  readonly #texts: string[];
  readonly #values: (V | undefined)[];
  readonly #mask: number;
  readonly #maxChars: number;
  readonly #tail: number;
  readonly #spread: number;

  constructor({ slots, maxChars, tail, spread }: TextCacheShape) {
    if (slots < 2 || (slots & (slots - 1)) !== 0) throw new RangeError("slots must be a power of two");
    this.#texts = new Array<string>(slots).fill("");
    this.#values = new Array<V | undefined>(slots).fill(undefined);
    this.#mask = slots - 2;
    this.#maxChars = maxChars;
    this.#tail = tail;
    this.#spread = spread;
  }

  /** What is kept for `text`, which must not be empty. */
  get(text: string): V | undefined {
    const newest = this.#set(text);
    if (this.#texts[newest] === text) return this.#values[newest];
    return this.#texts[newest + 1] === text ? this.#values[newest + 1] : undefined;
  }

  /** Keeps it in place of the older of the two in its set. */
  set(text: string, value: V): void {
    if (text.length > this.#maxChars) return;
    const newest = this.#set(text);
    if (this.#texts[newest] !== text) {
      this.#texts[newest + 1] = this.#texts[newest]!;
      this.#values[newest + 1] = this.#values[newest];
      this.#texts[newest] = text;
    }
    this.#values[newest] = value;
  }

  /**
   * First slot of a text's set. If all characters chose it, it would cost as much as a `Map`; with too few, agents that
   * differ in one digit would drive each other out.
   */
  #set(text: string): number {
    const { length } = text;
    let hash = length;
    let at = length;
    for (const first = length > this.#tail ? length - this.#tail : length & 3; at > first; at -= 4) {
      const word =
        text.charCodeAt(at - 1) |
        (text.charCodeAt(at - 2) << 8) |
        (text.charCodeAt(at - 3) << 16) |
        (text.charCodeAt(at - 4) << 24);
      // The shift, or characters in the high byte would hardly reach the low bits that choose.
      hash = Math.imul(hash ^ word, GOLDEN);
      hash ^= hash >>> 15;
    }
    const step = (at >>> this.#spread) + 1;
    for (at -= step; at >= 0; at -= step) hash = Math.imul(hash ^ text.charCodeAt(at), GOLDEN);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
