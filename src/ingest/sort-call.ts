/** What of a call is new: frames are checked and told from duplicates before they queue. */
import { decodeFrame, type Frame, FrameError, type FrameFault } from "../wire/frame.ts";
import type { Entry } from "./group-commit.ts";

export interface KnownFrame {
  /** The frame's id as a binary string. */
  readonly id: string;
  readonly frame: Frame;
}

/** A call taken apart; as an entry it holds its new frames. */
export interface SortedCall extends Entry {
  readonly frames: readonly KnownFrame[];
  /** Of the new frames. */
  readonly rows: number;
  /** Rows of frames that were there before: on disk, in the queue, or earlier in this call. */
  readonly duplicate: number;
  /** Calls that queue some of those; until they are durable nothing may be said of their frames. */
  readonly others: ReadonlySet<Promise<void>>;
}

/** Which frames a shard holds, by id. */
export interface HeldFrames {
  has(id: string): boolean;
  /** The outcome of the call that queues the frame. */
  queued(id: string): Promise<void> | undefined;
}

/** Takes a call's frames apart; a frame that cannot be read refuses the call whole. */
export function sortCall(payloads: readonly Uint8Array[], held: HeldFrames): SortedCall | FrameFault {
  const fresh: Uint8Array[] = [];
  const frames: KnownFrame[] = [];
  const ids = new Set<string>();
  const others = new Set<Promise<void>>();
  let [bytes, rows, duplicate] = [0, 0, 0];
  for (const payload of payloads) {
    const frame = decoded(payload);
    if (typeof frame === "string") return frame;
    const id = frameIdText(frame.id);
    const other = held.queued(id);
    if (other !== undefined) others.add(other);
    if (other !== undefined || held.has(id) || ids.has(id)) {
      duplicate += frame.rows;
      continue;
    }
    ids.add(id);
    frames.push({ id, frame });
    fresh.push(payload);
    bytes += payload.length;
    rows += frame.rows;
  }
  return { payloads: fresh, bytes, frames, rows, duplicate, others };
}

function decoded(payload: Uint8Array): Frame | FrameFault {
  try {
    return decodeFrame(payload);
  } catch (error) {
    if (error instanceof FrameError) return error.fault;
    throw error;
  }
}

/** An id as a key of a map. */
export function frameIdText(id: Uint8Array): string {
  return String.fromCharCode(...id);
}
