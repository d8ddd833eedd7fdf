/**
 * An isolate's list of the tokens that were made. The whole list comes with one call, and only when it changed; plain data, so
 * that a request which ends in the middle leaves nothing behind that others wait for.
 *
 * - Younger than TOKENS_FRESH_MS it is used without a call.
 * - Older, one request renews it and the others go on with it, up to TOKENS_STALE_MS; then everyone waits.
 * - A token that it does not have may be newer than the list, so it is renewed; anyone can send such tokens, so these calls
 *   come from a bucket of TOKENS_ASK_BURST that fills by one in TOKENS_ASK_MS.
 */

import {
  TOKENS_ASK_BURST,
  TOKENS_ASK_MS,
  TOKENS_FRESH_MS,
  TOKENS_STALE_MS,
  TOKENS_WAITING_MAX,
} from "../base/account-limits.ts";
import { sameBytes } from "../base/hash.ts";
import { unavailable } from "../base/problem.ts";
import { API_CALL_TIMEOUT_MS } from "../config.ts";
import { Gate, GateClosed } from "../edge/gate.ts";
import { Allowance } from "./allowance.ts";
import type { AccountObject, Credential } from "./objects.ts";

/** A secret's owner; `untilMs` = when this secret ends, where it does. */
export interface Found {
  credential: Credential;
  untilMs?: number;
}

const INDEX_DIGITS = 8;
const PAUSE_AFTER_FAILURE_MS = 1_000;

export class Credentials {
  readonly #gate = new Gate({ maxWaiting: TOKENS_WAITING_MAX, pauseMs: PAUSE_AFTER_FAILURE_MS });
  readonly #asks = new Allowance(TOKENS_ASK_BURST, TOKENS_ASK_MS);
  #revision: number | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Changes by this isolate: an answer to a question from before one does not make the list young again. */
  #changes = 0;
  /** One request renews a list that is no longer fresh; should it die, another one does after this time. */
  #renewingUntilMs = 0;
  /** By the digest's first digits, which tell whoever measures times nothing of the token. */
  #index = new Map<string, { sha256: string; found: Found }[]>();

  /**
   * The owner of the secret with this SHA-256 (64 hex digits), `undefined` when there is none. Throws 503 when that cannot be
   * told now.
   */
  async find(sha256: string, account: AccountObject, now: () => number): Promise<Found | undefined> {
    const age = now() - this.#askedMs;
    if (age > TOKENS_STALE_MS) {
      await this.#renew(account, now);
      return this.#lookUp(sha256);
    }
    const found = this.#lookUp(sha256);
    if (found === undefined) {
      if (!this.#asks.take(now())) return undefined;
      await this.#renew(account, now);
      return this.#lookUp(sha256);
    }
    if (age <= TOKENS_FRESH_MS || now() < this.#renewingUntilMs) return found;
    this.#renewingUntilMs = now() + API_CALL_TIMEOUT_MS;
    // The list still counts: that it could not be renewed is no reason to refuse anyone.
    await this.#renew(account, now).catch(() => undefined);
    return this.#lookUp(sha256);
  }

  /** After a change by this isolate: the next request asks again. */
  forget(): void {
    this.#askedMs = Number.NEGATIVE_INFINITY;
    this.#changes++;
  }

  async #renew(account: AccountObject, now: () => number): Promise<void> {
    // The list is as old as the question, not as the answer.
    const askedMs = now();
    const changes = this.#changes;
    try {
      const { revision, list } = await this.#gate.pass(() => account.credentials(this.#revision), now);
      // Of two answers that crossed the newer list stays.
      if (list !== undefined && revision >= (this.#revision ?? 0)) this.#take(revision, list);
      if (changes === this.#changes) this.#askedMs = Math.max(this.#askedMs, askedMs);
    } catch (error) {
      if (error instanceof GateClosed) throw unavailable("Tokens cannot be checked now.");
      throw error;
    }
  }

  #take(revision: number, list: readonly Credential[]): void {
    this.#revision = revision;
    this.#index = new Map();
    for (const credential of list) {
      for (const { sha256, untilMs } of credential.secrets) {
        const key = sha256.slice(0, INDEX_DIGITS);
        const found = { credential, ...(untilMs === undefined ? {} : { untilMs }) };
        this.#index.set(key, [...(this.#index.get(key) ?? []), { sha256, found }]);
      }
    }
  }

  #lookUp(sha256: string): Found | undefined {
    const encoder = new TextEncoder();
    const digest = encoder.encode(sha256);
    let match: Found | undefined;
    for (const entry of this.#index.get(sha256.slice(0, INDEX_DIGITS)) ?? []) {
      if (sameBytes(digest, encoder.encode(entry.sha256))) match = entry.found;
    }
    return match;
  }
}
