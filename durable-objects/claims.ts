/**
 * Idempotency-Keys whose home is this shard (contract §3). What was asked and answered is on disk; that a request runs is
 * in memory only: two runs of the same key do no harm, since they make the same frame ids.
 */
import type { ClaimResult } from "../src/api/objects.ts";
import { sameBytes } from "../src/base/hash.ts";
import { IDEMPOTENCY_KEEP_MS, IDEMPOTENCY_LEASE_MS } from "../src/config.ts";
import type { ShardStore } from "./sql/shard-store.ts";

export class Claims {
  readonly #store: ShardStore;
  /** Keys whose requests run now → end of their lease, ms. */
  readonly #running = new Map<string, number>();

  constructor(store: ShardStore) {
    this.#store = store;
  }

  claim(key: string, bodyHash: Uint8Array, nowMs: number): ClaimResult {
    const held = this.#store.idempotency(key);
    if (held !== undefined && !sameBytes(held.bodyHash, bodyHash)) return { state: "other_body" };
    if (held?.answer !== undefined) return { state: "done", answer: held.answer };
    if ((this.#running.get(key) ?? 0) > nowMs) return { state: "running" };
    this.#running.set(key, nowMs + IDEMPOTENCY_LEASE_MS);
    if (held === undefined) this.#store.putIdempotency(key, bodyHash, nowMs);
    // A repeat judges its observations by the time of the first try, so that it makes the same frames.
    return { state: "new", firstMs: held?.firstMs ?? nowMs };
  }

  /** Ends a claim: with its answer, or without one so that the key can be tried again. */
  settle(key: string, answer: string | undefined): void {
    this.#running.delete(key);
    if (answer !== undefined) this.#store.answerIdempotency(key, answer);
  }

  expire(nowMs: number): void {
    this.#store.expireIdempotency(nowMs - IDEMPOTENCY_KEEP_MS);
    for (const [key, untilMs] of this.#running) if (untilMs <= nowMs) this.#running.delete(key);
  }
}
