/**
 * What Bot Management said of single requests: scores and detection ids, two optional members of a frame of version 2. Code
 * of before passes them over, as it does every member that it does not know, and a frame without any is not a byte longer:
 *
 *   scores   one byte a row, 1–99; 0 = not computed, or not known
 *   dets     how many ids each row has, one byte a row; then the ids of all rows, little-endian u32
 */
import { DETECTIONS_A_ROW_MAX } from "../config.ts";
import type { Fields } from "./fields.ts";
import { SCORE_MASK, SCORE_MAX, SCORE_SHIFT } from "./flags.ts";
import { type Frame, type FrameDetections, FrameError } from "./frame-form.ts";

/** Members of a frame's map, only those that say something. */
export interface MarkMembers {
  scores?: Uint8Array;
  dets?: Uint8Array;
}

/** Puts the members into a frame whose rows were checked; each must be exactly what is written. Throws `FrameError`. */
export function readMarks(fields: Fields, frame: Frame): void {
  const { rows, flags } = frame;
  if (fields.raw("scores") !== undefined) {
    const scores = fields.bytes("scores");
    if (scores.length !== rows) throw new FrameError("malformed");
    for (let row = 0; row < rows; row++) {
      if (scores[row]! > SCORE_MAX) throw new FrameError("malformed");
      flags[row]! |= scores[row]! << SCORE_SHIFT;
    }
  }
  if (fields.raw("dets") !== undefined) frame.detections = readDetections(fields.bytes("dets"), rows);
}

/** The members of a frame. */
export function marksOf({ rows, flags, detections }: Frame): MarkMembers {
  const members: MarkMembers = {};
  if (hasScores(flags, rows)) {
    members.scores = new Uint8Array(rows);
    for (let row = 0; row < rows; row++) members.scores[row] = (flags[row]! & SCORE_MASK) >>> SCORE_SHIFT;
  }
  if (detections !== undefined) members.dets = detectionBytes(detections, rows);
  return members;
}

/** Flags as every version of a frame carries them. */
export function wireFlags(flags: Uint32Array): Uint32Array {
  return hasScores(flags, flags.length) ? flags.map((word) => word & ~SCORE_MASK) : flags;
}

function hasScores(flags: Uint32Array, rows: number): boolean {
  let any = 0;
  for (let row = 0; row < rows; row++) any |= flags[row]!;
  return (any & SCORE_MASK) !== 0;
}

function readDetections(bytes: Uint8Array, rows: number): FrameDetections {
  if (bytes.length < rows) throw new FrameError("malformed");
  const start = new Uint16Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    if (bytes[row]! > DETECTIONS_A_ROW_MAX) throw new FrameError("malformed");
    start[row + 1] = start[row]! + bytes[row]!;
  }
  const count = start[rows]!;
  if (bytes.length !== rows + count * 4) throw new FrameError("malformed");
  return { start, ids: new Uint32Array(new Uint8Array(bytes.subarray(rows)).buffer) };
}

function detectionBytes({ start, ids }: FrameDetections, rows: number): Uint8Array {
  const bytes = new Uint8Array(rows + ids.length * 4);
  for (let row = 0; row < rows; row++) bytes[row] = start[row + 1]! - start[row]!;
  bytes.set(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength), rows);
  return bytes;
}
