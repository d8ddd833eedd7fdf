/**
 * What Cloudflare's Bot Management said of the hour's requests: how often each bot score came, and each detection id. Exact:
 * counts of every minute, by fingerprint and value, and their sums; the minute that leaves the hour is subtracted. Scores
 * of fingerprints that are held as rows lie in their rows (rows.ts) and come in here when those are kept in full.
 *
 *   key     fingerprint's id 20 · value 12 (from bit 31 down); a value is a score (1–99), or the place of a detection id
 *   tag     in `#minutes` the minute modulo 64, of which the hour has 62 at most; in `#hour` 0
 */
import { ImageError, type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { DETECTION_IDS_MAX, DETECTION_IDS_SHOWN_MAX, SCORES_MAX } from "../config.ts";
import { SCORE_MAX } from "../wire/flags.ts";
import type { FrameDetections } from "../wire/frame.ts";
import { CountTable } from "./count-table.ts";

const VALUE_BITS = 12;
const FIRST_DETECTION = SCORE_MAX + 1;
const MINUTE_BITS = 6;
const MINUTE_MASK = (1 << MINUTE_BITS) - 1;
/** Minutes that the hour touches at most. */
const MINUTES = 62;
if (FIRST_DETECTION + DETECTION_IDS_MAX > 1 << VALUE_BITS)
  throw new Error("scores: a detection id's place is no value");

const LAYOUT = layoutOf("scores", VALUE_BITS, FIRST_DETECTION, MINUTE_MASK);

/** Pairs of a value and how many requests had it. */
export type ValueCounts = [value: number, count: number][];

export class Scores {
  readonly #minutes = new CountTable(MINUTE_BITS);
  readonly #hour = new CountTable(0);
  /** Detection id by place, and the other way round. */
  readonly #ids: (number | undefined)[] = [];
  readonly #places = new Map<number, number>();
  /** Scores and detection ids that there was no room for. */
  lost = 0;

  get byteLength(): number {
    // An entry of a Map of two numbers takes about 40 bytes in V8.
    return this.#minutes.byteLength + this.#hour.byteLength + this.#places.size * 48;
  }

  /** Counts a request's score, 1–99. */
  addScore(id: number, minute: number, score: number): void {
    this.#add(id, minute, score);
  }

  /** Counts the detection ids of row `row` of a frame. */
  addDetections(id: number, minute: number, { start, ids }: FrameDetections, row: number): void {
    for (let i = start[row]!; i < start[row + 1]!; i++) {
      const place = this.#placeOf(ids[i]!);
      if (place < 0) this.lost++;
      else this.#add(id, minute, FIRST_DETECTION + place);
    }
  }

  /** Adds the hour's scores of a fingerprint to counts by score. */
  sumScores(id: number, counts: Uint32Array): void {
    if (this.#hour.size === 0) return;
    for (let score = 1; score <= SCORE_MAX; score++) counts[score]! += this.#hour.get(keyOf(id, score), 0);
  }

  /** Its detection ids of the hour, the most frequent first (of equals the smaller id), DETECTION_IDS_SHOWN_MAX at most. */
  detections(id: number): ValueCounts {
    const counts: ValueCounts = [];
    for (const [detection, place] of this.#places) {
      const count = this.#hour.get(keyOf(id, FIRST_DETECTION + place), 0);
      if (count > 0) counts.push([detection, count]);
    }
    return counts.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, DETECTION_IDS_SHOWN_MAX);
  }

  /** Forgets a fingerprint that leaves before its requests are old. */
  remove(id: number): void {
    if (this.#hour.size === 0) return;
    for (let value = 1; value < FIRST_DETECTION + this.#ids.length; value++) {
      const key = keyOf(id, value);
      const count = this.#hour.get(key, 0);
      if (count === 0) continue;
      this.#hour.subtract(key, 0, count);
      for (let tag = 0; tag <= MINUTE_MASK; tag++) {
        const inMinute = this.#minutes.get(key, tag);
        if (inMinute > 0) this.#minutes.subtract(key, tag, inMinute);
      }
    }
  }

  /** Drops the minutes before `firstMinute`; called at every minute's end while there is anything. */
  expire(firstMinute: number): void {
    if (this.#minutes.size === 0) return;
    this.#minutes.sweep((key, tag, count) => {
      if (((tag - firstMinute) & MINUTE_MASK) < MINUTES) return true;
      this.#hour.subtract(key, 0, count);
      return false;
    });
    const used = new Uint8Array(this.#ids.length);
    this.#hour.sweep((key) => {
      const value = key & ((1 << VALUE_BITS) - 1);
      if (value >= FIRST_DETECTION) used[value - FIRST_DETECTION] = 1;
      return true;
    });
    for (const [detection, place] of this.#places) {
      if (used[place] === 1) continue;
      this.#places.delete(detection);
      this.#ids[place] = undefined;
    }
    while (this.#ids.length > 0 && this.#ids.at(-1) === undefined) this.#ids.pop();
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.int(this.lost);
    this.#minutes.writeImage(writer);
    this.#hour.writeImage(writer);
    writer.u32(this.#places.size);
    for (const [detection, place] of this.#places) {
      writer.u32(detection);
      writer.u32(place);
    }
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.lost = reader.int();
    this.#minutes.readImage(reader);
    this.#hour.readImage(reader);
    for (let left = reader.u32(DETECTION_IDS_MAX); left > 0; left--) {
      const detection = reader.u32();
      const place = reader.u32(DETECTION_IDS_MAX - 1);
      while (this.#ids.length <= place) this.#ids.push(undefined);
      if (this.#ids[place] !== undefined || this.#places.has(detection)) throw new ImageError("malformed");
      this.#ids[place] = detection;
      this.#places.set(detection, place);
    }
  }

  #add(id: number, minute: number, value: number): void {
    const key = keyOf(id, value);
    // Every sum has a minute behind it: where the minute fits the sum does.
    if (this.#minutes.count(key, minute & MINUTE_MASK, SCORES_MAX)) this.#hour.count(key, 0, SCORES_MAX);
    else this.lost++;
  }

  /** Place of a detection id, given one if there is room; −1 otherwise. */
  #placeOf(detection: number): number {
    const known = this.#places.get(detection);
    if (known !== undefined) return known;
    if (this.#places.size >= DETECTION_IDS_MAX) return -1;
    const free = this.#ids.indexOf(undefined);
    const place = free < 0 ? this.#ids.length : free;
    this.#ids[place] = detection;
    this.#places.set(detection, place);
    return place;
  }
}

function keyOf(id: number, value: number): number {
  return ((id << VALUE_BITS) | value) >>> 0;
}
