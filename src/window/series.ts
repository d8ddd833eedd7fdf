/**
 * A series: the tallies of one fingerprint in the stretches (slots or minutes) in which it had requests, oldest first, as
 * one block of an arena.
 *
 *   header │ count 8 · capacity 8 · wide 1                                 (from bit 0 up)
 *   narrow rows of 5 words     lanes, and the stretch's number modulo 2²⁴ above the last lane
 *   wide rows of 18 words      17 columns, the stretch's number
 *
 * A block starts narrow and turns wide for good when a column of a row passes 255. A series is a handle (the block's
 * offset, 0 = empty); calls that may move it answer the new one. Merge = add rows of the same stretch.
 */
import { layoutOf } from "../base/image.ts";
import type { Arena, MoveBlock } from "../sketch/arena.ts";
import {
  addLanes,
  addTally,
  LANE_MAX,
  LANE_WORDS,
  overruns,
  REQS,
  TALLY_LAYOUT,
  TALLY_WIDTH,
  type Tally,
} from "./tally.ts";

const FIRST_CAPACITY = 2;
const COUNT = 0xff;
const WIDE = 1 << 16;
const WIDE_WORDS = TALLY_WIDTH + 1;
const TIME_MASK = 0xffffff;
const TIME_HALF = 0x800000;

/** Of an image's series. */
export const SERIES_LAYOUT = layoutOf("series", COUNT, WIDE, LANE_WORDS, LANE_MAX, TIME_MASK, TALLY_LAYOUT);

function strideOf(header: number): number {
  return (header & WIDE) === 0 ? LANE_WORDS : WIDE_WORDS;
}

function capacityOf(header: number): number {
  return (header >>> 8) & 0xff;
}

