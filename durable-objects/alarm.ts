/** When a shard ticks next. Pure, so that the rules can be tested as a table; the object sets the alarm. */
import { MINUTE_MS, TICK_IDLE_MS } from "../src/config.ts";

export interface TickState {
  nowMs: number;
  tickMs: number;
  /** Spreads shards over the tick, 0 ≤ jitter < 1. */
  jitter: number;
  lastIngestMs: number;
  /** Episodes, thresholds or events under way. */
  busy: boolean;
  /** Nothing in the window. */
  empty: boolean;
}

/** Minute windows still change this long after the last request, so thresholds on them need quick ticks. */
const ACTIVE_MS = 2 * MINUTE_MS;
/** Ticks lie a little behind the slot's edge, so that the slot is whole. */
const SPREAD_MS = 500;

/** Time of the next tick; `undefined` = sleep until something comes in. */
export function nextTick({
  nowMs,
  tickMs,
  jitter,
  lastIngestMs,
  busy,
  empty,
}: TickState): number | undefined {
  if (empty && !busy) return undefined;
  const pause = busy || nowMs - lastIngestMs < ACTIVE_MS ? tickMs : Math.max(TICK_IDLE_MS, tickMs);
  return (Math.floor(nowMs / pause) + 1) * pause + Math.floor(jitter * SPREAD_MS);
}
