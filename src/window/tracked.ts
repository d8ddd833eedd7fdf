/**
 * Tallies of fingerprints in full, as records under small indices:
 *
 *   hour      17 columns: the sums of the 1h window
 *   inbox     4 × lanes: what came in the newest four slots since the record was last settled
 *   slots     series of 5 s: the 1m and 5m windows
 *   minutes   series of minutes: the hour, and the past that detectors learn from
 *
 * Counting an observation touches the inbox alone (one record, one cache line or two); `settle` carries the inboxes over
 * into the series and the hour, once a slot or before a reading instead of once an observation.
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { Arena } from "../sketch/arena.ts";
import { Records } from "./records.ts";
import { SERIES_LAYOUT, SeriesStore } from "./series.ts";
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
import { SLOTS_A_MINUTE } from "./time.ts";

/** Newest slots that have an inbox: edges send what they collected over the last ten seconds. */
const INBOXES = 4;
const HOUR = 0;
const INBOX = TALLY_WIDTH;
const SLOTS = INBOX + INBOXES * LANE_WORDS;
const MINUTES = SLOTS + 1;
const STRIDE = MINUTES + 1;
const PAGE_BITS = 8;
/** A series of slots holds 61 at most; past that its oldest rows are out of every window. */
const SLOT_ROWS_MAX = 62;
const LAYOUT = layoutOf(
  "tracked",
  SERIES_LAYOUT,
  INBOXES,
  INBOX,
  SLOTS,
  MINUTES,
  SLOT_ROWS_MAX,
  SLOTS_A_MINUTE,
);

export class Tracked {
  readonly #arena = new Arena();
  readonly series = new SeriesStore(this.#arena);
  readonly #records = new Records(STRIDE, PAGE_BITS);
  /** Slot of each inbox, and who has something in it. */
  readonly #inboxSlot = new Int32Array(INBOXES).fill(-1);
  readonly #touched = Array.from({ length: INBOXES }, () => new Uint32Array(16));
  readonly #touchedCount = new Uint32Array(INBOXES);
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

  /** Bytes of live series. */
  get usedSeriesBytes(): number {
    return this.#arena.usedBytes;
  }

  add(): number {
    return this.#records.alloc();
  }

  /** Frees a record; nothing of it may be in an inbox (`settle` first). */
  remove(index: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    this.series.release(page[at + SLOTS]!);
    this.series.release(page[at + MINUTES]!);
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

  /** Whether nothing waits in an inbox. */
  get isSettled(): boolean {
    for (let box = 0; box < INBOXES; box++) if (this.#touchedCount[box] !== 0) return false;
    return true;
  }

  /** Carries all inboxes over; every reading begins with it. */
  settle(): void {
    for (let box = 0; box < INBOXES; box++) if (this.#touchedCount[box] !== 0) this.#settleBox(box);
  }

  /** Counts of another record become this one's too. */
  absorb(index: number, other: number): void {
    const [page, from] = [this.#records.page(index), this.#records.page(other)];
    const [at, fromAt] = [this.#records.at(index), this.#records.at(other)];
    page[at + SLOTS] = this.series.merge(page[at + SLOTS]!, from[fromAt + SLOTS]!);
    page[at + MINUTES] = this.series.merge(page[at + MINUTES]!, from[fromAt + MINUTES]!);
    addTally(page, at + HOUR, from, fromAt + HOUR);
  }

  /** Drops the minutes before `firstMinute`. */
  expire(index: number, firstMinute: number): void {
    const page = this.#records.page(index);
    const at = this.#records.at(index);
    this.#gone.fill(0);
    page[at + SLOTS] = this.series.trim(page[at + SLOTS]!, this.#firstSlot, this.#gone);
    this.#gone.fill(0);
    page[at + MINUTES] = this.series.trim(page[at + MINUTES]!, firstMinute, this.#gone);
    subtractTally(page, at + HOUR, this.#gone, 0);
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

  /** Packs the series together when less than `share` of what they reserve is in use. */
  compact(share: number): void {
    if (this.#arena.usedBytes >= this.#arena.byteLength * share) return;
    this.#arena.compact((move) => {
      // A freed record has no series.
      for (let index = 0; index < this.#records.end; index++) {
        const page = this.#records.page(index);
        const at = this.#records.at(index);
        page[at + SLOTS] = this.series.move(page[at + SLOTS]!, move);
        page[at + MINUTES] = this.series.move(page[at + MINUTES]!, move);
      }
    });
  }

  /** Inboxes are written as they are: settling them here would make a shard with images differ from one without. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.int(this.#firstSlot);
    for (let box = 0; box < INBOXES; box++) {
      writer.int(this.#inboxSlot[box]!);
      writer.words(this.#touched[box]!.subarray(0, this.#touchedCount[box]!));
    }
    this.#records.writeImage(writer);
    this.#arena.writeImage(writer);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.#firstSlot = reader.int();
    for (let box = 0; box < INBOXES; box++) {
      this.#inboxSlot[box] = reader.int();
      const touched = reader.words();
      if (touched.length > this.#touched[box]!.length) this.#touched[box] = touched.slice();
      else this.#touched[box]!.set(touched);
      this.#touchedCount[box] = touched.length;
    }
    this.#records.readImage(reader);
    this.#arena.readImage(reader);
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