/** Series of one arena. */
export class SeriesStore {
  readonly #arena: Arena;
  /** Handle of the series that `#rowFor` looked at last, after what it had to move. */
  #series = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Adds lanes to a stretch's row. */
  addLanes(series: number, time: number, lanes: Uint32Array, at: number): number {
    let row = this.#rowFor(series, time);
    let words = this.#arena.words;
    if ((words[this.#series]! & WIDE) === 0 && this.#overruns(row, lanes, at)) {
      this.#widen(this.#series);
      row = this.#rowFor(this.#series, time);
      words = this.#arena.words;
    }
    if ((words[this.#series]! & WIDE) !== 0) addLanes(words, row, lanes, at);
    else for (let word = 0; word < LANE_WORDS; word++) words[row + word]! += lanes[at + word]!;
    return this.#series;
  }

  /** Adds `count` to one column of a stretch's row. */
  addColumn(series: number, time: number, column: number, count: number): number {
    let row = this.#rowFor(series, time);
    const header = this.#arena.words[this.#series]!;
    if ((header & WIDE) === 0) {
      const shift = (column & 3) * 8;
      const word = row + (column >>> 2);
      const held = (this.#arena.words[word]! >>> shift) & 255;
      if (held + count <= LANE_MAX) {
        this.#arena.words[word]! += count << shift;
        return this.#series;
      }
      this.#widen(this.#series);
      row = this.#rowFor(this.#series, time);
    }
    this.#arena.words[row + column]! += count;
    return this.#series;
  }

  /** Adds every row of `other` to the series. */
  merge(series: number, other: number): number {
    let into = series;
    for (let i = 0; i < this.rows(other); i++) {
      const words = this.#arena.words;
      const header = words[other]!;
      const from = other + 1 + i * strideOf(header);
      const time = this.#timeAt(other, i);
      if ((header & WIDE) === 0) {
        const lanes = words.slice(from, from + LANE_WORDS);
        lanes[LANE_WORDS - 1]! &= 0xff;
        into = this.addLanes(into, time, lanes, 0);
      } else {
        const columns = words.slice(from, from + TALLY_WIDTH);
        for (let column = 0; column < TALLY_WIDTH; column++)
          if (columns[column] !== 0) into = this.addColumn(into, time, column, columns[column]!);
      }
    }
    return into;
  }

  /** Adds the rows of stretches ≥ `from` to a tally. */
  sum(series: number, from: number, tally: Tally): void {
    for (let i = this.rows(series) - 1; i >= 0 && this.#isFrom(series, i, from); i--)
      this.#addRow(series, i, tally);
  }

  /** Requests in the stretches ≥ `from`. */
  sumReqs(series: number, from: number): number {
    if (series === 0) return 0;
    const words = this.#arena.words;
    const header = words[series]!;
    const stride = strideOf(header);
    const mask = (header & WIDE) === 0 ? 0xff : 0xffffffff;
    let reqs = 0;
    for (let i = (header & COUNT) - 1; i >= 0 && this.#isFrom(series, i, from); i--)
      reqs += (words[series + 1 + i * stride + REQS]! & mask) >>> 0;
    return reqs;
  }

  /** Adds the row of one stretch to a tally; false when there is none. */
  addRowTo(series: number, time: number, tally: Tally): boolean {
    const i = this.#find(series, time);
    if (i >= 0) this.#addRow(series, i, tally);
    return i >= 0;
  }

  /** Requests of one stretch, 0 when it has no row. */
  reqsOf(series: number, time: number): number {
    const i = this.#find(series, time);
    return i < 0 ? 0 : this.reqsAt(series, i);
  }

  /** Drops the rows of stretches < `first` and adds them to `gone`; 0 when none is left. */
  trim(series: number, first: number, gone: Tally): number {
    const rows = this.rows(series);
    let old = 0;
    while (old < rows && !this.#isFrom(series, old, first)) this.#addRow(series, old++, gone);
    if (old === 0) return series;
    if (old === rows) {
      this.release(series);
      return 0;
    }
    const words = this.#arena.words;
    const header = words[series]!;
    const stride = strideOf(header);
    words.copyWithin(series + 1, series + 1 + old * stride, series + 1 + rows * stride);
    words[series] = header - old;
    const capacity = capacityOf(header);
    return (rows - old) * 4 <= capacity ? this.#resize(series, capacity >>> 1) : series;
  }

  rows(series: number): number {
    return series === 0 ? 0 : this.#arena.words[series]! & COUNT;
  }

  /** Requests in the i-th row, and how many stretches ago it was. */
  reqsAt(series: number, i: number): number {
    const header = this.#arena.words[series]!;
    const reqs = this.#arena.words[series + 1 + i * strideOf(header) + REQS]!;
    return (header & WIDE) === 0 ? reqs & 0xff : reqs;
  }

  /** The i-th row's stretch, given one (`near`) that is less than 2²³ stretches away. */
  timeAt(series: number, i: number, near: number): number {
    const ahead = (this.#timeAt(series, i) - near) & TIME_MASK;
    return near + (ahead >= TIME_HALF ? ahead - TIME_MASK - 1 : ahead);
  }

  release(series: number): void {
    if (series !== 0) this.#arena.release(series, this.#wordsOf(series));
  }

  /** Its handle after a compaction of the arena (`Arena.compact`), within which this is called. */
  move(series: number, move: MoveBlock): number {
    return series === 0 ? 0 : move(series, this.#wordsOf(series));
  }

  #wordsOf(series: number): number {
    const header = this.#arena.words[series]!;
    return 1 + capacityOf(header) * strideOf(header);
  }

  #timeAt(series: number, i: number): number {
    const words = this.#arena.words;
    const header = words[series]!;
    return (header & WIDE) === 0
      ? words[series + 1 + i * LANE_WORDS + LANE_WORDS - 1]! >>> 8
      : words[series + 1 + i * WIDE_WORDS + TALLY_WIDTH]!;
  }

  #isFrom(series: number, i: number, from: number): boolean {
    return ((this.#timeAt(series, i) - from) & TIME_MASK) < TIME_HALF;
  }

  /** The row of a stretch; −1 when there is none. */
  #find(series: number, time: number): number {
    const rows = this.rows(series);
    if (rows === 0) return -1;
    const back = (this.#timeAt(series, rows - 1) - time) & TIME_MASK;
    if (back >= TIME_HALF) return -1;
    // No two rows are of one stretch, so of the rows after it there are at most as many as stretches: in a series without
    // gaps the first look finds it.
    for (let i = Math.max(rows - 1 - back, 0); i < rows; i++) {
      const ahead = (this.#timeAt(series, i) - time) & TIME_MASK;
      if (ahead === 0) return i;
      if (ahead < TIME_HALF) return -1;
    }
    return -1;
  }

  #addRow(series: number, i: number, tally: Tally): void {
    const words = this.#arena.words;
    const header = words[series]!;
    const row = series + 1 + i * strideOf(header);
    if ((header & WIDE) === 0) addLanes(tally, 0, words, row);
    else addTally(tally, 0, words, row);
  }

  #overruns(row: number, lanes: Uint32Array, at: number): boolean {
    const words = this.#arena.words;
    for (let word = 0; word < LANE_WORDS - 1; word++)
      if (overruns(words[row + word]!, lanes[at + word]!)) return true;
    return (words[row + LANE_WORDS - 1]! & 0xff) + lanes[at + LANE_WORDS - 1]! > LANE_MAX;
  }

  /** Offset of the row of a stretch, made when there is none. What came late is put in its place. */
  #rowFor(series: number, time: number): number {
    this.#series = series === 0 ? this.#make(FIRST_CAPACITY, 0) : series;
    const rows = this.rows(this.#series);
    let place = rows;
    while (place > 0) {
      const ahead = (this.#timeAt(this.#series, place - 1) - time) & TIME_MASK;
      if (ahead === 0) return this.#series + 1 + (place - 1) * strideOf(this.#arena.words[this.#series]!);
      if (ahead >= TIME_HALF) break;
      place--;
    }
    if (rows === capacityOf(this.#arena.words[this.#series]!))
      this.#series = this.#resize(this.#series, rows * 2);
    const words = this.#arena.words;
    const header = words[this.#series]!;
    const stride = strideOf(header);
    const row = this.#series + 1 + place * stride;
    words.copyWithin(row + stride, row, this.#series + 1 + rows * stride);
    words.fill(0, row, row + stride);
    if ((header & WIDE) === 0) words[row + LANE_WORDS - 1] = (time & TIME_MASK) << 8;
    else words[row + TALLY_WIDTH] = time & TIME_MASK;
    words[this.#series] = header + 1;
    return row;
  }

  #make(capacity: number, wide: number): number {
    const series = this.#arena.alloc(1 + capacity * strideOf(wide));
    this.#arena.words[series] = (capacity << 8) | wide;
    return series;
  }

  #resize(series: number, capacity: number): number {
    const header = this.#arena.words[series]!;
    const moved = this.#make(Math.min(capacity, COUNT), header & WIDE);
    const words = this.#arena.words;
    const rows = header & COUNT;
    words.copyWithin(moved + 1, series + 1, series + 1 + rows * strideOf(header));
    words[moved]! += rows;
    this.release(series);
    return moved;
  }

  #widen(series: number): void {
    const rows = this.rows(series);
    const moved = this.#make(capacityOf(this.#arena.words[series]!), WIDE);
    const words = this.#arena.words;
    for (let i = 0; i < rows; i++) {
      const row = moved + 1 + i * WIDE_WORDS;
      addLanes(words, row, words, series + 1 + i * LANE_WORDS);
      words[row + TALLY_WIDTH] = this.#timeAt(series, i);
    }
    words[moved]! += rows;
    this.release(series);
    this.#series = moved;
  }
}
