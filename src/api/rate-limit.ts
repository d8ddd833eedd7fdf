/**
 * How much one caller may ask of one isolate: a token bucket for each token, in memory. It keeps a client that runs wild from
 * slowing the others down; it is no quota, since every isolate counts for itself. Ingest and the feed have limits of their own.
 * Fields: draft-ietf-httpapi-ratelimit-headers-10, https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */

import { RATE_CALLERS_MAX } from "../base/account-limits.ts";
import { Problem } from "../base/problem.ts";
import { MINUTE_MS, SECOND_MS } from "../config.ts";
import { Allowance } from "./allowance.ts";

const NAME = '"default"';

export class RateLimits {
  readonly #perMinute: number;
  readonly #callers = new Map<string, Allowance>();

  /** `perMinute` 0 = no limit. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts one request of a caller and answers the header fields that tell it so. Throws 429. */
  count(caller: string, nowMs: number): Record<string, string> {
    if (this.#perMinute === 0) return {};
    const allowance = this.#allowanceOf(caller);
    const taken = allowance.take(nowMs);
    const reset = Math.ceil(allowance.fullMs / SECOND_MS);
    const headers = {
      "ratelimit-policy": `${NAME};q=${this.#perMinute};w=${MINUTE_MS / SECOND_MS}`,
      ratelimit: `${NAME};r=${allowance.left};t=${reset}`,
    };
    if (taken) return headers;
    const wait = Math.max(1, Math.ceil(allowance.waitMs / SECOND_MS));
    throw new Problem(429, "rate_limit", `At most ${this.#perMinute} requests a minute with one token.`, {
      headers: { ...headers, "retry-after": String(wait) },
    });
  }

  #allowanceOf(caller: string): Allowance {
    const held = this.#callers.get(caller);
    if (held !== undefined) return held;
    // Callers are known tokens and users, so few; the one that came first goes, and at worst gets a full bucket again.
    if (this.#callers.size >= RATE_CALLERS_MAX) {
      for (const first of this.#callers.keys()) {
        this.#callers.delete(first);
        break;
      }
    }
    const made = new Allowance(this.#perMinute, MINUTE_MS / this.#perMinute);
    this.#callers.set(caller, made);
    return made;
  }
}
