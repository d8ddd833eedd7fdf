/**
 * When a webhook is tried again, and when it is given up (contract §5): back-off with jitter for 24 h, `Retry-After`
 * honoured, 410 = never again. Pure: times and chance are parameters.
 */
import { backOffMs } from "../base/retry.ts";
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../config.ts";

export const GIVE_UP_AFTER_MS = 24 * HOUR_MS;
const FIRST_PAUSE_MS = 5 * SECOND_MS;
/** Long enough to leave a broken receiver alone, short enough to be back soon after it is. */
const PAUSE_MAX_MS = 10 * MINUTE_MS;
/** A receiver may ask for more patience than we would have, not for all of it. */
const RETRY_AFTER_MAX_MS = HOUR_MS;

/** What a try came to. */
export type Verdict = "delivered" | "failed" | "gone";

/** `status`: of the answer; `undefined` = there was none. A redirect is a failure: its target was not checked. */
export function verdictOf(status: number | undefined): Verdict {
  if (status === undefined) return "failed";
  if (status === 410) return "gone";
  return status >= 200 && status < 300 ? "delivered" : "failed";
}

export interface Failed {
  /** Tries so far, from 1. */
  tries: number;
  /** When the event came to be sent, ms. */
  sinceMs: number;
  nowMs: number;
  /** What the receiver asked for, ms; `undefined` = nothing. */
  retryAfterMs: number | undefined;
  /** In [0, 1). */
  random: number;
}

/** Time of the next try, ms; `undefined` = given up. */
export function nextTry({ tries, sinceMs, nowMs, retryAfterMs = 0, random }: Failed): number | undefined {
  const pause = backOffMs(tries, FIRST_PAUSE_MS, PAUSE_MAX_MS, random);
  const atMs = nowMs + Math.max(pause, Math.min(retryAfterMs, RETRY_AFTER_MAX_MS));
  return atMs - sinceMs > GIVE_UP_AFTER_MS ? undefined : atMs;
}

/** Pause that a `Retry-After` asks for (RFC 9110 §10.2.3): seconds or a date; `undefined` = none that can be read. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * SECOND_MS;
  // Three forms of dates, all with a month's name: anything else that Date.parse would take is no HTTP date.
  const atMs = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
