/** Frames on their way: kept with their bytes until a shard has them, so that any later request can send them again. */
import type { Counters } from "../wire/frame.ts";

/** A frame on its way to one shard. */
export interface Inflight {
  site: string;
  shard: number;
  rows: number;
  /** What rides along, counted again when the frame is given up. */
  counters: Counters;
  bytes: Uint8Array;
  /** When it may be sent again, ms. */
  untilMs: number;
}

export class InflightFrames {
  readonly #frames = new Map<string, Inflight>();
  readonly #max: number;
  readonly #timeoutMs: number;

  /** At most `max` frames, each with its sender for `timeoutMs`. */
  constructor(max: number, timeoutMs: number) {
    this.#max = max;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Adds a frame; answers the one that had to go for it. */
  add(id: string, frame: Omit<Inflight, "untilMs">, nowMs: number): Inflight | undefined {
    const [oldest] = this.#frames.size >= this.#max ? this.#frames.keys() : [];
    const gone = oldest === undefined ? undefined : this.remove(oldest);
    this.#frames.set(id, { ...frame, untilMs: nowMs + this.#timeoutMs });
    return gone;
  }

  remove(id: string): Inflight | undefined {
    const frame = this.#frames.get(id);
    this.#frames.delete(id);
    return frame;
  }

  /** Those past their time, which begins anew: they are the caller's to send. */
  due(nowMs: number): [string, Inflight][] {
    const due: [string, Inflight][] = [];
    for (const entry of this.#frames) {
      if (entry[1].untilMs > nowMs) continue;
      entry[1].untilMs = nowMs + this.#timeoutMs;
      due.push(entry);
    }
    return due;
  }

  /** When the next one is due, ms. */
  nextDueMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#frames.values()) nextMs = Math.min(nextMs, untilMs);
    return nextMs;
  }
}
