/**
 * The rolling windows of one shard: observations in, numbers for 1m, 5m and 1h out. A window covers event times in
 * (from, as_of] (see time.ts). What is ahead of the clock waits in `pending` until it is due; what left the hour while it
 * was on its way is counted as `late`; what there is no room for is counted in the overflow.
 *
 *   frame ─▶ row by row: id ─▶ store (rows │ in full) ─▶ readings: tallies, distinct counts, ranks, families
 *                          └─▶ overflow
 */
import { type ImageReader, type ImageWriter, layoutOf } from "../base/image.ts";
import {
  DOOR_AGE_MINUTES,
  FUTURE_MAX_MS,
  FUTURE_SLACK_MS,
  MINUTE_MS,
  SLOT_MS,
  type WindowName,
} from "../config.ts";
import { type Frame, IDENTITIES } from "../wire/frame.ts";
import { type FamilyRow, familiesOf, type Part } from "./families.ts";
import { EVERYTHING, FIRST_ID, type Fingerprints, OVERFLOW, WITHOUT_JA4 } from "./fingerprints.ts";
import { Intake } from "./intake.ts";
import type { WindowLimits } from "./limits.ts";
import { Overflow } from "./overflow.ts";
import { Pending } from "./pending.ts";
import type { RankValues } from "./rank-values.ts";
import type { SeenSignals } from "./signals.ts";
import { type BotScores, Store } from "./store.ts";
import { REQS, TALLY_WIDTH, type Tally } from "./tally.ts";
import { firstMinute, firstSlot, firstStamp, SLOTS_A_MINUTE, slotOf, windowFrom } from "./time.ts";

const [IP, UA, PATH] = [IDENTITIES.indexOf("ip"), IDENTITIES.indexOf("ua"), IDENTITIES.indexOf("path")];
/** What is further ahead is counted as `future`. */
const AHEAD_MAX_MS = FUTURE_MAX_MS + FUTURE_SLACK_MS;
const LAYOUT = layoutOf("window");

export class Window {
  readonly #seed: number;
  readonly #store: Store;
  readonly #overflow: Overflow;
  readonly #intake: Intake;
  readonly #pending = new Pending();
  readonly #tally: Tally = new Uint32Array(TALLY_WIDTH);
  #firstMinute = 0;
  #nowMs = 0;
  #overflowTold = 0;

  /** `seed`: 32 bits that clients do not know, or they could aim collisions at the index. */
  constructor(seed: number, limits: Partial<WindowLimits> = {}) {
    this.#seed = seed >>> 0;
    this.#store = new Store(seed);
    this.#overflow = new Overflow(this.#store, seed);
    this.#intake = new Intake(this.#store, this.#overflow, limits);
  }

