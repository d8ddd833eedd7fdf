/**
 * Chance without a hidden state: a stream of numbers for every name, so that the traffic of any second can be made
 * without that of the seconds before it, and always comes out the same.
 *
 * sfc32 is by Chris Doty-Humphrey (PractRand, 2014; public domain). It is seeded by two FNV-1a hashes of the name.
 */

/** First numbers that are thrown away, as PractRand does, until the seed has spread over the whole state. */
const WARM_UP_DRAWS = 12;
/** Knuth's product underflows for large means; those are split in two, which is exact. */
const POISSON_PRODUCT_MAX = 30;

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export class Draw {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** The same keys always give the same stream. */
  constructor(...keys: readonly (string | number)[]) {
    const name = keys.join("\u0000");
    this.#a = fnv1a(name, 0x811c9dc5);
    this.#b = fnv1a(name, 0x9747b28c);
    this.#c = name.length;
    for (let i = 0; i < WARM_UP_DRAWS; i++) this.#next();
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  uniform(): number {
    return this.#next() / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  chance(share: number): boolean {
    return this.uniform() < share;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  /** An item, each as likely as its weight. */
  weighted<T>(items: readonly (readonly [T, number])[]): T {
    let total = 0;
    for (const [, weight] of items) total += weight;
    let rest = this.uniform() * total;
    for (const [item, weight] of items) {
      rest -= weight;
      if (rest < 0) return item;
    }
    throw new RangeError("nothing to pick from");
  }

  hex(digits: number): string {
    let text = "";
    while (text.length < digits) text += this.#next().toString(16).padStart(8, "0");
    return text.slice(0, digits);
  }

  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, at: this.uniform() }))
      .sort((x, y) => x.at - y.at)
      .map(({ item }) => item);
  }

  /** Box–Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Marsaglia and Tsang 2000, mean = shape; below 1 by their boost. */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  poisson(mean: number): number {
    if (mean > POISSON_PRODUCT_MAX) return this.poisson(mean / 2) + this.poisson(mean / 2);
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.uniform(); product > limit; product *= this.uniform()) count++;
    return count;
  }
}
