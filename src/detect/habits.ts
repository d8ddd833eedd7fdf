/**
 * What a busy fingerprint usually does, beyond the hour that the windows hold: columns of numbers by slot, a slot for each
 * fingerprint that was ever busy enough to be tested (76 bytes of columns, and its name). Two views of it:
 *
 *   day    mean and mean square of a minute's requests, faded with a half-life of twelve hours: what is strange for the
 *          last hour but not for the day is no surge
 *   slow   level of ten-minute bins, with the site's own shape divided out, its scatter, and three sums of evidence for a
 *          lasting rise (`slow.ts`)
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";

const HALF_LIFE_MINUTES = 720;
const ALPHA_MIN = 1 - 2 ** (-1 / HALF_LIFE_MINUTES);
/** A day's view is believed from so many minutes on. */
const DAY_MIN_MINUTES = 120;
/** φ is taken this much higher: a day that was seen once tells little of its worst minute. */
const DAY_PHI_TIMES = 1.25;
/** What is learned of a minute is cut at the mean and so many standard deviations. */
const CLIP_SIGMAS = 6;
/** Fingerprints that are remembered, and what must be unseen before it is forgotten for another one. */
const SLOTS_MAX = 65_536;
const FIRST_SLOTS = 64;
/** So many anomalies of a day, faded, are a habit. */
const TOLD_HABIT = 2.4;
/** Minutes are kept from here on: single precision holds the next thirty years of them exactly. */
const BASE_MINUTE = 29_000_000;

/** Columns of a slot. */
export const COLUMNS = {
  dayMinutes: 0,
  dayMean: 1,
  daySquare: 2,
  seenMinute: 3,
  slowBins: 4,
  slowLevel: 5,
  slowPhi: 6,
  slowPhiWeight: 7,
  sum0: 8,
  sum1: 9,
  sum2: 10,
  sumSince: 11,
  sumRun: 12,
  sumTop: 13,
  slowMiss: 14,
  slowSquare: 15,
  slowCross: 16,
  told: 17,
  toldMinute: 18,
} as const;
const COLUMN_COUNT = 19;
const LAYOUT = layoutOf("habits", ...Object.keys(COLUMNS), COLUMN_COUNT);

/** Requests a minute: negative binomial with this mean and size. */
export interface DayView {
  mean: number;
  r: number;
}

export class Habits {
  #slots = new Map<string, number>();
  #columns = new Float32Array(COLUMN_COUNT * FIRST_SLOTS);
  #free: number[] = [];

  get size(): number {
    return this.#slots.size;
  }

  slot(ja4: string): number | undefined {
    return this.#slots.get(ja4);
  }

