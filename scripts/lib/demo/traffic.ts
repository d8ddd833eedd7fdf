/** Sends the made-up traffic the way real traffic comes: the past in order, then every second what has happened since. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Traffic } from "../../../src/simulate/record.ts";
import { Failure } from "../failure.ts";
import type { Connection } from "../flags.ts";
import { postObservations, Sender } from "../replay/send.ts";

/** Half a minute less than the hour that the server takes, so that nothing expires while it is on its way. */
export const PAST_MS = 3_570_000;
const MINUTE_MS = 60_000;
const LIVE_EVERY_MS = 1_000;
const BATCH_MAX = 5_000;

export interface TrafficDeps {
  readonly signal: AbortSignal;
  nowMs(): number;
  /** Told when the server makes us wait. */
  say(notice: string): void;
}

export class TrafficPump {
  readonly #traffic: Traffic;
  readonly #deps: TrafficDeps;
  readonly #sender: Sender;
  /** Keys of this run: no other run's answer may be taken for ours. */
  readonly #run = randomBytes(8).toString("hex");
  #batches = 0;
  #sentMs: number;
  sent = 0;

  constructor(traffic: Traffic, connection: Connection, fromMs: number, deps: TrafficDeps) {
    this.#traffic = traffic;
    this.#deps = deps;
    this.#sentMs = fromMs;
    this.#sender = new Sender({
      post: (body, key) => postObservations(connection, body, key, deps.signal),
      wait: (ms) => sleep(ms, undefined, { signal: deps.signal }),
      nowMs: deps.nowMs,
      random: Math.random,
      onWait: (why, ms) => deps.say(`${why}; sent again in ${(ms / 1_000).toFixed(1)} s`),
    });
  }

  /** Everything up to now. `onProgress` gets the share that is done. */
  async backFill(onProgress: (share: number) => void): Promise<void> {
    const fromMs = this.#sentMs;
    for (let nowMs = this.#deps.nowMs(); this.#sentMs < nowMs; nowMs = this.#deps.nowMs()) {
      // By the minute: what is left at the end is less than what a live batch holds.
      await this.#sendUntil(Math.min(this.#sentMs + MINUTE_MS, nowMs));
      onProgress((this.#sentMs - fromMs) / (nowMs - fromMs));
      if (nowMs - this.#sentMs < LIVE_EVERY_MS) return;
    }
  }

  /** Until the signal; rejects with its reason. `onSecond` is told after each batch. */
  async live(onSecond: (nowMs: number) => void): Promise<never> {
    for (;;) {
      const nowMs = this.#deps.nowMs();
      // After a long sleep of the machine the hour before is gone: its data would be refused.
      this.#sentMs = Math.max(this.#sentMs, nowMs - PAST_MS);
      while (this.#sentMs < nowMs) await this.#sendUntil(Math.min(this.#sentMs + MINUTE_MS, nowMs));
      onSecond(nowMs);
      await sleep(Math.max(LIVE_EVERY_MS - (this.#deps.nowMs() - nowMs), 0), undefined, {
        signal: this.#deps.signal,
      });
    }
  }

  async #sendUntil(toMs: number): Promise<void> {
    const records = this.#traffic.between(this.#sentMs, toMs);
    this.#sentMs = toMs;
    for (let at = 0; at < records.length; at += BATCH_MAX) {
      const batch = records.slice(at, at + BATCH_MAX);
      const body = `${batch.map((record) => JSON.stringify(record)).join("\n")}\n`;
      const key = `demo-${this.#run}-${this.#batches++}`;
      const taken = await this.#sender.send(body, key, batch.length);
      const [refused] = taken.errors;
      if (refused !== undefined)
        throw new Failure(`the server refused a made-up observation: ${refused.detail}`);
      this.sent += batch.length;
    }
  }
}
