/**
 * Everything a shard holds of its fingerprints, behind their ids: few requests as rows, many in full. A fingerprint starts
 * with rows and is promoted when it has more than ROWS_MAX of them in the hour; what either form answers is the same.
 */
import type { ImageReader, ImageWriter } from "../base/image.ts";
import { SCORE_MASK, SCORE_MAX, SCORE_SHIFT } from "../wire/flags.ts";
import type { FrameDetections } from "../wire/frame.ts";
import { EVERYTHING, FIRST_ID, Fingerprints, OVERFLOW, WITHOUT_JA4 } from "./fingerprints.ts";
import { IDENTITY_FLAGS, NEW_COLUMNS } from "./identities.ts";
import { IdentitySets, type ObservedColumns, type ObservedRows } from "./identity-sets.ts";
import { ROWS_MAX, Rows } from "./rows.ts";
import { Scores, type ValueCounts } from "./scores.ts";
import { SignalTable } from "./signals.ts";
import { addTally, type Tally } from "./tally.ts";
import { SLOTS_A_MINUTE, SLOTS_A_STAMP, stampOf } from "./time.ts";
import { Tracked } from "./tracked.ts";

/** Fingerprints that grow together leave their smaller blocks free. Packing 12 MiB costs milliseconds, once a minute. */
const PACKED_SHARE = 0.9;
/** Of one fingerprint, over the hour. */
export interface BotScores {
  /** By score, ascending. */
  histogram: ValueCounts;
  /** The most frequent detection ids first. */
  detections: ValueCounts;
}

export class Store {
  readonly fingerprints: Fingerprints;
  readonly rows = new Rows();
  readonly tracked = new Tracked();
  readonly sets = new IdentitySets();
  readonly signals = new SignalTable();
  readonly scores = new Scores();

  /** `seed`: 32 bits that clients do not know. */
  constructor(seed: number) {
    this.fingerprints = new Fingerprints(seed);
    for (const id of [WITHOUT_JA4, OVERFLOW, EVERYTHING]) this.fingerprints.setInFull(id, this.addInFull());
  }

  /** Keeps row `source` of a frame's columns for a fingerprint; false when that must be kept in full (now). */
  hold(id: number, slot: number, frame: ObservedColumns, source: number): boolean {
    const { fingerprints } = this;
    const flags = frame.flags[source]!;
    const held = fingerprints.isInFull(id) ? ROWS_MAX : fingerprints.rows(id);
    if (held === ROWS_MAX) {
      if (!fingerprints.isInFull(id)) this.#promote(id);
      if ((flags & SCORE_MASK) !== 0) this.#countScore(id, slot, (flags & SCORE_MASK) >>> SCORE_SHIFT);
      return false;
    }
    const chain = this.rows.push(fingerprints.link(id), slot, flags, frame.columns, source);
    fingerprints.setRows(id, chain, held + 1);
    return true;
  }

  /** Counts the detection ids of row `row` of a frame. */
  addDetections(id: number, slot: number, detections: FrameDetections, row: number): void {
    this.scores.addDetections(id, Math.floor(slot / SLOTS_A_MINUTE), detections, row);
  }

