/**
 * A set as bytes, for disk and for moving it to another object. Little-endian; equal sets give equal bytes.
 *
 *   small   1 │ 1 │ entries u16 │ slot u32 │ hashes u32, ascending │ ages u8, in the order of the hashes
 *   large   1 │ 2 │ log₂ cells u8 │ 0 │ slot u32 │ hits u16 × 21 │ rank 0 │ rank 1 │ …
 *     a rank, more than a third of its cells hit:  age + 1 of every cell, 0 = not hit
 *     otherwise, a hit:                            cell u16, age u8; cells ascending
 *
 * The first byte is the version. `slot` is the newest slot in the set, an absolute number; an age is the slots before it.
 * What `fresh` has still to pay out is not part of a set: less than one identity.
 */
import { SMALL_MAX, type Small } from "./distincts-small.ts";
import { STAMP_SLOTS, type Stamps } from "./distincts-stamps.ts";
import type { Pcsa } from "./pcsa.ts";
import { RANKS } from "./pcsa-estimate.ts";
import { LOG_CELLS_MAX, LOG_CELLS_MIN } from "./pcsa-layout.ts";

const VERSION = 1;
const SMALL = 1;
const LARGE = 2;
const PREAMBLE_BYTES = 8;
const HITS_BYTES = RANKS * 2;
/** An age, and one for "not hit", fit a byte. */
const AGE_MAX = STAMP_SLOTS - 1;

/** Bytes that are no set. The message says where they go wrong, never what they hold. */
export class SetFormatError extends Error {
  override readonly name = "SetFormatError";
  readonly code = "set_malformed";
}

/** What the bytes of a set say; everything in it has been checked. */
export type DecodedSet =
  | { readonly kind: "small"; readonly slot: number; readonly hashes: Uint32Array; readonly ages: Uint8Array }
  | {
      readonly kind: "large";
      readonly slot: number;
      readonly log: number;
      /** Calls `hit` for every place held, in order. */
      each(hit: (rank: number, cell: number, age: number) => void): void;
    };

const EMPTY = Uint8Array.of(VERSION, SMALL, 0, 0, 0, 0, 0, 0);

export function encodeEmpty(): Uint8Array {
  return EMPTY.slice();
}

export function encodeSmall(small: Small, stamps: Stamps, set: number): Uint8Array {
  // Hash and age in one number each: sorts without a comparison function. 40 bits are exact.
  const entries = new Float64Array(small.size(set));
  let size = 0;
  let youngest = AGE_MAX;
  small.each(set, (hash, stamp) => {
    const age = stamps.age(stamp);
    youngest = Math.min(youngest, age);
    entries[size++] = hash * 256 + age;
  });
  entries.sort();
  const { bytes, view } = start(SMALL, size * 5, stamps.newest - youngest);
  view.setUint16(2, size, true);
  for (const [i, entry] of entries.entries()) {
    view.setUint32(PREAMBLE_BYTES + i * 4, Math.floor(entry / 256), true);
    bytes[PREAMBLE_BYTES + size * 4 + i] = (entry % 256) - youngest;
  }
  return bytes;
}

export function encodeLarge(pcsa: Pcsa, stamps: Stamps, set: number): Uint8Array {
  const log = pcsa.logCells(set);
  const hits = pcsa.hits(set);
  let youngest = AGE_MAX;
  let length = HITS_BYTES;
  for (const [rank, count] of hits.entries()) {
    length += isDense(count, log) ? 1 << log : count * 3;
    for (const stamp of pcsa.row(set, rank))
      if (stamp !== 0) youngest = Math.min(youngest, stamps.age(stamp));
  }
  const { bytes, view } = start(LARGE, length, stamps.newest - youngest);
  bytes[2] = log;
  let at = PREAMBLE_BYTES + HITS_BYTES;
  for (const [rank, count] of hits.entries()) {
    view.setUint16(PREAMBLE_BYTES + rank * 2, count, true);
    if (count === 0) continue;
    const dense = isDense(count, log);
    for (const [cell, stamp] of pcsa.row(set, rank).entries()) {
      const age = stamp === 0 ? -1 : stamps.age(stamp) - youngest;
      if (dense) bytes[at++] = age + 1;
      else if (stamp !== 0) {
        view.setUint16(at, cell, true);
        bytes[at + 2] = age;
        at += 3;
      }
    }
  }
  return bytes;
}

