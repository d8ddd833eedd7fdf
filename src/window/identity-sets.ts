/**
 * Distinct counts of fingerprints in full: one set an identity, under the index that the fingerprint's tallies have too.
 * Sets are handles of one `Distincts`; a fingerprint's five lie together.
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { FRAME_ROWS_MAX, STAMP_MS } from "../config.ts";
import { Distincts } from "../sketch/distincts.ts";
import { IDENTITIES as NAMES } from "../wire/frame.ts";
import { hashOf, IDENTITY_FLAGS, SHOWS_NEW } from "./identities.ts";
import { stampOf } from "./time.ts";

const IDENTITIES = IDENTITY_FLAGS.length;
/** A distinct count with fewer cells (4 % standard error) is not worth its fingerprint's place. */
const CELLS_MIN = 256;
const FIRST_INDICES = 16;
const GROWTH = 1.25;
const LAYOUT = layoutOf("identity-sets", ...NAMES, STAMP_MS);

/** Columns of a frame. */
export interface ObservedColumns {
  flags: Uint32Array;
  /** In the order of the wire's IDENTITIES. */
  columns: readonly Uint32Array[];
}

/** Which rows of a frame are of which fingerprints in full. */
export interface ObservedRows {
  count: number;
  readonly rows: Uint16Array;
  readonly indices: Uint32Array;
  readonly slots: Int32Array;
  /** Out: a row's flags with what it shows for the first time, by position. */
  readonly shown: Uint32Array;
}

export function observedRows(): ObservedRows {
  return {
    count: 0,
    rows: new Uint16Array(FRAME_ROWS_MAX),
    indices: new Uint32Array(FRAME_ROWS_MAX),
    slots: new Int32Array(FRAME_ROWS_MAX),
    shown: new Uint32Array(FRAME_ROWS_MAX),
  };
}

/** Told of identities that a row stands for beyond the first: large sets count novelty in lumps. */
export type OnLump = (index: number, slot: number, identity: number, fresh: number) => void;

export class IdentitySets {
  readonly #distincts = new Distincts();
  #handles = new Uint32Array(FIRST_INDICES * IDENTITIES);
  readonly #counts = new Uint32Array(IDENTITIES);

  /** Bytes reserved. */
  get byteLength(): number {
    return this.#distincts.byteLength + this.#handles.byteLength;
  }

  /** Bytes of live sets. */
  get usedBytes(): number {
    return this.#distincts.usedBytes;
  }

  /** Makes room for an index; it has no identities yet. */
  add(index: number): void {
    if ((index + 1) * IDENTITIES <= this.#handles.length) return;
    const grown = new Uint32Array(Math.ceil((index + 1) * GROWTH) * IDENTITIES);
    grown.set(this.#handles);
    this.#handles = grown;
  }

  remove(index: number): void {
    for (let at = index * IDENTITIES; at < (index + 1) * IDENTITIES; at++) {
      this.#distincts.free(this.#handles[at]!);
      this.#handles[at] = 0;
    }
  }

  /**
   * Takes note of the identities of many rows; one identity at a time, since a short loop over many sets lets the processor
   * fetch the next ones while it waits for the first.
   */
  observe({ flags, columns }: ObservedColumns, observed: ObservedRows, onLump: OnLump): void {
    const { count, rows, shown } = observed;
    for (let i = 0; i < count; i++) shown[i] = flags[rows[i]!]!;
    for (let identity = 0; identity < IDENTITIES; identity++)
      this.#observe(identity, columns[identity]!, observed, onLump);
  }

  /** Takes note of one identity; answers how many it stands for that the hour had not seen (mostly 0 or 1). */
  see(index: number, identity: number, value: number, stamp: number): number {
    const at = index * IDENTITIES + identity;
    this.#handles[at] = this.#distincts.add(this.#handles[at]!, hashOf(identity, value), stamp);
    return this.#distincts.fresh;
  }

  /** Identities last seen in the stamps from … to. */
  count(index: number, identity: number, from: number, to: number): number {
    return this.#distincts.count(this.#handles[index * IDENTITIES + identity]!, from, to);
  }

  /** Identities of the hour, right after `expire`. */
  countHour(index: number, identity: number): number {
    return this.#distincts.countAll(this.#handles[index * IDENTITIES + identity]!);
  }

  /** The same of every identity; a view that is valid until the next call. */
  countsHour(index: number): Uint32Array {
    for (let identity = 0; identity < IDENTITIES; identity++)
      this.#counts[identity] = this.countHour(index, identity);
    return this.#counts;
  }

  /** Forgets identities last seen before `firstStamp`. */
  expire(index: number, firstStamp: number): void {
    for (let at = index * IDENTITIES; at < (index + 1) * IDENTITIES; at++)
      this.#handles[at] = this.#distincts.expire(this.#handles[at]!, firstStamp);
  }

  /** Whether a fingerprint has a set that `fold` would make coarser. */
  canFold(index: number): boolean {
    for (let at = index * IDENTITIES; at < (index + 1) * IDENTITIES; at++)
      if (this.#distincts.cellsOf(this.#handles[at]!) > CELLS_MIN) return true;
    return false;
  }

  /** Halves the cells of a fingerprint's large sets, not below CELLS_MIN. */
  fold(index: number): void {
    for (let at = index * IDENTITIES; at < (index + 1) * IDENTITIES; at++)
      if (this.#distincts.cellsOf(this.#handles[at]!) > CELLS_MIN)
        this.#handles[at] = this.#distincts.fold(this.#handles[at]!);
  }

  /** Packs the sets together when less than `share` of what they reserve is in use. */
  compact(share: number): void {
    if (this.#distincts.usedBytes >= this.#distincts.byteLength * share) return;
    this.#distincts.compact((move) => {
      for (let at = 0; at < this.#handles.length; at++) this.#handles[at] = move(this.#handles[at]!);
    });
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.words(this.#handles);
    this.#distincts.writeImage(writer);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#handles = reader.words().slice();
    this.#distincts.readImage(reader);
  }

  #observe(identity: number, column: Uint32Array, observed: ObservedRows, onLump: OnLump): void {
    const { count, rows, indices, slots, shown } = observed;
    const handles = this.#handles;
    const distincts = this.#distincts;
    const flag = IDENTITY_FLAGS[identity]!;
    const showsNew = SHOWS_NEW[identity]!;
    // Rows come fingerprint by fingerprint: what the row before showed at the same time needs no look-up.
    let before = -1;
    let valueBefore = 0;
    let slotBefore = -1;
    for (let i = 0; i < count; i++) {
      if ((shown[i]! & flag) === 0) continue;
      const at = indices[i]! * IDENTITIES + identity;
      const value = column[rows[i]!]!;
      const slot = slots[i]!;
      if (at === before && value === valueBefore && slot === slotBefore) continue;
      before = at;
      valueBefore = value;
      slotBefore = slot;
      handles[at] = distincts.add(handles[at]!, hashOf(identity, value), stampOf(slot));
      if (distincts.fresh === 0 || showsNew === 0) continue;
      if (distincts.fresh === 1) shown[i]! |= showsNew;
      else onLump(indices[i]!, slot, identity, distincts.fresh);
    }
  }
}
