/**
 * Frames in: row by row to the fingerprint's id and into the store, or into the overflow when there is no room. This is the
 * hot path: it makes nothing per observation, and looks a fingerprint up once a frame.
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import { FRAME_ROWS_MAX, SLOT_MS } from "../config.ts";
import { type Frame, IDENTITIES, WEIGHT_ONE } from "../wire/frame.ts";
import { KEY_WORDS } from "../wire/key.ts";
import { GLOBAL_SIGNALS } from "../wire/signal-names.ts";
import { EVERYTHING, FIRST_ID, WITHOUT_JA4 } from "./fingerprints.ts";
import { FrameRows } from "./frame-rows.ts";
import { type ObservedColumns, observedRows } from "./identity-sets.ts";
import { INDEX_IDS_MAX } from "./key-index.ts";
import { LIMITS, type WindowLimits } from "./limits.ts";
import type { Overflow } from "./overflow.ts";
import type { DueRows } from "./pending.ts";
import { ROWS_MAX } from "./rows.ts";
import type { Store } from "./store.ts";
import { slotOf } from "./time.ts";

/** Not looked up yet, and: has no id. */
const UNKNOWN = -2;
const NONE = -1;
/** Later than any row of a frame. */
const NEVER = 2 ** 32;

const LAYOUT = layoutOf("intake", SLOT_MS, "sampled");

export class Intake {
  readonly #store: Store;
  readonly #overflow: Overflow;
  readonly #limits: WindowLimits;
  readonly #everything: number;
  readonly #withoutJa4: number;
  /** Ids of the fingerprints of the frame at hand. */
  #ids = new Int32Array(64);
  #frame: ObservedColumns = { flags: new Uint32Array(0), columns: [] };
  /** Rows of fingerprints in full that are yet to be counted, all at once. */
  readonly #waiting = observedRows();
  readonly #rows = new FrameRows();
  /** Time of the frame at hand, the oldest counted row after it, and the fingerprint whose rows are being counted. */
  #baseMs = 0;
  #firstAt = NEVER;
  #seenId = NONE;
  #seenFirst = 0;
  #seenLast = 0;
  /** Bytes of series when the slot began, or when somebody last had to leave. */
  #seriesBytes = 0;
  /** First slot of the hour. */
  firstSlot = 0;
  /** Rows that came too late for the hour. */
  late = 0;
  /** Rows of a time that no clock can have shown yet. */
  future = 0;
  /** Event time of the oldest observation ever counted, ms; 0 = none yet. */
  firstDataMs = 0;
  /** Event time of the newest row that stood for more than one request, ms; 0 = none yet. */
  lastSampledMs = 0;