/** Throws a SetFormatError on anything that the encoders would not have written. */
export function decodeSet(bytes: Uint8Array): DecodedSet {
  if (bytes.length < PREAMBLE_BYTES) throw new SetFormatError("shorter than a preamble");
  if (bytes[0] !== VERSION) throw new SetFormatError("unknown version");
  if (bytes[1] === SMALL) return decodeSmall(bytes);
  if (bytes[1] === LARGE) return decodeLarge(bytes);
  throw new SetFormatError("unknown kind");
}

function decodeSmall(bytes: Uint8Array): DecodedSet {
  const view = viewOf(bytes);
  const size = view.getUint16(2, true);
  if (size > SMALL_MAX) throw new SetFormatError("too many entries");
  if (bytes.length !== PREAMBLE_BYTES + size * 5) throw new SetFormatError("wrong length");
  const hashes = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    hashes[i] = view.getUint32(PREAMBLE_BYTES + i * 4, true);
    if (i > 0 && hashes[i]! <= hashes[i - 1]!) throw new SetFormatError("hashes do not ascend");
  }
  const ages = bytes.slice(PREAMBLE_BYTES + size * 4);
  const slot = view.getUint32(4, true);
  if (size > 0) checkAges(slot, Math.min(...ages), Math.max(...ages));
  else if (slot !== 0) throw new SetFormatError("an empty set has no slot");
  return { kind: "small", slot, hashes, ages };
}

function decodeLarge(bytes: Uint8Array): DecodedSet {
  const view = viewOf(bytes);
  const log = bytes[2]!;
  if (log < LOG_CELLS_MIN || log > LOG_CELLS_MAX || bytes[3] !== 0)
    throw new SetFormatError("unknown number of cells");
  if (bytes.length < PREAMBLE_BYTES + HITS_BYTES) throw new SetFormatError("wrong length");
  const hits = new Uint16Array(RANKS);
  let length = PREAMBLE_BYTES + HITS_BYTES;
  for (let rank = 0; rank < RANKS; rank++) {
    hits[rank] = view.getUint16(PREAMBLE_BYTES + rank * 2, true);
    if (hits[rank]! > 1 << log) throw new SetFormatError("more hits than cells");
    length += isDense(hits[rank]!, log) ? 1 << log : hits[rank]! * 3;
  }
  if (bytes.length !== length) throw new SetFormatError("wrong length");
  const slot = view.getUint32(4, true);
  const each = (hit: (rank: number, cell: number, age: number) => void) => eachHit(bytes, log, hits, hit);
  let [youngest, oldest] = [AGE_MAX + 1, 0];
  each((_rank, _cell, age) => {
    youngest = Math.min(youngest, age);
    oldest = Math.max(oldest, age);
  });
  checkAges(slot, youngest, oldest);
  return { kind: "large", slot, log, each };
}

/** Goes through the hits of a large set and checks them on the way. */
function eachHit(
  bytes: Uint8Array,
  log: number,
  hits: Uint16Array,
  hit: (rank: number, cell: number, age: number) => void,
): void {
  let at = PREAMBLE_BYTES + HITS_BYTES;
  for (const [rank, count] of hits.entries()) {
    let seen = 0;
    if (isDense(count, log)) {
      for (let cell = 0; cell < 1 << log; cell++) {
        const age = bytes[at++]! - 1;
        if (age < 0) continue;
        hit(rank, cell, age);
        seen++;
      }
      if (seen !== count) throw new SetFormatError("hits do not add up");
      continue;
    }
    for (let last = -1; seen < count; seen++, at += 3) {
      const cell = bytes[at]! | (bytes[at + 1]! << 8);
      if (cell <= last || cell >= 1 << log) throw new SetFormatError("cells do not ascend");
      hit(rank, cell, bytes[at + 2]!);
      last = cell;
    }
  }
}

/** The newest entry has age 0, the oldest one a slot that exists. */
function checkAges(slot: number, youngest: number, oldest: number): void {
  if (youngest !== 0) throw new SetFormatError("the newest entry is not as old as the set");
  if (oldest > Math.min(slot, AGE_MAX)) throw new SetFormatError("an entry is too old");
}

function isDense(hits: number, log: number): boolean {
  return hits * 3 > 1 << log;
}

function start(kind: number, length: number, slot: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(PREAMBLE_BYTES + length);
  const view = viewOf(bytes);
  bytes[0] = VERSION;
  bytes[1] = kind;
  view.setUint32(4, slot, true);
  return { bytes, view };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
