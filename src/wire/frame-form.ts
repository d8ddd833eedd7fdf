/** A frame taken apart: what both of its encodings carry, what must hold for it, and why one is refused. */
import { FRAME_ROWS_MAX, SAMPLED_MAX } from "../config.ts";
import { FLAGS_MASK, YES_BITS } from "./flags.ts";
import { isKey, KEY_WORDS } from "./key.ts";
import { areSignals, GLOBAL_SIGNALS } from "./signal-names.ts";

export const FRAME_ID_BYTES = 16;

/** Parts of a request that a frame's weight counts. */
export const WEIGHT_ONE = 1_000;

/** Where observations came from; `summary.sources` counts each. */
export const SOURCES = ["observations", "edge", "logpush", "binding"] as const;
export type Source = (typeof SOURCES)[number];

/** What a sender counts and cannot show by itself; it travels with its next frame. */
export const COUNTERS = ["rejected", "expired", "lost_at_edge", "fields_dropped"] as const;
export type CounterName = (typeof COUNTERS)[number];
export type Counters = Record<CounterName, number>;

/** The identity columns, in the order of their flag bits. */
export const IDENTITIES = ["ip", "ua", "path", "host", "asn"] as const;
export type Identity = (typeof IDENTITIES)[number];

/** The newest global signals of fingerprints, in the order of the table; at most once a fingerprint. */
export interface FrameSignals {
  /** Index into the table, rising. */
  fp: Uint16Array;
  seenAtMs: Float64Array;
  /** As many as GLOBAL_SIGNALS a fingerprint, in their order; NaN = absent. */
  values: Float64Array;
}

/** Detection ids of the rows that have any (Cloudflare's Bot Management). */
export interface FrameDetections {
  /** Row r has the ids at `start[r]` … `start[r + 1]`, all different, DETECTIONS_A_ROW_MAX at most; rows + 1 entries. */
  start: Uint16Array;
  ids: Uint32Array;
}

export interface Frame {
  id: Uint8Array;
  source: Source;
  /** Time of the oldest row, ms. */
  baseMs: number;
  /** Fingerprints in the table; at most as many as rows. */
  fps: number;
  /** The table: KEY_WORDS words each (key.ts), zeros for rows without a JA4. */
  keys: Uint32Array;
  rows: number;
  /** Index into the table, one a row. */
  fp: Uint16Array;
  /** ms after `baseMs`. */
  at: Uint32Array;
  /** With the bot score (flags.ts). */
  flags: Uint32Array;
  identities: Record<Identity, Uint32Array>;
  signals: FrameSignals;
  /** Absent = no row has any. */
  detections?: FrameDetections;
  /** Still encoded (samples.ts): they are looked at only when something is wrong with a fingerprint. Empty = none. */
  samples: Uint8Array;
  counters: Counters;
  /** Requests that each row stands for, in thousandths, where they are a sample; absent = one. Earlier code counts one. */
  weight?: number;
}

/** Why a frame was refused, as a fixed code: the payload's own text never reaches a log. */
export type FrameFault = "too_large" | "not_msgpack" | "unknown_version" | "malformed";

export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly fault: FrameFault;
  constructor(fault: FrameFault) {
    super(`frame refused: ${fault}`);
    this.fault = fault;
  }
}

/** The last ms that JavaScript has a date for (ECMA-262, time values). */
const TIME_MAX_MS = 8_640_000_000_000_000;
const AT_MAX_MS = 0xffff_ffff;

/** Throws `malformed` unless indexes lie in their tables, flags and keys are canonical, times have a date. */
export function checkFrame(frame: Frame): void {
  const { id, baseMs, fps, rows, keys, signals } = frame;
  let right =
    id.length === FRAME_ID_BYTES &&
    Number.isSafeInteger(baseMs) &&
    baseMs >= 0 &&
    baseMs <= TIME_MAX_MS - AT_MAX_MS &&
    rows <= FRAME_ROWS_MAX &&
    fps <= rows &&
    weightIsRight(frame.weight) &&
    rowsAreRight(frame.fp, frame.flags, rows, fps) &&
    signalsAreRight(signals, fps);
  for (let i = 0; right && i < fps; i++) right = isKey(keys, i * KEY_WORDS);
  if (!right) throw new FrameError("malformed");
}

function weightIsRight(weight: number | undefined): boolean {
  return weight === undefined || (weight >= WEIGHT_ONE && weight <= SAMPLED_MAX * WEIGHT_ONE);
}

/** One pass without a branch: the only work of decoding that grows with the rows, besides the copy. */
function rowsAreRight(fp: Uint16Array, flags: Uint32Array, rows: number, fps: number): boolean {
  let wrong = 0;
  for (let row = 0; row < rows; row++) {
    const word = flags[row]!;
    // A sign for an index past the table; bits without a meaning; a "yes" to what is not known.
    wrong |= ((fps - 1 - fp[row]!) >>> 31) | (word & ~FLAGS_MASK) | (word & YES_BITS & ~(word << 1));
  }
  return wrong === 0;
}

function signalsAreRight({ fp, seenAtMs, values }: FrameSignals, fps: number): boolean {
  for (let i = 0, before = -1; i < fp.length; i++) {
    const index = fp[i]!;
    const ms = seenAtMs[i]!;
    // Written so that NaN is refused.
    if (index <= before || index >= fps || !(ms >= 0 && ms <= TIME_MAX_MS)) return false;
    before = index;
    if (!areSignals(values, i * GLOBAL_SIGNALS.length)) return false;
  }
  return true;
}