  constructor(store: Store, overflow: Overflow, limits: Partial<WindowLimits>) {
    this.#store = store;
    this.#overflow = overflow;
    this.#limits = { ...LIMITS, ...limits };
    if (this.#limits.fingerprints > INDEX_IDS_MAX)
      throw new RangeError(`a shard tells at most ${INDEX_IDS_MAX} fingerprints apart`);
    this.#everything = store.fingerprints.link(EVERYTHING);
    this.#withoutJa4 = store.fingerprints.link(WITHOUT_JA4);
  }

  /**
   * Counts the rows of times up to `nowMs` and answers how many lie ahead of it, up to `untilMs`: those wait. What is later, or
   * too late for the hour, is dropped and counted as that.
   */
  take(frame: Frame, nowMs: number, untilMs: number): number {
    this.#begin(frame);
    const { at, baseMs, rows } = frame;
    let ahead = 0;
    const order = this.#rows.byFingerprint(frame);
    // A fingerprint's rows come about in order: most lie in the slot of the one before.
    let slot = 0;
    let slotFromMs = 0;
    for (let i = 0; i < rows; i++) {
      const row = order[i]!;
      const ms = baseMs + at[row]!;
      if (ms > nowMs) {
        if (ms > untilMs) this.future++;
        else ahead++;
        continue;
      }
      if (ms <= slotFromMs || ms > slotFromMs + SLOT_MS) {
        slot = slotOf(ms);
        slotFromMs = slot * SLOT_MS;
      }
      if (slot < this.firstSlot) this.late++;
      else for (let n = this.#rows.times(row); n > 0; n--) this.#count(frame, row, slot);
    }
    this.#end(frame, nowMs);
    this.#keepWithinBytes();
    return ahead;
  }

  /** Counts rows that waited. Bytes are not looked at: the next frame is in time for that. */
  takeDue({ frame, rows }: DueRows, nowMs: number): void {
    this.#begin(frame);
    for (const row of rows) {
      const slot = slotOf(frame.baseMs + frame.at[row]!);
      for (let n = this.#rows.times(row); n > 0; n--) this.#count(frame, row, slot);
    }
    this.#end(frame, nowMs);
  }

  /**
   * Carries inboxes over and takes note of what series take. Called at the start of every slot, and no decision is made by
   * anything newer: when inboxes are carried over depends on who reads, and who leaves must not.
   */
  startSlot(): void {
    this.#store.tracked.settle();
    this.#seriesBytes = this.#store.tracked.usedSeriesBytes;
  }

  #begin(frame: Frame): void {
    if (frame.fps > this.#ids.length) this.#ids = new Int32Array(frame.fps * 2);
    this.#ids.fill(UNKNOWN, 0, frame.fps);
    this.#frame = { flags: frame.flags, columns: IDENTITIES.map((name) => frame.identities[name]) };
    this.#rows.weigh(frame);
    this.#baseMs = frame.baseMs;
    this.#firstAt = NEVER;
  }

  #end(frame: Frame, nowMs: number): void {
    this.#countWaiting();
    if (this.#firstAt !== NEVER) this.noteFirst(frame.baseMs + this.#firstAt);
    this.#takeSignals(frame, nowMs);
    if ((frame.weight ?? WEIGHT_ONE) > WEIGHT_ONE) this.#noteSampled(frame, nowMs);
  }

  #noteSampled({ at, baseMs, rows }: Frame, nowMs: number): void {
    for (let row = 0; row < rows; row++) {
      const ms = baseMs + at[row]!;
      if (ms <= nowMs && ms > this.lastSampledMs) this.lastSampledMs = ms;
    }
  }

  /** Takes note that the site had data at this time. */
  noteFirst(ms: number): void {
    if (this.firstDataMs === 0 || ms < this.firstDataMs) this.firstDataMs = ms;
  }

  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    for (const number of [
      ...[this.firstSlot, this.late, this.future],
      ...[this.firstDataMs, this.lastSampledMs, this.#seriesBytes],
    ])
      writer.int(number);
  }

  /** Throws an ImageError. */
  readImage(reader: ImageReader): void {
    reader.section(LAYOUT);
    this.firstSlot = reader.int();
    this.late = reader.int();
    this.future = reader.int();
    this.firstDataMs = reader.int();
    this.lastSampledMs = reader.int();
    this.#seriesBytes = reader.int();
  }

  #count(frame: Frame, row: number, slot: number): void {
    if (frame.at[row]! < this.#firstAt) this.#firstAt = frame.at[row]!;
    const { fingerprints, tracked } = this.#store;
    const flags = frame.flags[row]!;
    const fp = frame.fp[row]!;
    tracked.count(this.#everything, slot, flags);
    let id = this.#ids[fp]!;
    if (id < 0) id = this.#idOf(frame, fp, row);
    if (id === WITHOUT_JA4) tracked.count(this.#withoutJa4, slot, flags);
    else if (id === NONE) {
      const at = fp * KEY_WORDS;
      this.#overflow.count(fingerprints.hashOf(frame.keys, at), frame.keys, at, slot, flags);
    } else {
      if (!this.#hasRoom(id)) id = this.#makeRoom(frame, fp, id, row);
      this.#see(id, frame.at[row]!);
      if (frame.detections !== undefined) this.#store.addDetections(id, slot, frame.detections, row);
      if (this.#store.hold(id, slot, this.#frame, row)) return;
      const waiting = this.#waiting;
      // Rows that stand for many requests are more than a frame's.
      if (waiting.count === FRAME_ROWS_MAX) this.#countWaiting();
      waiting.rows[waiting.count] = row;
      waiting.indices[waiting.count] = fingerprints.link(id);
      waiting.slots[waiting.count++] = slot;
    }
  }

  /** Takes note of a request's time, ms after the frame's; told once for all rows of a fingerprint that come together. */
  #see(id: number, at: number): void {
    if (id !== this.#seenId) {
      this.#tellSeen();
      this.#seenId = id;
      this.#seenFirst = at;
      this.#seenLast = at;
    } else if (at < this.#seenFirst) this.#seenFirst = at;
    else if (at > this.#seenLast) this.#seenLast = at;
  }

  #tellSeen(): void {
    if (this.#seenId === NONE) return;
    this.#store.fingerprints.seen(this.#seenId, this.#baseMs + this.#seenFirst);
    this.#store.fingerprints.seen(this.#seenId, this.#baseMs + this.#seenLast);
    this.#seenId = NONE;
  }

  #countWaiting(): void {
    this.#tellSeen();
    this.#store.observe(this.#frame, this.#waiting);
    this.#waiting.count = 0;
  }
  /** The id of a frame's fingerprint, given one if there is room; NONE otherwise. */
  #idOf(frame: Frame, fp: number, row: number): number {
    const { fingerprints, rows } = this.#store;
    const at = fp * KEY_WORDS;
    let id = WITHOUT_JA4;
    if (frame.keys[at + 4] !== 0) {
      const hash = fingerprints.hashOf(frame.keys, at);
      id = fingerprints.find(hash, frame.keys, at);
      if (id < 0) {
        const full = fingerprints.size >= this.#limits.fingerprints || rows.size >= this.#limits.rows;
        // One that does not get in is asked again with its next request: the door counts sightings.
        if (full && !this.#overflow.knocks(hash)) return NONE;
        if (full) this.#evict(false);
        id = fingerprints.add(hash, frame.keys, at, frame.baseMs + frame.at[row]!);
      }
    }
    this.#ids[fp] = id;
    return id;
  }

  /** Whether another request of the fingerprint fits without anybody leaving. */
  #hasRoom(id: number): boolean {
    const { fingerprints, rows, tracked } = this.#store;
    if (fingerprints.isInFull(id)) return true;
    if (fingerprints.rows(id) < ROWS_MAX) return rows.size < this.#limits.rows;
    return tracked.size < this.#limits.tracked;
  }

  /** Lets the least active go. It may be the fingerprint itself: then it begins anew. */
  #makeRoom(frame: Frame, fp: number, id: number, row: number): number {
    this.#evict(this.#store.fingerprints.rows(id) >= ROWS_MAX);
    const { fingerprints } = this.#store;
    const at = fp * KEY_WORDS;
    const hash = fingerprints.hashOf(frame.keys, at);
    const found = fingerprints.find(hash, frame.keys, at);
    const now = found >= 0 ? found : fingerprints.add(hash, frame.keys, at, frame.baseMs + frame.at[row]!);
    this.#ids[fp] = now;
    return now;
  }

  #evict(inFullOnly: boolean): void {
    // Whoever leaves must not have anything under way.
    this.#countWaiting();
    this.#overflow.evictOne(inFullOnly);
    // Its id may be given to another at once.
    this.#ids.fill(UNKNOWN);
  }

  /** Makes distinct counts coarser while there are any to be, the least active's first; after that the least active leave. */
  #keepWithinBytes(): void {
    if (this.#store.sets.usedBytes + this.#seriesBytes <= this.#limits.arenaBytes) return;
    this.#store.tracked.settle();
    let canFold = true;
    while (this.#store.usedBytes > this.#limits.arenaBytes) {
      if (canFold) canFold = this.#overflow.foldOne();
      else if (!this.#overflow.evictOne(true)) break;
    }
    this.#seriesBytes = this.#store.tracked.usedSeriesBytes;
  }

  #takeSignals(frame: Frame, nowMs: number): void {
    const { fp, seenAtMs, values } = frame.signals;
    const { fingerprints } = this.#store;
    for (let i = 0; i < fp.length; i++) {
      if (seenAtMs[i]! > nowMs) continue;
      const at = fp[i]! * KEY_WORDS;
      const id = fingerprints.find(fingerprints.hashOf(frame.keys, at), frame.keys, at);
      if (id >= FIRST_ID) this.#store.signals.set(id, seenAtMs[i]!, values, i * GLOBAL_SIGNALS.length);
    }
  }
}
