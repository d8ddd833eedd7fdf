/**
 * How many requests may wait for something that is not there, and how often it is asked for again. Without it every visitor
 * of a site whose objects are down leaves a call, a timer and a log line behind: with all objects hanging the engine grew to
 * 1,033 MB where 271 were normal.
 */

export interface GateLimits {
  maxWaiting: number;
  /** Pause after a failure, ms. */
  pauseMs: number;
}

/** Thrown where nobody was asked: not worth a log line of its own. */
export class GateClosed extends Error {
  override readonly name = "GateClosed";
}

export class Gate {
  readonly #limits: GateLimits;
  #waiting = 0;
  #closedUntilMs = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** The call's outcome; throws `GateClosed` without calling while too many wait or right after a failure. */
  async pass<T>(call: () => Promise<T>, now: () => number): Promise<T> {
    if (this.#waiting >= this.#limits.maxWaiting || now() < this.#closedUntilMs) throw new GateClosed();
    this.#waiting++;
    try {
      return await call();
    } catch (error) {
      this.#closedUntilMs = now() + this.#limits.pauseMs;
      throw error;
    } finally {
      this.#waiting--;
    }
  }
}
