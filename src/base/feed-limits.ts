/** Limits of the feed (contract §6): the unit is in the name. */
import { HOUR_MS, SECOND_MS } from "../config.ts";

export const FEED_KEEP_MS = 7 * 24 * HOUR_MS;
export const FEED_KEEP_EVENTS = 100_000;
export const FEED_HEARTBEAT_S = 30;
/** A client whose filter hides events hears how far they went, at most this often. */
export const FEED_CHECKPOINT_MS = 30 * SECOND_MS;
export const FEED_UNACKED_MAX_EVENTS = 5_000;
export const FEED_UNACKED_MAX_BYTES = 1024 * 1024;
export const FEED_CLIENT_FRAME_MAX_BYTES = 4_096;
export const FEED_CLIENT_ERRORS_MAX = 3;
export const TICKET_LIVE_MS = 30 * SECOND_MS;
/** After the feed has ended, so long may a client of server-sent events take for what was sent before. */
export const SSE_DRAIN_MS = 5 * SECOND_MS;