  /** The slot of a fingerprint, made when there is none. `minute`: the one before it was first seen. */
  claim(ja4: string, minute: number): number {
    const known = this.#slots.get(ja4);
    if (known !== undefined) return known;
    if (this.#slots.size >= SLOTS_MAX) this.#forget(SLOTS_MAX / 8);
    const slot = this.#free.pop() ?? this.#slots.size;
    if ((slot + 1) * COLUMN_COUNT > this.#columns.length) this.#grow();
    this.#columns.fill(0, slot * COLUMN_COUNT, (slot + 1) * COLUMN_COUNT);
    this.#slots.set(ja4, slot);
    this.set(slot, COLUMNS.seenMinute, minute - BASE_MINUTE);
    return slot;
  }

  /**
   * An anomaly of its volume was told and is over. Twice a day may be two attacks; what comes the third time is what it does,
   * and its day learns it.
   */
  noteTold(slot: number, minute: number, reqs: number): void {
    const passed = Math.max(minute - BASE_MINUTE - this.get(slot, COLUMNS.toldMinute), 0);
    const told = this.get(slot, COLUMNS.told) * 2 ** (-passed / HALF_LIFE_MINUTES) + 1;
    this.set(slot, COLUMNS.told, told);
    this.set(slot, COLUMNS.toldMinute, minute - BASE_MINUTE);
    if (told >= TOLD_HABIT) this.#learn(slot, reqs);
  }

  get(slot: number, column: number): number {
    return this.#columns[slot * COLUMN_COUNT + column]!;
  }

  set(slot: number, column: number, value: number): void {
    this.#columns[slot * COLUMN_COUNT + column] = value;
  }

  entries(): IterableIterator<[string, number]> {
    return this.#slots.entries();
  }

  /** A minute's requests; minutes that were skipped since the last one held none. */
  learnMinute(slot: number, minute: number, reqs: number): void {
    const skipped = Math.max(minute - BASE_MINUTE - this.get(slot, COLUMNS.seenMinute) - 1, 0);
    this.set(slot, COLUMNS.seenMinute, minute - BASE_MINUTE);
    let n = this.get(slot, COLUMNS.dayMinutes);
    let mean = this.get(slot, COLUMNS.dayMean);
    let square = this.get(slot, COLUMNS.daySquare);
    if (skipped > 0 && n > 0) {
      // Zeros: while few minutes are known they dilute as in a plain mean, later they fade.
      const faded = n >= 1 / ALPHA_MIN ? (1 - ALPHA_MIN) ** skipped : n / (n + skipped);
      mean *= faded;
      square *= faded;
      n += skipped;
    }
    this.set(slot, COLUMNS.dayMinutes, n);
    this.set(slot, COLUMNS.dayMean, mean);
    this.set(slot, COLUMNS.daySquare, square);
    const sigma = Math.sqrt(Math.max(square - mean * mean, mean, 1));
    this.#learn(slot, n < DAY_MIN_MINUTES ? reqs : Math.min(reqs, mean + CLIP_SIGMAS * sigma));
  }

  #learn(slot: number, reqs: number): void {
    const n = this.get(slot, COLUMNS.dayMinutes) + 1;
    const mean = this.get(slot, COLUMNS.dayMean);
    const square = this.get(slot, COLUMNS.daySquare);
    const alpha = Math.max(1 / n, ALPHA_MIN);
    this.set(slot, COLUMNS.dayMinutes, n);
    this.set(slot, COLUMNS.dayMean, mean + alpha * (reqs - mean));
    this.set(slot, COLUMNS.daySquare, square + alpha * (reqs * reqs - square));
  }

  /** What a minute of the day holds; `undefined` before two hours are known. */
  day(slot: number): DayView | undefined {
    const n = this.get(slot, COLUMNS.dayMinutes);
    if (n < DAY_MIN_MINUTES) return undefined;
    const mean = Math.max(this.get(slot, COLUMNS.dayMean), 0.5 / Math.min(n, HALF_LIFE_MINUTES));
    const variance = Math.max(this.get(slot, COLUMNS.daySquare) - mean * mean, 0);
    const phi = Math.max((variance - mean) / (mean * mean), 0);
    return { mean, r: 1 / (DAY_PHI_TIMES * phi + 1 / Math.min(n, HALF_LIFE_MINUTES)) };
  }

  #grow(): void {
    const wider = new Float32Array(this.#columns.length * 2);
    wider.set(this.#columns);
    this.#columns = wider;
  }

  /** Those unseen for longest, many at once: one by one a flood of fingerprints would make us look for each. */
  #forget(count: number): void {
    const bySeen = [...this.#slots].sort(
      ([, a], [, b]) => this.get(a, COLUMNS.seenMinute) - this.get(b, COLUMNS.seenMinute),
    );
    for (const [ja4, slot] of bySeen.slice(0, count)) {
      this.#slots.delete(ja4);
      this.#free.push(slot);
    }
  }

  write(writer: ImageWriter): void {
    const names = [...this.#slots.keys()];
    const columns = new Float32Array(names.length * COLUMN_COUNT);
    let at = 0;
    for (const slot of this.#slots.values()) {
      columns.set(this.#columns.subarray(slot * COLUMN_COUNT, (slot + 1) * COLUMN_COUNT), at);
      at += COLUMN_COUNT;
    }
    writer.section(LAYOUT);
    writer.u32(names.length);
    writer.bytes(new TextEncoder().encode(names.join("\n")));
    writer.words(new Uint32Array(columns.buffer));
  }

  static read(reader: ImageReader): Habits {
    const habits = new Habits();
    reader.section(LAYOUT);
    const count = reader.u32();
    if (count > SLOTS_MAX) throw new ImageError("malformed");
    const text = new TextDecoder().decode(reader.bytes());
    const names = count === 0 ? [] : text.split("\n");
    const words = reader.words();
    if (names.length !== count || words.length !== count * COLUMN_COUNT) throw new ImageError("malformed");
    habits.#columns = new Float32Array(Math.max(count, FIRST_SLOTS) * COLUMN_COUNT);
    new Uint32Array(habits.#columns.buffer).set(words);
    for (const [slot, name] of names.entries()) habits.#slots.set(name, slot);
    return habits;
  }
}
