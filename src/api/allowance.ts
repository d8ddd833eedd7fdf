/** A token bucket: so many at once, and one more every so often. */
export class Allowance {
  readonly #burst: number;
  readonly #everyMs: number;
  #left: number;
  #atMs: number | undefined;

  constructor(burst: number, everyMs: number) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#left = burst;
  }

  /** Takes one; false, and nothing is taken, when there is none. */
  take(nowMs: number): boolean {
    // A clock that went back gives nothing and takes nothing.
    const pastMs = Math.max(0, nowMs - (this.#atMs ?? nowMs));
    this.#left = Math.min(this.#burst, this.#left + pastMs / this.#everyMs);
    this.#atMs = Math.max(nowMs, this.#atMs ?? nowMs);
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** Whole ones that are left. */
  get left(): number {
    return Math.floor(this.#left);
  }

  /** Until there is one again, ms; 0 when there is. */
  get waitMs(): number {
    return Math.max(0, Math.ceil((1 - this.#left) * this.#everyMs));
  }

  /** Until all are there again, ms. */
  get fullMs(): number {
    return Math.ceil((this.#burst - this.#left) * this.#everyMs);
  }
}
