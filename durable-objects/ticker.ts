/** A shard's alarm: when it ticks next, by the rules of `alarm.ts`, and the time that is set. */
import { nextTick, type TickState } from "./alarm.ts";

/** What the next tick follows from, beside the time. */
export type TickFacts = Omit<TickState, "nowMs" | "jitter" | "tickMs">;

export class Ticker {
  readonly #storage: Pick<DurableObjectStorage, "getAlarm" | "setAlarm">;
  readonly #tickMs: number;
  readonly #jitter: number;
  #nextMs: number | undefined;

  /** `shard` spreads a site's shards over the tick. */
  constructor(storage: Pick<DurableObjectStorage, "getAlarm" | "setAlarm">, tickMs: number, shard: number) {
    this.#storage = storage;
    this.#tickMs = tickMs;
    this.#jitter = (shard % 8) / 8;
  }

  /** Reads the alarm that an earlier life set. */
  async load(): Promise<void> {
    this.#nextMs = (await this.#storage.getAlarm()) ?? undefined;
  }

  /** Time of the next tick, ms; `undefined` = none is set. */
  get nextMs(): number | undefined {
    return this.#nextMs;
  }

  /** A queue of calls can starve the alarm. */
  isOverdue(nowMs: number): boolean {
    return this.#nextMs !== undefined && nowMs - this.#nextMs > this.#tickMs;
  }

  /** The alarm has rung. */
  rung(): void {
    this.#nextMs = undefined;
  }

  /** Sets the next tick, unless one as early is set: data on an idle shard bring its tick forward. */
  async schedule(nowMs: number, facts: TickFacts): Promise<void> {
    const at = nextTick({ ...facts, nowMs, tickMs: this.#tickMs, jitter: this.#jitter });
    if (at !== undefined && at < (this.#nextMs ?? Number.POSITIVE_INFINITY)) await this.set(at);
  }

  async set(atMs: number): Promise<void> {
    this.#nextMs = atMs;
    await this.#storage.setAlarm(atMs);
  }
}
