/**
 * Requests kept as they came, for fingerprints that have only a few: a row holds all there is to know of one, and every
 * number of every window is a walk over at most ROWS_MAX of them. The rows of a fingerprint are linked, newest arrival
 * first; a chain is a handle, the index of its newest row + 1 (0 = empty).
 *
 *   word 0      next row + 1 (bits 0–21); 0 = the last; bot score (22–28); 0 = none
 *   word 1      flags (bits 0–11, 16–21), shows-new (12–14), slot modulo 1,024 (22–31)
 *   words 2–6   the identities, in the order of IDENTITIES
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { SLOT_MS } from "../config.ts";
import { FLAGS_MASK, SCORE_MASK, SCORE_SHIFT } from "../wire/flags.ts";
import { IDENTITY_FLAGS, SHOWS_NEW } from "./identities.ts";
import { Records } from "./records.ts";
import { countWide, type Tally } from "./tally.ts";

const IDENTITY_WORD = 2;
const STRIDE = IDENTITY_WORD + IDENTITY_FLAGS.length;
const NEXT_MASK = (1 << SCORE_SHIFT) - 1;
const SLOT_SHIFT = 22;
const SLOT_MASK = 0x3ff;
const FLAGS = (1 << SLOT_SHIFT) - 1;
if ((FLAGS_MASK & ~FLAGS) !== 0) throw new Error("rows: a flag lies where the slot is");

const LAYOUT = layoutOf(
  "rows",
  IDENTITY_WORD,
  SLOT_SHIFT,
  SCORE_MASK,
  FLAGS_MASK,
  ...IDENTITY_FLAGS,
  ...SHOWS_NEW,
  SLOT_MS,
);

/** Rows of a chain at most: requests of the hour that a fingerprint has as rows. */
export const ROWS_MAX = 16;

export class Rows {
  readonly #records = new Records(STRIDE, 10);
  /** Different values of a chain's identities, ROWS_MAX places each, and how many. */
  readonly #values = new Uint32Array(IDENTITY_FLAGS.length * ROWS_MAX);
  readonly #counts = new Uint32Array(IDENTITY_FLAGS.length);
  /** The newest slot there is; every row's slot is within the 1,023 before it. */
  #slotNow = 0;

  get size(): number {
    return this.#records.size;
  }

  get byteLength(): number {
    return this.#records.byteLength;
  }

  /** Moves the clock. What would become older than 1,023 slots must have been expired before. */
  advance(slotNow: number): void {
    this.#slotNow = slotNow;
  }

  /** Puts a request in front of a chain. Answers the new handle; what it shows for the first time is worked out here. */
  push(
    chain: number,
    slot: number,
    flags: number,
    identities: readonly Uint32Array[],
    source: number,
  ): number {
    const row = this.#records.alloc();
    const page = this.#records.page(row);
    const at = this.#records.at(row);
    for (let identity = 0; identity < IDENTITY_FLAGS.length; identity++)
      page[at + IDENTITY_WORD + identity] = identities[identity]![source]!;
    page[at] = chain | (flags & SCORE_MASK);
    page[at + 1] =
      (flags & FLAGS) | this.#showsNew(chain, flags, page, at) | ((slot & SLOT_MASK) << SLOT_SHIFT);
    return row + 1;
  }

  next(chain: number): number {
    return this.#link(chain) & NEXT_MASK;
  }

  /** Bot score of a chain's newest row; 0 = none. */
  score(chain: number): number {
    return this.#link(chain) >>> SCORE_SHIFT;
  }

  slot(chain: number): number {
    return this.#slotNow - ((this.#slotNow - (this.#head(chain) >>> SLOT_SHIFT)) & SLOT_MASK);
  }

  /** Flags and shows-new bits of a chain's newest row. */
  flags(chain: number): number {
    return this.#head(chain) & FLAGS;
  }

  identity(chain: number, identity: number): number {
    return this.#records.page(chain - 1)[this.#records.at(chain - 1) + IDENTITY_WORD + identity]!;
  }

