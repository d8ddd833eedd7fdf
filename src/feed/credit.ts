/**
 * How far a subscriber may fall behind. `send` never fails and a client that does not read grows the process, so each
 * socket has credit: so many events and bytes since its last ack or ping; past it the socket is closed and the client
 * resumes by cursor. Nobody else waits.
 */
import { FEED_UNACKED_MAX_BYTES, FEED_UNACKED_MAX_EVENTS } from "../base/feed-limits.ts";

export interface Credit {
  events: number;
  bytes: number;
}

export const FRESH_CREDIT: Credit = { events: 0, bytes: 0 };

export function spend(credit: Credit, bytes: number): Credit {
  return { events: credit.events + 1, bytes: credit.bytes + bytes };
}

export function isExhausted(credit: Credit): boolean {
  return credit.events > FEED_UNACKED_MAX_EVENTS || credit.bytes > FEED_UNACKED_MAX_BYTES;
}
