/** What of a call is new: frames are checked and told from duplicates before they queue. */
import { decodeFrame, type Frame, FrameError, type FrameFault, type Source } from "../wire/frame.ts";
import type { Entry } from "./group-commit.ts";
import type { FrameAge } from "./taken-frames.ts";

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
  /** Those of them that nobody sends again when they are refused. */
  readonly unrepeated: number;
  /** Rows of frames that were there before: on disk, in the queue, or earlier in this call. */
  readonly duplicate: number;
  /** Rows of frames that are too old to tell; they are done with. */
  readonly stale: number;
  /** Calls that queue some of those; until they are durable nothing may be said of their frames. */
  readonly others: ReadonlySet<Promise<void>>;
}

/** Which frames a shard holds. */
export interface HeldFrames {
  age(id: Uint8Array): FrameAge;
  /** The outcome of the call that queues the frame of this id (as text). */
  queued(id: string): Promise<void> | undefined;
}

/** An isolate keeps what was refused for overload and sends it again; a client is told so, and may never come back. */
const REPEATED: ReadonlySet<Source> = new Set<Source>(["edge", "binding"]);

/** Takes a call's frames apart; a frame that cannot be read refuses the call whole. */
export function sortCall(payloads: readonly Uint8Array[], held: HeldFrames): SortedCall | FrameFault {
  const fresh: Uint8Array[] = [];
  const frames: KnownFrame[] = [];
  const ids = new Set<string>();
  const others = new Set<Promise<void>>();
  let [bytes, rows, unrepeated, duplicate, stale] = [0, 0, 0, 0, 0];
  for (const payload of payloads) {
    const frame = decoded(payload);
    if (typeof frame === "string") return frame;
    const id = frameIdText(frame.id);
    const other = held.queued(id);
    if (other !== undefined) others.add(other);
    const age = other !== undefined || ids.has(id) ? "taken" : held.age(frame.id);
    if (age === "taken") duplicate += frame.rows;
    else if (age === "stale") stale += frame.rows;
    else {
      ids.add(id);
      frames.push({ id, frame });
      fresh.push(payload);
      bytes += payload.length;
      rows += frame.rows;
      if (!REPEATED.has(frame.source)) unrepeated += frame.rows;
    }
  }
  return { payloads: fresh, bytes, frames, rows, unrepeated, duplicate, stale, others };
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
function frameIdText(id: Uint8Array): string {
  return String.fromCharCode(...id);
}
