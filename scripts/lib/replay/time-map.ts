/** From the log's times to the times that are sent, and when each is due. */

export interface TimePlan {
  readonly oldestMs: number;
  readonly newestMs: number;
  /** Start of the replay with `--now`; absent = the log's own times. */
  readonly startedMs: number | undefined;
  /** Length that the whole span is rescaled to. */
  readonly compressMs: number | undefined;
  /** Times real time; Infinity = all at once. */
  readonly speed: number;
}

export interface TimeMap {
  /** Never decreasing, so the log's order is kept. */
  timeOf(ms: number): number;
  /** When to send it, in ms since the start. */
  dueOf(ms: number): number;
  readonly oldestMs: number;
  readonly newestMs: number;
  /** How long the sending takes at least. */
  readonly durationMs: number;
}

/**
 * With `--now` the newest record is "now" when it is sent: at full speed that is the start, at N times real time the end of
 * the replay, and at real time every record is sent at its own time. So nothing ever lies in the future.
 */
export function timeMap(plan: TimePlan): TimeMap {
  const spanMs = plan.newestMs - plan.oldestMs;
  // A log of one instant has no span to rescale.
  const targetMs = spanMs === 0 ? 0 : (plan.compressMs ?? spanMs);
  const factor = spanMs === 0 ? 0 : targetMs / spanMs;
  const durationMs = Math.round(targetMs / plan.speed);
  const newestMs = plan.startedMs === undefined ? plan.newestMs : plan.startedMs + durationMs;
  const backOf = (ms: number) => Math.round((plan.newestMs - ms) * factor);
  return {
    timeOf: (ms) => newestMs - backOf(ms),
    dueOf: (ms) => Math.max((targetMs - backOf(ms)) / plan.speed, 0),
    oldestMs: newestMs - targetMs,
    newestMs,
    durationMs,
  };
}
