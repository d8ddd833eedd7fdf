/**
 * What was worked out for texts that come again and again (agents, URLs, fingerprints), in a table of fixed size.
 *
 * A visitor's texts are new strings with every request, so a `Map` would read all of their characters twice: once to hash,
 * once to compare. Here a few characters choose a set of two slots, and only the comparison reads the whole text. The keys
 * are the visitors' to choose: somebody who aims at one set costs us the look-up on top of the work that the cache would
 * have saved, never more, and the table holds at most `slots` texts of at most `maxChars`.
 */

/** FNV's prime. */
const PRIME = 0x01000193;

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
    this.#mask = slots - 1;
    this.#maxChars = maxChars;
  }

  /** What is kept for `text`, which must not be empty. */
  get(text: string): V | undefined {
    const slot = this.#slot(text);
    if (this.#texts[slot] === text) return this.#values[slot];
    const other = slot ^ 1;
    return this.#texts[other] === text ? this.#values[other] : undefined;
  }

  /** Keeps it in place of the older of the two in its set. */
  set(text: string, value: V): void {
    if (text.length > this.#maxChars) return;
    const slot = this.#slot(text);
    this.#texts[slot ^ 1] = this.#texts[slot]!;
    this.#values[slot ^ 1] = this.#values[slot];
    this.#texts[slot] = text;
    this.#values[slot] = value;
  }

  /** From its length and eight characters: over all of it, and closer at the end, where numbers and versions are. */
  #slot(text: string): number {
    const last = text.length - 1;
    let hash = Math.imul(last, PRIME) ^ text.charCodeAt(last);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last >> 1);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last >> 2);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last - (last >> 2));
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last > 3 ? last - 3 : 0);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last > 8 ? last - 8 : 0);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last > 14 ? last - 14 : 0);
    hash = Math.imul(hash, PRIME) ^ text.charCodeAt(last > 20 ? last - 20 : 0);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }
}
