/** When to connect again, and when never: pure, so that the policy can be tested as a table. */

const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 30_000;
/** The server wants us to resume at once: it closed because we had not said yet that we keep up. */
const RESUME_PAUSE_MS = 100;
/** A connection that lived this long was a good one, so the next try is the first again. */
const GOOD_AFTER_MS = 5_000;

export const CLOSE_TRY_AGAIN = 1013;
export const CLOSE_REVOKED = 4401;

/**
 * The pause before try number `attempt` (from 1). Half of it is chance: after a restart of the server not all clients come
 * at the same moment.
 */
export function pauseMs(attempt: number, random: number): number {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), PAUSE_MAX_MS);
  return Math.round(most * (0.5 + random / 2));
}

/** How a connection ended, as far as it tells about the next. */
export interface Ended {
  readonly code: number;
  readonly livedMs: number;
  /** New events that it brought. */
  readonly events: number;
}

/** The number of the next try, and the pause before it. */
export function afterEnd(ended: Ended, attempt: number, random: number): { attempt: number; ms: number } {
  // Events count as a good connection only together with the server's own wish, or a crash loop would be hammered.
  if (ended.code === CLOSE_TRY_AGAIN && ended.events > 0) {
    return { attempt: 0, ms: Math.round(RESUME_PAUSE_MS * (0.5 + random / 2)) };
  }
  const next = ended.livedMs >= GOOD_AFTER_MS ? 1 : attempt + 1;
  return { attempt: next, ms: pauseMs(next, random) };
}

export type Refusal = "final" | "wrong use" | "reset" | "try again";

/**
 * What an HTTP status instead of the upgrade means. 400 is the user's query, unless the only thing that can be wrong with it
 * is a cursor that this very server gave: then its data were replaced, and the feed begins anew.
 */
export function judgeStatus(status: number, hasConnected: boolean): Refusal {
  if (status === 401 || status === 403 || status === 404) return "final";
  if (status === 400) return hasConnected ? "reset" : "wrong use";
  return status === 429 || status >= 500 || status === 101 ? "try again" : "final";
}

/** Longest silence, as a multiple of the heartbeat, before the connection counts as dead: a ping went unanswered. */
const SILENCE_HEARTBEATS = 1.5;

export function isDead(silentMs: number, heartbeatMs: number): boolean {
  return silentMs > SILENCE_HEARTBEATS * heartbeatMs;
}

/** The server closes a client that is 5,000 events or 1 MiB past its last ack: an ack is due long before. */
export const ACK_EVENTS = 100;
export const ACK_CHARS = 128 * 1024;
