/**
 * Frames of one group as rows of a shard's log: a disk format.
 *
 *   row    0xc1 · version · entry…          0xc1 begins no msgpack value, so a row of before groups, which is one bare
 *   entry  length u32 LE · frame            frame, is told from a group by its first byte
 *
 * Rows are what storage bills, so a row holds as many frames as fit (LOG_ROW_MAX_BYTES); the order is that of arrival.
 */
import { LOG_ROW_MAX_BYTES } from "../config.ts";

const MARK = 0xc1;
const VERSION = 1;
const HEAD_BYTES = 2;
const LENGTH_BYTES = 4;

/** A row that is not as written above: it was not written by this code, or not all of it is there. */
export class GroupRowError extends Error {
  override readonly name = "GroupRowError";
}

/** Rows that hold `frames` in their order. A frame is never cut: one alone may pass `maxBytes` by the row's own bytes. */
export function groupRows(frames: readonly Uint8Array[], maxBytes = LOG_ROW_MAX_BYTES): Uint8Array[] {
  const rows: Uint8Array[] = [];
  for (let from = 0; from < frames.length; ) {
    let bytes = HEAD_BYTES;
    let to = from;
    do {
      bytes += LENGTH_BYTES + frames[to]!.length;
      to++;
    } while (to < frames.length && bytes + LENGTH_BYTES + frames[to]!.length <= maxBytes);
    rows.push(row(frames.slice(from, to), bytes));
    from = to;
  }
  return rows;
}

function row(frames: readonly Uint8Array[], bytes: number): Uint8Array {
  const into = new Uint8Array(bytes);
  const view = new DataView(into.buffer);
  into[0] = MARK;
  into[1] = VERSION;
  let at = HEAD_BYTES;
  for (const frame of frames) {
    view.setUint32(at, frame.length, true);
    into.set(frame, at + LENGTH_BYTES);
    at += LENGTH_BYTES + frame.length;
  }
  return into;
}

/** The frames of a row, in order; views on it. Throws `GroupRowError` before the first one when the row is broken. */
export function framesOfRow(bytes: Uint8Array): Uint8Array[] {
  if (bytes[0] !== MARK) return [bytes];
  if (bytes[1] !== VERSION) throw new GroupRowError("a log row of an unknown version");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  for (let at = HEAD_BYTES; at < bytes.length; ) {
    if (at + LENGTH_BYTES > bytes.length) throw new GroupRowError("a log row ends within a length");
    const end = at + LENGTH_BYTES + view.getUint32(at, true);
    if (end > bytes.length) throw new GroupRowError("a log row ends within a frame");
    frames.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return frames;
}