  /** All of it as it is. What it changes is nothing, inboxes included. */
  writeImage(writer: ImageWriter): void {
    for (const part of this.#parts()) part.writeImage(writer);
  }

  /** Makes an image of a store with the same seed this one; throws an ImageError. */
  readImage(reader: ImageReader): void {
    for (const part of this.#parts()) part.readImage(reader);
  }

  /** Bytes by part; what is reserved counts, not only what is in use. */
  memory(): Record<string, number> {
    const { fingerprints, rows, scores, sets, signals, tracked } = this;
    return {
      fingerprints: fingerprints.byteLength,
      index: fingerprints.indexByteLength,
      rows: rows.byteLength,
      tracked: tracked.byteLength,
      series: tracked.seriesBytes,
      sets: sets.byteLength,
      signals: signals.byteLength,
      scores: scores.byteLength,
    };
  }

  /** Bytes of live series and sets. */
  get usedBytes(): number {
    return this.tracked.usedSeriesBytes + this.sets.usedBytes;
  }

  /** Packs series and sets together where much of what they reserve is free. */
  compact(): void {
    this.tracked.compact(PACKED_SHARE);
    this.sets.compact(PACKED_SHARE);
  }

  /** Counts rows of fingerprints in full. */
  observe(columns: ObservedColumns, observed: ObservedRows): void {
    this.sets.observe(columns, observed, this.#onLump);
    const { count, indices, slots, shown } = observed;
    for (let i = 0; i < count; i++) this.tracked.count(indices[i]!, slots[i]!, shown[i]!);
  }

  /** An index for tallies and sets, of a fingerprint or of sums over many. */
  addInFull(): number {
    const index = this.tracked.add();
    this.sets.add(index);
    return index;
  }

  removeInFull(index: number): void {
    this.tracked.remove(index);
    this.sets.remove(index);
  }

  /** Drops what of an index left the hour. */
  expireInFull(index: number, firstMinute: number, firstStamp: number): void {
    this.tracked.expire(index, firstMinute);
    this.sets.expire(index, firstStamp);
  }

  /** Forgets a fingerprint. Inboxes must be settled. */
  remove(id: number): void {
    const { fingerprints } = this;
    if (fingerprints.isInFull(id)) this.removeInFull(fingerprints.link(id));
    else this.rows.release(fingerprints.link(id));
    this.signals.remove(id);
    fingerprints.remove(id);
  }

  /** Drops what left the hour; true when nothing of the fingerprint is left. */
  expire(id: number, firstMinute: number, firstStamp: number): boolean {
    const { fingerprints } = this;
    if (fingerprints.isInFull(id)) {
      const index = fingerprints.link(id);
      this.expireInFull(index, firstMinute, firstStamp);
      return id >= FIRST_ID && this.tracked.hourReqs(index) === 0;
    }
    const chain = this.rows.expire(fingerprints.link(id), firstMinute * SLOTS_A_MINUTE);
    fingerprints.setRows(id, chain, Math.max(this.rows.left, 1));
    return this.rows.left === 0;
  }

  /** How often each bot score (1–99) and detection id came in the hour, right after `expire`. */
  botScores(id: number): BotScores {
    const { fingerprints, rows, scores } = this;
    const counts = new Uint32Array(SCORE_MAX + 1);
    if (fingerprints.isInFull(id)) scores.sumScores(id, counts);
    else for (let row = fingerprints.link(id); row !== 0; row = rows.next(row)) counts[rows.score(row)]!++;
    const histogram: ValueCounts = [];
    for (let score = 1; score <= SCORE_MAX; score++)
      if (counts[score] !== 0) histogram.push([score, counts[score]!]);
    return { histogram, detections: scores.detections(id) };
  }

  /** Requests of the hour. Inboxes must be settled. */
  hourReqs(id: number): number {
    const { fingerprints } = this;
    return fingerprints.isInFull(id) ? this.tracked.hourReqs(fingerprints.link(id)) : fingerprints.rows(id);
  }

  /** Adds the hour to a tally. */
  sumHour(id: number, tally: Tally): void {
    const { fingerprints } = this;
    if (fingerprints.isInFull(id)) addTally(tally, 0, this.tracked.hour(fingerprints.link(id)), 0);
    else this.rows.sum(fingerprints.link(id), 0, Number.POSITIVE_INFINITY, tally);
  }

  /** Adds the slots ≥ `from` to a tally; `from` may lie five minutes back. */
  sumSlots(id: number, from: number, tally: Tally): void {
    const { fingerprints, tracked } = this;
    if (fingerprints.isInFull(id)) tracked.series.sum(tracked.slots(fingerprints.link(id)), from, tally);
    else this.rows.sum(fingerprints.link(id), from, Number.POSITIVE_INFINITY, tally);
  }

  /** Requests in the slots ≥ `from`. */
  reqsSince(id: number, from: number): number {
    const { fingerprints, rows, tracked } = this;
    if (fingerprints.isInFull(id)) return tracked.series.sumReqs(tracked.slots(fingerprints.link(id)), from);
    let reqs = 0;
    for (let row = fingerprints.link(id); row !== 0; row = rows.next(row)) if (rows.slot(row) >= from) reqs++;
    return reqs;
  }

  /** Adds one minute to a tally. */
  sumMinute(id: number, minute: number, tally: Tally): void {
    const { fingerprints, tracked } = this;
    if (fingerprints.isInFull(id)) {
      tracked.series.addRowTo(tracked.minutes(fingerprints.link(id)), minute, tally);
    } else {
      const from = minute * SLOTS_A_MINUTE;
      this.rows.sum(fingerprints.link(id), from, from + SLOTS_A_MINUTE, tally);
    }
  }

  /** Whether it was not seen after a time: most of an hour are not there in its last minutes, and need no look at what they did. */
  isGoneBy(id: number, ms: number): boolean {
    return id >= FIRST_ID && this.fingerprints.lastSeenMs(id) <= ms;
  }

  /** Requests of one minute. Inboxes must be settled. */
  minuteReqs(id: number, minute: number): number {
    const { fingerprints, rows, tracked } = this;
    if (fingerprints.isInFull(id))
      return tracked.series.reqsOf(tracked.minutes(fingerprints.link(id)), minute);
    const from = minute * SLOTS_A_MINUTE;
    let reqs = 0;
    for (let row = fingerprints.link(id); row !== 0; row = rows.next(row))
      if (rows.slot(row) >= from && rows.slot(row) < from + SLOTS_A_MINUTE) reqs++;
    return reqs;
  }

  /** Different identities in the slots from … now. */
  distinct(id: number, identity: number, from: number, now: number): number {
    const { fingerprints } = this;
    // Both forms go back to the stamp's edge, so that a promotion, or a restart that undoes one, changes no number.
    const stamp = stampOf(from);
    if (!fingerprints.isInFull(id))
      return this.rows.distinct(fingerprints.link(id), identity, stamp * SLOTS_A_STAMP);
    return this.sets.count(fingerprints.link(id), identity, stamp, stampOf(now));
  }

  /** Different identities of the hour, right after `expire`. */
  distinctHour(id: number, identity: number): number {
    const { fingerprints } = this;
    if (!fingerprints.isInFull(id)) return this.rows.distinct(fingerprints.link(id), identity, 0);
    return this.sets.countHour(fingerprints.link(id), identity);
  }

  /** The same of every identity; it may be a view that is valid until the next call. */
  distinctsHour(id: number): ArrayLike<number> {
    const { fingerprints } = this;
    const link = fingerprints.link(id);
    return fingerprints.isInFull(id) ? this.sets.countsHour(link) : this.rows.distincts(link);
  }

  #parts() {
    return [this.fingerprints, this.rows, this.tracked, this.sets, this.signals, this.scores];
  }

  #countScore(id: number, slot: number, score: number): void {
    this.scores.addScore(id, Math.floor(slot / SLOTS_A_MINUTE), score);
  }

  #promote(id: number): void {
    const { fingerprints, rows, tracked } = this;
    const index = this.addInFull();
    const chain = fingerprints.link(id);
    for (let row = chain; row !== 0; row = rows.next(row)) {
      const flags = rows.flags(row);
      const slot = rows.slot(row);
      for (let identity = 0; identity < IDENTITY_FLAGS.length; identity++)
        if ((flags & IDENTITY_FLAGS[identity]!) !== 0)
          this.sets.see(index, identity, rows.identity(row, identity), stampOf(slot));
      tracked.count(index, slot, flags);
      if (rows.score(row) !== 0) this.#countScore(id, slot, rows.score(row));
    }
    rows.release(chain);
    fingerprints.setInFull(id, index);
  }

  readonly #onLump = (index: number, slot: number, identity: number, fresh: number): void => {
    const column = NEW_COLUMNS[identity]!;
    if (column >= 0) this.tracked.addColumn(index, slot, column, fresh);
  };
}
