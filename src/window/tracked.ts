/**
 * Fingerprints in full, as records under small indices:
 *
 *   hour      17 columns: the sums of the 1h window
 *   inbox     4 × lanes: what came in the newest four slots since the record was last settled
 *   slots     series of 5 s: the 1m and 5m windows
 *   minutes   series of minutes: the hour, and the past that detectors learn from
 *   sets      one handle an identity: distinct counts
 *   owner     the fingerprint's id + 1; NOBODY for sums over many
 *
 * Counting an observation touches the inbox alone (one record, one cache line or two); `settle` carries the inboxes over
 * into the series and the hour, once a slot or before a reading instead of once an observation.
 */
import { FRAME_ROWS_MAX } from "../config.ts";
import { Arena } from "../sketch/arena.ts";
import { Distincts } from "../sketch/distincts.ts";
import { hashOf, IDENTITY_FLAGS, NEW_COLUMNS, SHOWS_NEW } from "./identities.ts";
import { Records } from "./records.ts";
import { SeriesStore } from "./series.ts";
import {
  addLanes,
  addTally,
  countLanes,
  LANE_MAX,
  LANE_WORDS,
  REQS,
  subtractTally,
  TALLY_WIDTH,
  type Tally,
} from "./tally.ts";
import { SLOTS_A_MINUTE, stampOf } from "./time.ts";

/** Newest slots that have an inbox: edges send what they collected over the last ten seconds. */
const INBOXES = 4;
const HOUR = 0;
const INBOX = TALLY_WIDTH;
const SLOTS = INBOX + INBOXES * LANE_WORDS;
const MINUTES = SLOTS + 1;
const SETS = MINUTES + 1;
const OWNER = SETS + IDENTITY_FLAGS.length;
const STRIDE = OWNER + 1;
/** Owner of a record that belongs to no single fingerprint. */
export const NOBODY = 0xfffffffe;
/** A distinct count with fewer cells (4 % standard error) is not worth its fingerprint's place. */
const CELLS_MIN = 256;
/** A series of slots holds 61 at most; past that its oldest rows are out of every window. */
const SLOT_ROWS_MAX = 62;

/** Columns of a frame. */
export interface ObservedColumns {
  flags: Uint32Array;
  /** In the order of IDENTITIES. */
  columns: readonly Uint32Array[];
}

