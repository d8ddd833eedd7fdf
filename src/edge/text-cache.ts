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
/** Characters at the end of which each one counts; a multiple of four. */
const TAIL = 28;

export class TextCache<V> {
  readonly #texts: string[];
  readonly #values: (V | undefined)[];
  readonly #mask: number;
  readonly #maxChars: number;

  /** `slots`: a power of two. Texts longer than `maxChars` are not kept. */
  constructor(slots: number, maxChars: number) {
    if (slots < 2 || (slots & (slots - 1)) !== 0) throw new RangeError("slots must be a power of two");
    this.#texts = new Array<string>(slots).fill("");
    this.#values = new Array<V | undefined>(slots).fill(undefined);
    this.#mask = slots - 2;
    this.#maxChars = maxChars;
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
   * First slot of a text's set, chosen by the end of the text, where versions and numbers are, and by up to sixteen
   * characters of what comes before. All of them would cost as much as a `Map`; with a few only, agents that differ in one
   * digit would drive each other out.
   */
  #set(text: string): number {
    const { length } = text;
    let hash = length;
    let at = length;
    for (const first = length > TAIL ? length - TAIL : length & 3; at > first; at -= 4) {
      const word =
        text.charCodeAt(at - 1) |
        (text.charCodeAt(at - 2) << 8) |
        (text.charCodeAt(at - 3) << 16) |
        (text.charCodeAt(at - 4) << 24);
      // The shift, or characters in the high byte would hardly reach the low bits that choose.
      hash = Math.imul(hash ^ word, GOLDEN);
      hash ^= hash >>> 15;
    }
    const step = (at >>> 4) + 1;
    for (at -= step; at >= 0; at -= step) hash = Math.imul(hash ^ text.charCodeAt(at), GOLDEN);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