  /** Adds the rows of slots ≥ `from` and < `end` to a tally. */
  sum(chain: number, from: number, end: number, tally: Tally): void {
    for (let row = chain; row !== 0; row = this.next(row)) {
      const slot = this.slot(row);
      if (slot >= from && slot < end) countWide(tally, this.flags(row));
    }
  }

  /** Different values of an identity in slots ≥ `from`. */
  distinct(chain: number, identity: number, from: number): number {
    this.#gather(chain, identity, identity + 1, from);
    return this.#counts[identity]!;
  }

  /** Different values of each identity in all rows; a view that is valid until the next call. */
  distincts(chain: number): Uint32Array {
    this.#gather(chain, 0, IDENTITY_FLAGS.length, Number.NEGATIVE_INFINITY);
    return this.#counts;
  }

  /** Frees the rows of slots < `first`. Answers the handle of what is left; `left` says how many those are. */
  expire(chain: number, first: number): number {
    let kept = 0;
    this.left = 0;
    let last = 0;
    for (let row = chain; row !== 0; ) {
      const next = this.next(row);
      if (this.slot(row) < first) {
        this.#records.release(row - 1);
      } else {
        this.left++;
        if (last === 0) kept = row;
        else this.#setNext(last, row);
        last = row;
      }
      row = next;
    }
    if (last !== 0) this.#setNext(last, 0);
    return kept;
  }
  /** Rows that the last `expire` left. */
  left = 0;

  /** Frees a whole chain. */
  release(chain: number): void {
    for (let row = chain; row !== 0; ) {
      const next = this.next(row);
      this.#records.release(row - 1);
      row = next;
    }
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.int(this.#slotNow);
    this.#records.writeImage(writer);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#slotNow = reader.int();
    this.#records.readImage(reader);
  }

  /** Counts the values of identities `first` … `end` − 1. One walk over the rows: ranks want it of all, at every tick. */
  #gather(chain: number, first: number, end: number, from: number): void {
    const values = this.#values;
    const counts = this.#counts;
    counts.fill(0, first, end);
    for (let row = chain; row !== 0; ) {
      const page = this.#records.page(row - 1);
      const at = this.#records.at(row - 1);
      const flags = page[at + 1]!;
      const inTime = from === Number.NEGATIVE_INFINITY || this.slot(row) >= from;
      row = page[at]! & NEXT_MASK;
      for (let identity = first; inTime && identity < end; identity++) {
        if ((flags & IDENTITY_FLAGS[identity]!) === 0) continue;
        const value = page[at + IDENTITY_WORD + identity]!;
        let known = identity * ROWS_MAX;
        const unknown = known + counts[identity]!;
        while (known < unknown && values[known] !== value) known++;
        if (known < unknown) continue;
        values[unknown] = value;
        counts[identity]!++;
      }
    }
  }

  #head(chain: number): number {
    return this.#records.page(chain - 1)[this.#records.at(chain - 1) + 1]!;
  }

  #link(chain: number): number {
    return this.#records.page(chain - 1)[this.#records.at(chain - 1)]!;
  }

  #setNext(chain: number, next: number): void {
    this.#records.page(chain - 1)[this.#records.at(chain - 1)] = (this.#link(chain) & SCORE_MASK) | next;
  }

  #showsNew(chain: number, flags: number, page: Uint32Array, at: number): number {
    let shows = 0;
    for (let identity = 0; identity < SHOWS_NEW.length; identity++) {
      if (SHOWS_NEW[identity] === 0 || (flags & IDENTITY_FLAGS[identity]!) === 0) continue;
      if (!this.#isAmong(chain, identity, page[at + IDENTITY_WORD + identity]!, Number.NEGATIVE_INFINITY))
        shows |= SHOWS_NEW[identity]!;
    }
    return shows;
  }

  #isAmong(chain: number, identity: number, value: number, from: number): boolean {
    const flag = IDENTITY_FLAGS[identity]!;
    for (let row = chain; row !== 0; row = this.next(row)) {
      if ((this.flags(row) & flag) === 0 || this.identity(row, identity) !== value) continue;
      if (this.slot(row) >= from) return true;
    }
    return false;
  }
}