export class Tracked {
  readonly sets = new Distincts();
  readonly #arena = new Arena();
  readonly series = new SeriesStore(this.#arena);
  readonly #records = new Records(STRIDE, 8);
  /** Slot of each inbox, and who has something in it. */
  readonly #inboxSlot = new Int32Array(INBOXES).fill(-1);
  readonly #touched = Array.from({ length: INBOXES }, () => new Uint32Array(16));
  readonly #touchedCount = new Uint32Array(INBOXES);
  /** Flags of the observations at hand, with what they show for the first time. */
  readonly #shown = new Uint32Array(FRAME_ROWS_MAX);
  readonly #lanes = new Uint32Array(LANE_WORDS);
  readonly #gone: Tally = new Uint32Array(TALLY_WIDTH);
  #firstSlot = 0;

  get size(): number {
    return this.#records.size;
  }

  get byteLength(): number {
    let bytes = this.#records.byteLength;
    for (const list of this.#touched) bytes += list.byteLength;
    return bytes;
  }

  /** Bytes reserved for series. */
  get seriesBytes(): number {
    return this.#arena.byteLength;
  }

  /** Bytes of live series and sets. */
  get usedBytes(): number {
    return this.#arena.usedBytes + this.sets.usedBytes;
  }

  /** A new record of the fingerprint `owner`, or of NOBODY. */
  add(owner: number): number {
    const index = this.#records.alloc();
    this.#records.page(index)[this.#records.at(index) + OWNER] = owner + 1;
    return index;
  }

  /** The fingerprint of a record, NOBODY, or −1 when the index is not in use. */
  owner(index: number): number {
    return this.#records.page(index)[this.#records.at(index) + OWNER]! - 1;
  }

  /** One more than the highest index ever in use. */
  get end(): number {
    return this.#records.end;
  }

  /** Frees a record; nothing of it may be in an inbox (`settle` first). */
  remove(index: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    this.series.release(page[at + SLOTS]!);
    this.series.release(page[at + MINUTES]!);
    for (let identity = 0; identity < IDENTITY_FLAGS.length; identity++)
      this.sets.free(page[at + SETS + identity]!);
    this.#records.release(index);
  }

  /** Slots before this one are in neither 1m nor 5m. */
  advance(firstSlot: number): void {
    this.#firstSlot = firstSlot;
  }

  /** Counts one observation by its flags. */
  count(index: number, slot: number, flags: number): void {
    const box = slot & (INBOXES - 1);
    if (this.#inboxSlot[box] !== slot) {
      if (slot < this.#inboxSlot[box]!) {
        this.#countLate(index, slot, flags);
        return;
      }
      this.#settleBox(box);
      this.#inboxSlot[box] = slot;
    }
    const page = this.#records.page(index);
    const at = this.#records.at(index) + INBOX + box * LANE_WORDS;
    const reqs = page[at]! & LANE_MAX;
    if (reqs === 0) this.#touch(box, index);
    else if (reqs === LANE_MAX) this.#settleOne(box, index);
    countLanes(page, at, flags);
  }

  /**
   * Counts `rows` of a frame's columns, `count` of them: `indices` and `slots` lie beside. An identity at a time, since a
   * short loop over many sets lets the processor fetch the next ones while it waits for the first.
   */
  observe(
    frame: ObservedColumns,
    rows: Uint16Array,
    indices: Uint32Array,
    slots: Int32Array,
    count: number,
  ): void {
    const shown = this.#shown;
    for (let i = 0; i < count; i++) shown[i] = frame.flags[rows[i]!]!;
    for (let identity = 0; identity < IDENTITY_FLAGS.length; identity++)
      this.#observe(identity, frame.columns[identity]!, rows, indices, slots, count);
    for (let i = 0; i < count; i++) this.count(indices[i]!, slots[i]!, shown[i]!);
  }

  #observe(
    identity: number,
    column: Uint32Array,
    rows: Uint16Array,
    indices: Uint32Array,
    slots: Int32Array,
    count: number,
  ): void {
    const { sets } = this;
    const shown = this.#shown;
    const flag = IDENTITY_FLAGS[identity]!;
    const showsNew = SHOWS_NEW[identity]!;
    for (let i = 0; i < count; i++) {
      if ((shown[i]! & flag) === 0) continue;
      const index = indices[i]!;
      const page = this.#records.page(index);
      const at = this.#records.at(index) + SETS + identity;
      page[at] = sets.add(page[at]!, hashOf(identity, column[rows[i]!]!), stampOf(slots[i]!));
      if (sets.fresh === 0 || showsNew === 0) continue;
      if (sets.fresh === 1) shown[i]! |= showsNew;
      else this.addColumn(index, slots[i]!, NEW_COLUMNS[identity]!, sets.fresh);
    }
  }

  /** Takes note of an identity; answers how many it stands for that the hour had not seen (mostly 0 or 1). */
  see(index: number, identity: number, value: number, stamp: number): number {
    const page = this.#records.page(index);
    const at = this.#records.at(index) + SETS + identity;
    page[at] = this.sets.add(page[at]!, hashOf(identity, value), stamp);
    return this.sets.fresh;
  }

  /** Adds to a single column. */
  addColumn(index: number, slot: number, column: number, count: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    if (slot >= this.#firstSlot)
      page[at + SLOTS] = this.series.addColumn(page[at + SLOTS]!, slot, column, count);
    const minute = Math.floor(slot / SLOTS_A_MINUTE);
    page[at + MINUTES] = this.series.addColumn(page[at + MINUTES]!, minute, column, count);
    page[at + HOUR + column]! += count;
  }

  /** Carries all inboxes over; every reading begins with it. */
  settle(): void {
    for (let box = 0; box < INBOXES; box++) if (this.#touchedCount[box] !== 0) this.#settleBox(box);
  }

  /** Counts of another record become this one's too; sets are not part of that. */
  absorb(index: number, other: number): void {
    const [page, from] = [this.#records.page(index), this.#records.page(other)];
    const [at, fromAt] = [this.#records.at(index), this.#records.at(other)];
    page[at + SLOTS] = this.series.merge(page[at + SLOTS]!, from[fromAt + SLOTS]!);
    page[at + MINUTES] = this.series.merge(page[at + MINUTES]!, from[fromAt + MINUTES]!);
    addTally(page, at + HOUR, from, fromAt + HOUR);
  }

  /** Drops what left the hour: minutes before `firstMinute`, identities last seen before `firstStamp`. */
  expire(index: number, firstMinute: number, firstStamp: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    this.#gone.fill(0);
    page[at + SLOTS] = this.series.trim(page[at + SLOTS]!, this.#firstSlot, this.#gone);
    this.#gone.fill(0);
    page[at + MINUTES] = this.series.trim(page[at + MINUTES]!, firstMinute, this.#gone);
    subtractTally(page, at + HOUR, this.#gone, 0);
    for (let identity = 0; identity < IDENTITY_FLAGS.length; identity++) {
      const set = page[at + SETS + identity]!;
      if (set !== 0) page[at + SETS + identity] = this.sets.expire(set, firstStamp);
    }
  }

  /** Sums of the 1h window; a view that is valid until the next change. */
  hour(index: number): Tally {
    const at = this.#records.at(index) + HOUR;
    return this.#records.page(index).subarray(at, at + TALLY_WIDTH);
  }

  hourReqs(index: number): number {
    return this.#records.page(index)[this.#records.at(index) + HOUR + REQS]!;
  }

  slots(index: number): number {
    return this.#records.page(index)[this.#records.at(index) + SLOTS]!;
  }

  minutes(index: number): number {
    return this.#records.page(index)[this.#records.at(index) + MINUTES]!;
  }

  set(index: number, identity: number): number {
    return this.#records.page(index)[this.#records.at(index) + SETS + identity]!;
  }

  /** Halves the cells of the record's large sets, not below CELLS_MIN; false when there is nothing left to halve. */
  fold(index: number): boolean {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    let folded = false;
    for (let set = at + SETS; set < at + SETS + IDENTITY_FLAGS.length; set++) {
      if (this.sets.cellsOf(page[set]!) <= CELLS_MIN) continue;
      page[set] = this.sets.fold(page[set]!);
      folded = true;
    }
    return folded;
  }

  /** Packs series and sets together where half of what they reserve is free. */
  compact(): void {
    if (this.#arena.usedBytes * 2 < this.#arena.byteLength) {
      this.#arena.compact((move) => {
        for (const index of this.#indices()) {
          const page = this.#records.page(index);
          const at = this.#records.at(index);
          page[at + SLOTS] = this.series.move(page[at + SLOTS]!, move);
          page[at + MINUTES] = this.series.move(page[at + MINUTES]!, move);
        }
      });
    }
    if (this.sets.usedBytes * 2 >= this.sets.byteLength) return;
    this.sets.compact((move) => {
      for (const index of this.#indices()) {
        const page = this.#records.page(index);
        const at = this.#records.at(index) + SETS;
        for (let set = at; set < at + IDENTITY_FLAGS.length; set++)
          if (page[set] !== 0) page[set] = move(page[set]!);
      }
    });
  }

  *#indices(): Generator<number> {
    for (let index = 0; index < this.#records.end; index++) if (this.owner(index) >= 0) yield index;
  }

  #touch(box: number, index: number): void {
    let list = this.#touched[box]!;
    const count = this.#touchedCount[box]!;
    if (count === list.length) {
      list = new Uint32Array(count * 2);
      list.set(this.#touched[box]!);
      this.#touched[box] = list;
    }
    list[count] = index;
    this.#touchedCount[box] = count + 1;
  }

  #settleBox(box: number): void {
    const list = this.#touched[box]!;
    const count = this.#touchedCount[box]!;
    for (let i = 0; i < count; i++) this.#settleOne(box, list[i]!);
    this.#touchedCount[box] = 0;
  }

  #settleOne(box: number, index: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index) + INBOX + box * LANE_WORDS;
    this.#addLanes(index, this.#inboxSlot[box]!, page, at);
    page.fill(0, at, at + LANE_WORDS);
  }

  /** An observation older than the newest slots goes straight where it belongs. */
  #countLate(index: number, slot: number, flags: number): void {
    this.#lanes.fill(0);
    countLanes(this.#lanes, 0, flags);
    this.#addLanes(index, slot, this.#lanes, 0);
  }

  #addLanes(index: number, slot: number, lanes: Uint32Array, lanesAt: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    if (slot >= this.#firstSlot) {
      let slots = page[at + SLOTS]!;
      if (this.series.rows(slots) >= SLOT_ROWS_MAX)
        slots = this.series.trim(slots, this.#firstSlot, this.#gone);
      page[at + SLOTS] = this.series.addLanes(slots, slot, lanes, lanesAt);
    }
    const minute = Math.floor(slot / SLOTS_A_MINUTE);
    page[at + MINUTES] = this.series.addLanes(page[at + MINUTES]!, minute, lanes, lanesAt);
    addLanes(page, at + HOUR, lanes, lanesAt);
  }
}
