/**
 * Tunables of tokens, rate limits, Cloudflare Access and the audit record (contract §2): the unit is in the name, the reason
 * beside it.
 */
import { API_CALL_TIMEOUT_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../config.ts";

/** Tokens made by the API; an isolate holds all their digests, some 300 B each. */
export const TOKENS_MAX = 1_000;
/** After a rotation, of a webhook too, the secret of before may stay valid this long … */
export const ROTATION_OVERLAP_MAX_MS = 7 * 24 * HOUR_MS;
/** … and of several rotations of a token in a row this many are. */
export const TOKEN_SECRETS_MAX = 5;
/** An isolate asks for the list of tokens again when its own is older; one request asks, the others go on. */
export const TOKENS_FRESH_MS = 30 * SECOND_MS;
/** … and believes nothing that is older: a revocation holds everywhere after this long (contract §6). */
export const TOKENS_STALE_MS = 55 * SECOND_MS;
/** A token that the list does not have may be a new one: it is asked for again, at once so often … */
export const TOKENS_ASK_BURST = 10;
/** … and then once in so long, since anyone can send tokens that nobody made. */
export const TOKENS_ASK_MS = SECOND_MS;
/** Requests of one isolate that wait for the list at once. */
export const TOKENS_WAITING_MAX = 256;
/** Requests a minute that one token may send to one isolate (`RATE_LIMIT`); ingest and feed do not count. */
export const RATE_LIMIT_DEFAULT = 12_000;
export const RATE_LIMIT_MAX = 1_000_000;
/** Callers that an isolate counts, some 150 B each. */
export const RATE_CALLERS_MAX = 4_096;
/** The keys of Cloudflare Access are fetched again after this long; they change every six weeks, announced before … */
export const ACCESS_KEYS_FRESH_MS = 10 * MINUTE_MS;
/** … and when one is not known, but not more often than this: anyone can make up the name of a key. */
export const ACCESS_KEYS_PAUSE_MS = 30 * SECOND_MS;
export const ACCESS_FETCH_TIMEOUT_MS = 3 * SECOND_MS;
/** What is older, or more than so many records ago, leaves the audit record. */
export const AUDIT_KEEP_MS = 90 * 24 * HOUR_MS;
export const AUDIT_MAX = 100_000;

/** Throws at load when two tunables contradict each other. */
function relate(holds: boolean, what: string): void {
  if (!holds) throw new Error(`account limits: ${what}`);
}
relate(
  TOKENS_FRESH_MS + API_CALL_TIMEOUT_MS <= TOKENS_STALE_MS,
  "the list of tokens must be renewed while it is still believed",
);
relate(TOKENS_STALE_MS <= MINUTE_MS, "a revocation must hold within a minute");
