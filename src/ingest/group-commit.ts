/**
 * Group commit: calls that come close together share one write, since rows written are the largest part of what a shard
 * costs. One loop drains the queue:
 *
 *   submit → queue → (pause, when busy) → write the whole queue → apply, in the same turn → sync → answer all
 *
 * Nothing may come between write and apply, or a reader would see a disk that memory does not know; so both are
 * synchronous. An answer waits for `sync`: that the write returned does not mean that it is durable. While a sync is
 * under way new calls queue up and make the next group. Time, storage and timers are effects, so that this file runs
 * anywhere.
 */
import {
  COMMIT_BUSY_CALLS,
  COMMIT_FULL_BYTES,
  COMMIT_FULL_CALLS,
  COMMIT_PAUSE_MAX_MS,
  COMMIT_QUIET_CALLS,
  COMMIT_STILL_CALLS,
  COMMIT_STILL_MS,
  INGEST_HELD_MAX_BYTES,
} from "../config.ts";

/** One call's new frames: written together or not at all. */
export interface Entry {
  readonly payloads: readonly Uint8Array[];
  /** Of all payloads. */
  readonly bytes: number;
}

export interface CommitEffects<E extends Entry> {
  nowMs(): number;
  /** Writes frames in one transaction. Throws when nothing was written. */
  write(payloads: readonly Uint8Array[], nowMs: number): void;
  /** Takes what was written into memory. */
  apply(entry: E, nowMs: number): void;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Resolves with `wake`, or after `ms`. */
  pause(wake: Promise<void>, ms: number): Promise<void>;
}

interface Waiting<E> {
  readonly entry: E;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Least ms between two commits at a rate of calls: none when quiet, growing to its maximum between the two rates. */
export function commitPauseMs(callsPerSecond: number): number {
  const busy = (callsPerSecond - COMMIT_QUIET_CALLS) / (COMMIT_BUSY_CALLS - COMMIT_QUIET_CALLS);
  return Math.round(COMMIT_PAUSE_MAX_MS * Math.min(1, Math.max(0, busy)));
}

export class GroupCommit<E extends Entry> {
  readonly #effects: CommitEffects<E>;
  #queue: Waiting<E>[] = [];
  #queuedBytes = 0;
  /** Queued, or written and not yet durable. */
  #heldBytes = 0;
  #pauseMs = 0;
  #lastCommitMs = 0;
  #draining = false;
  #wake: (() => void) | undefined;

  constructor(effects: CommitEffects<E>) {
    this.#effects = effects;
  }

  /** Whether a call of so many bytes may queue. One alone always may: what came through the engine fits into memory. */
  hasRoom(bytes: number): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= INGEST_HELD_MAX_BYTES;
  }

  /**
   * Queues a call's frames; at rest they are written before this returns. Resolves when they are durable, rejects with
   * what their write, and no other's, threw.
   */
  submit(entry: E, callsPerSecond: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ entry, resolve, reject });
    this.#queuedBytes += entry.bytes;
    this.#heldBytes += entry.bytes;
    this.#pauseMs = commitPauseMs(callsPerSecond);
    if (!this.#draining) void this.#drain();
    else if (this.#isFull) this.#wake?.();
    return promise;
  }

  get #isFull(): boolean {
    return this.#queuedBytes >= COMMIT_FULL_BYTES || this.#queue.length >= COMMIT_FULL_CALLS;
  }

  /** Never rejects: every failure is the answer of the calls that it concerns. */
  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const restMs = this.#lastCommitMs + this.#pauseMs - this.#effects.nowMs();
      // A clock that was set back must not make calls wait for it.
      if (restMs > 0) await this.#rest(Math.min(restMs, COMMIT_PAUSE_MAX_MS));
      const group = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      await this.#commit(group);
      for (const { entry } of group) this.#heldBytes -= entry.bytes;
    }
    this.#draining = false;
  }

  /** Waits until the group is full, the time is over, or many wait and nobody comes any more: they may be all there are. */
  async #rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    let before = 0;
    for (let leftMs = ms; leftMs > 0 && !this.#isFull; leftMs -= COMMIT_STILL_MS) {
      const waiting = this.#queue.length;
      if (waiting >= COMMIT_STILL_CALLS && waiting === before) break;
      before = waiting;
      await this.#effects.pause(promise, Math.min(leftMs, COMMIT_STILL_MS));
    }
    this.#wake = undefined;
  }

  async #commit(group: readonly Waiting<E>[]): Promise<void> {
    const nowMs = this.#effects.nowMs();
    this.#lastCommitMs = nowMs;
    const written = this.#write(group, nowMs).filter((waiting) =>
      attempt(waiting, () => this.#effects.apply(waiting.entry, nowMs)),
    );
    if (written.length === 0) return;
    try {
      await this.#effects.sync();
      for (const { resolve } of written) resolve();
    } catch (error) {
      for (const { reject } of written) reject(error);
    }
  }

  /** Together, or when that fails one by one, so that what cannot be written costs itself only. Answers what was. */
  #write(group: readonly Waiting<E>[], nowMs: number): readonly Waiting<E>[] {
    try {
      this.#effects.write(
        group.flatMap(({ entry }) => entry.payloads),
        nowMs,
      );
      return group;
    } catch (error) {
      if (group.length === 1) group[0]!.reject(error);
      else return group.filter((one) => attempt(one, () => this.#effects.write(one.entry.payloads, nowMs)));
      return [];
    }
  }
}

/** Whether the step succeeded; what it throws is that call's answer. */
function attempt(waiting: Waiting<unknown>, step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    waiting.reject(error);
    return false;
  }
}
