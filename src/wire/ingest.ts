/** A shard's answer to frames. */
import type { FrameFault } from "./frame.ts";

export type IngestResult =
  | {
      ok: true;
      /** Rows; those of a frame are in one of the three. */
      accepted: number;
      /** Rows of frames that the shard had. */
      duplicate: number;
      /** Rows of frames that came too late to tell whether the shard had them (FRAME_ID_WINDOW): done, and counted there. */
      stale: number;
      /** How long an edge isolate should collect before its next call, ms; 0 = as it likes. */
      flushAfterMs: number;
    }
  /** Permanent: the same bytes will be refused again. What is thrown instead is worth another try. */
  | { ok: false; fault: FrameFault }
  /** The shard holds all that it may; nothing of the call counts, and the same frames are welcome later. */
  | { ok: false; fault: "overloaded" };

/** An answer that another try would not change. */
export type FinalResult = Exclude<IngestResult, { fault: "overloaded" }>;

/** Looks to `retry` as the platform's own overload does: not asked again at once. */
class OverloadedError extends Error {
  override readonly name = "OverloadedError";
  readonly overloaded = true;
}

/** An answer that is final, be it a refusal. Throws when the shard is overloaded: the frames go another time. */
export function finalAnswer(result: IngestResult): FinalResult {
  if (!result.ok && result.fault === "overloaded") throw new OverloadedError("the shard is overloaded");
  return result as FinalResult;
}

/**
 * Whether what was thrown is a shard's own word that it took nothing of the call. Whatever else is thrown leaves open
 * whether it did: the platform's error may come after the commit.
 */
export function tookNothing(error: unknown): boolean {
  return error instanceof OverloadedError;
}

/** How far a pace is spread about what the shard asks for, as a part of it. */
const SPREAD = 0.2;

/** The pace that one of many edges takes of what all were asked for, ms; `random` in [0, 1). 0 stays 0. */
export function spreadPace(flushAfterMs: number, random: number): number {
  return Math.round(flushAfterMs * (1 - SPREAD + 2 * SPREAD * random));
}

/** Calls a second at which a shard starts to slow the edges down: half of the least that Cloudflare's guide gives an object that writes. */
const CALLS_COMFORTABLE = 100;
const FLUSH_STEP_MS = 10_000;

/** Calls a second, over the last ten seconds and a part of the ten before. */
export class CallRate {
  #slot = 0;
  #calls = 0;
  #callsBefore = 0;

  /** Notes a call and answers the rate. */
  note(nowMs: number): number {
    const slot = Math.floor(nowMs / FLUSH_STEP_MS);
    if (slot !== this.#slot) {
      this.#callsBefore = slot === this.#slot + 1 ? this.#calls : 0;
      this.#calls = 0;
      this.#slot = slot;
    }
    this.#calls++;
    const gone = (nowMs % FLUSH_STEP_MS) / FLUSH_STEP_MS;
    return (this.#calls + this.#callsBefore * (1 - gone)) / (FLUSH_STEP_MS / 1_000);
  }
}

/** The pace for a rate of calls: twice the calls, twice the wait, up to `maxMs`. */
export function flushAfter(callsPerSecond: number, maxMs: number): number {
  if (callsPerSecond <= CALLS_COMFORTABLE) return 0;
  return Math.min(maxMs, Math.round((FLUSH_STEP_MS * callsPerSecond) / CALLS_COMFORTABLE));
}
