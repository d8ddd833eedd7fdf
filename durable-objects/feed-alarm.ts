/**
 * An object has one alarm; the feed has several duties that must be done although nothing comes in. Each duty knows from its
 * own rows when it is due, so nothing is kept here that a restart could lose; the alarm stands at the earliest of them.
 * https://developers.cloudflare.com/durable-objects/api/alarms/
 */
import { errorClass, logWarning } from "../src/base/log.ts";
import { SECOND_MS } from "../src/config.ts";

export interface Duty {
  /** Names it in the log. */
  name: string;
  /** When there is something to do next, ms; `undefined` = nothing. Asked after every change: it must be cheap. */
  dueMs(nowMs: number): number | undefined;
  run(nowMs: number): void | Promise<void>;
}

/** The slice of the platform's storage that is needed. */
export interface AlarmClock {
  setAlarm(atMs: number): Promise<void>;
}

/** A duty that failed is left alone this long, or the alarm would go off without a pause. */
const FAILED_PAUSE_MS = 10 * SECOND_MS;

export class FeedAlarm {
  readonly #clock: AlarmClock;
  readonly #duties: readonly Duty[];
  readonly #pausedUntilMs = new Map<string, number>();
  /** Where the alarm stands, as far as this instance knows: one of a former instance is simply set again. */
  #setMs = Number.POSITIVE_INFINITY;

  constructor(clock: AlarmClock, duties: readonly Duty[]) {
    this.#clock = clock;
    this.#duties = duties;
  }

  /**
   * Makes sure that the alarm goes off no later than the earliest duty. Synchronous up to the call of the platform, so that the
   * alarm is set with the rows that need it. One that stands too early stays: it finds nothing to do, and costs less than
   * a write for every change.
   */
  async arm(nowMs: number): Promise<void> {
    const dues = this.#duties.flatMap((duty) => this.#dueMs(duty, nowMs) ?? []);
    if (dues.length === 0) return;
    const atMs = Math.max(nowMs, Math.min(...dues));
    if (atMs >= this.#setMs) return;
    this.#setMs = atMs;
    await this.#clock.setAlarm(atMs);
  }

  /** The alarm went off: does what is due, and sets the next one. A duty that fails keeps no other from being done. */
  async fire(nowMs: number): Promise<void> {
    this.#setMs = Number.POSITIVE_INFINITY;
    for (const duty of this.#duties) {
      const dueMs = this.#dueMs(duty, nowMs);
      if (dueMs === undefined || dueMs > nowMs) continue;
      try {
        await duty.run(nowMs);
      } catch (error) {
        this.#pausedUntilMs.set(duty.name, nowMs + FAILED_PAUSE_MS);
        logWarning({ event: "feed_duty_failed", duty: duty.name, error: errorClass(error) });
      }
    }
    await this.arm(nowMs);
  }

  #dueMs(duty: Duty, nowMs: number): number | undefined {
    const due = duty.dueMs(nowMs);
    return due === undefined ? undefined : Math.max(due, this.#pausedUntilMs.get(duty.name) ?? 0);
  }
}