  /**
   * The window that an image was written of. From there on both answer the same and do the same, whatever comes: they give out
   * the same ids, and the same fingerprints leave, as long as the limits are the same. Throws an ImageError.
   */
  static readImage(reader: ImageReader, limits: Partial<WindowLimits> = {}): Window {
    reader.section(LAYOUT);
    const window = new Window(reader.u32(), limits);
    window.#nowMs = reader.int();
    window.#firstMinute = reader.int();
    window.#overflowTold = reader.int();
    for (const part of window.#parts()) part.readImage(reader);
    return window;
  }

  /** Everything in here, for `readImage`. Changes nothing. */
  writeImage(writer: ImageWriter): void {
    writer.section(LAYOUT);
    writer.u32(this.#seed);
    for (const number of [this.#nowMs, this.#firstMinute, this.#overflowTold]) writer.int(number);
    for (const part of this.#parts()) part.writeImage(writer);
  }

  get fingerprints(): Fingerprints {
    return this.#store.fingerprints;
  }

  /** Event time of the oldest observation ever counted, ms; 0 = none yet. */
  get firstDataMs(): number {
    return this.#intake.firstDataMs;
  }

  /** Whether the hour holds requests that were sampled: a record stands for several of them. */
  get isSampled(): boolean {
    return this.#intake.lastSampledMs > windowFrom("1h", this.#nowMs);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get isEmpty(): boolean {
    // Asked after every call: a reading would carry the inboxes over each time, which they are there to avoid.
    const { tracked } = this.#store;
    return this.#pending.isEmpty && tracked.isSettled && this.#store.hourReqs(EVERYTHING) === 0;
  }

  /** Since the last call: rows dropped as too late for the hour or too far ahead, and requests counted in the overflow. */
  takeDropped(): { late: number; future: number; overflow: number } {
    const { late, future } = this.#intake;
    const dropped = { late, future, overflow: this.#overflow.requests - this.#overflowTold };
    this.#intake.late = 0;
    this.#intake.future = 0;
    this.#overflowTold = this.#overflow.requests;
    return dropped;
  }

  /**
   * Counts a frame's rows. The clock goes to `nowMs`, or stays where it is further; the frame arrives `delayMs` later. Answers
   * how many were counted or wait: all but late and future ones.
   */
  apply(frame: Frame, nowMs: number, delayMs = 0): number {
    this.advance(nowMs);
    const arrivedMs = Math.max(nowMs + delayMs, this.#nowMs);
    while (!this.#pending.hasRoom(frame) && this.#nowMs < arrivedMs)
      this.advance(Math.min((Math.floor(this.#nowMs / SLOT_MS) + 1) * SLOT_MS, arrivedMs));
    const intake = this.#intake;
    const before = intake.late + intake.future;
    const untilMs = this.#pending.hasRoom(frame) ? arrivedMs + AHEAD_MAX_MS : this.#nowMs;
    if (intake.take(frame, this.#nowMs, untilMs) > 0) this.#pending.add(frame, this.#nowMs, untilMs);
    return frame.rows - (intake.late + intake.future - before);
  }

  /**
   * Moves the windows to `nowMs`: drops what left the hour, lets in what is due. In steps that all end at the same times
   * whenever this is called, so that a shard that was read or ticked meanwhile is the same as one that was not: minutes,
   * since at their ends fingerprints leave, and slots while something waits.
   */
  advance(nowMs: number): void {
    while (this.#nowMs < nowMs) {
      const grain = this.#pending.isEmpty ? MINUTE_MS : SLOT_MS;
      const next = this.isEmpty ? nowMs : (Math.floor(this.#nowMs / grain) + 1) * grain;
      this.#step(Math.min(next, nowMs));
    }
  }

  /** Sets the clock, back too. Only while nothing is in here: nothing can come a second time then. */
  restart(nowMs: number): void {
    if (this.isEmpty) this.#step(nowMs);
  }

  #step(nowMs: number): void {
    if (Math.floor(nowMs / SLOT_MS) !== Math.floor(this.#nowMs / SLOT_MS)) this.#intake.startSlot();
    this.#nowMs = nowMs;
    this.#store.fingerprints.moveOrigin(nowMs);
    this.#store.rows.advance(slotOf(nowMs));
    this.#store.tracked.advance(this.#firstSlot("5m"));
    for (const due of this.#pending.due(nowMs)) this.#intake.takeDue(due, nowMs);
    const minute = firstMinute(windowFrom("1h", nowMs));
    if (minute === this.#firstMinute) return;
    this.#firstMinute = minute;
    this.#intake.firstSlot = minute * SLOTS_A_MINUTE;
    this.#expire();
  }

  /** Takes over what another shard, or this one before a restart, knows of the site's first data. */
  noteFirstData(ms: number | undefined): void {
    if (ms !== undefined && ms !== 0) this.#intake.noteFirst(ms);
  }

  /** Tally of one fingerprint in a window: a view that is valid until the next call. */
  tally(id: number, window: WindowName): Tally {
    this.#store.tracked.settle();
    this.#tally.fill(0);
    if (window === "1h") this.#store.sumHour(id, this.#tally);
    else this.#store.sumSlots(id, this.#firstSlot(window), this.#tally);
    return this.#tally;
  }

  /** Its tally of one minute of the hour, likewise; `undefined` without requests. */
  minute(id: number, minute: number): Tally | undefined {
    if (this.#store.isGoneBy(id, minute * MINUTE_MS)) return undefined;
    this.#store.tracked.settle();
    this.#tally.fill(0);
    this.#store.sumMinute(id, minute, this.#tally);
    return this.#tally[REQS] === 0 ? undefined : this.#tally;
  }

  /** Its requests in one minute of the hour. */
  minuteReqs(id: number, minute: number): number {
    if (this.#store.isGoneBy(id, minute * MINUTE_MS)) return 0;
    this.#store.tracked.settle();
    return this.#store.minuteReqs(id, minute);
  }

  /** Its requests in a window. */
  reqs(id: number, window: WindowName): number {
    this.#store.tracked.settle();
    if (window === "1h") return this.#store.hourReqs(id);
    if (this.#store.isGoneBy(id, windowFrom(window, this.#nowMs))) return 0;
    return this.#store.reqsSince(id, this.#firstSlot(window));
  }

  /** Distinct identities (index into IDENTITIES) in a window; `undefined` when no request of it carried one. */
  distinct(id: number, identity: number, window: WindowName): number | undefined {
    const count =
      window === "1h"
        ? this.#store.distinctHour(id, identity)
        : this.#store.distinct(id, identity, this.#firstSlot(window), slotOf(this.#nowMs));
    return count === 0 ? undefined : count;
  }

  /** Newest global signals; a view. */
  signals(id: number): SeenSignals | undefined {
    return this.#store.signals.get(id);
  }

  /** How often each bot score and detection id came in the hour. */
  botScores(id: number): BotScores {
    return this.#store.botScores(id);
  }

  /** Sums over the whole shard in a window. `all` holds the requests without JA4 and those of the overflow too. */
  total(window: WindowName): { all: Tally; fingerprints: number; withoutJa4: number; overflow: number } {
    const from = windowFrom(window, this.#nowMs);
    const { fingerprints } = this.#store;
    let known = this.#overflow.fingerprints(from / SLOT_MS, slotOf(this.#nowMs));
    for (const id of fingerprints.ids()) if (fingerprints.lastSeenMs(id) > from) known++;
    return {
      withoutJa4: this.reqs(WITHOUT_JA4, window),
      overflow: this.reqs(OVERFLOW, window),
      all: this.tally(EVERYTHING, window).slice(),
      fingerprints: known,
    };
  }

  /** The hour's values of all fingerprints, for ranks. Of its own: later changes do not show. */
  rankValues(): RankValues {
    const { fingerprints, tracked } = this.#store;
    tracked.settle();
    const idEnd = fingerprints.idEnd;
    const column = () => new Uint32Array(idEnd);
    const values = { idEnd, tags: column(), reqs: column(), ips: column(), uas: column(), paths: column() };
    for (let id = FIRST_ID; id < idEnd; id++) {
      if (!fingerprints.isLive(id)) continue;
      values.tags[id] = fingerprints.tag(id);
      values.reqs[id] = this.#store.hourReqs(id);
      const distincts = this.#store.distinctsHour(id);
      values.ips[id] = distincts[IP]!;
      values.uas[id] = distincts[UA]!;
      values.paths[id] = distincts[PATH]!;
    }
    return { ...values, others: this.#overflow.fingerprints(this.#firstSlot("1h"), slotOf(this.#nowMs)) };
  }

  /** The families of one part, most requests first. */
  families(part: Part): FamilyRow[] {
    this.#store.tracked.settle();
    return familiesOf(part, this.#store, this.#overflow, windowFrom("1m", this.#nowMs));
  }

  /** Bytes by part; what is reserved counts, not only what is in use. */
  memory(): Record<string, number> {
    return {
      ...this.#store.memory(),
      overflow: this.#overflow.byteLength,
      pending: this.#pending.byteLength,
    };
  }

  /** What was done to stay within memory. */
  pressure(): { tracked: number; evicted: number; folded: number; scores_lost: number } {
    return {
      tracked: this.#store.tracked.size,
      evicted: this.#overflow.evicted,
      folded: this.#overflow.folded,
      scores_lost: this.#store.scores.lost,
    };
  }

  #parts() {
    return [this.#store, this.#overflow, this.#intake, this.#pending];
  }

  #firstSlot(window: WindowName): number {
    return firstSlot(windowFrom(window, this.#nowMs));
  }

  /** Drops what left the hour. Not when there is nothing: sightings would fade while nobody comes. */
  #expire(): void {
    const { fingerprints, tracked } = this.#store;
    tracked.settle();
    if (this.isEmpty) return;
    const stamp = firstStamp(this.#firstMinute);
    for (let id = 0; id < fingerprints.idEnd; id++) {
      if (fingerprints.isLive(id) && this.#store.expire(id, this.#firstMinute, stamp)) this.#store.remove(id);
    }
    for (const index of this.#overflow.records()) this.#store.expireInFull(index, this.#firstMinute, stamp);
    this.#store.scores.expire(this.#firstMinute);
    this.#overflow.trim();
    if (this.#firstMinute % DOOR_AGE_MINUTES === 0) this.#overflow.age();
    this.#store.compact();
  }
}
