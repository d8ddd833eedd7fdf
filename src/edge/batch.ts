/**
 * What an isolate holds back between requests, and when it sends. Only plain data lives here, never a promise, timer or
 * stub: those belong to the request that made them and die with it, and a flush promise shared by requests wedges an
 * isolate for good. So every request decides anew, from the data, what it has to do in its own `waitUntil`:
 *
 *   1. drive the lanes (`lane.ts`) that have something to send and no driver: frames that are due for another try, rows
 *      that waited until their shard was free;
 *   2. take the buffer, when it is full, overdue, or grows fast, and load it on the lanes of its shards;
 *   3. without a running lease: lead, i.e. wait for the age, then take and load what nobody else took meanwhile;
 *   4. otherwise nothing: somebody leads.
 *
 * A dead leader's lease runs out, a dead driver's too, and what was taken stays ours until it is on a lane: when its taker
 * dies before, it comes back. Lost are only the rows of an isolate that dies, and what the bounds cut off, which is counted
 * and travels as `lost_at_edge`.
 *
 * Rows are numbers in the columns of a frame in the making, one for each site and source; a held row has no object.
 */

import type { Counters, Source } from "../wire/frame.ts";
import type { FrameBuilder, Row } from "../wire/frame-builder.ts";
import { spreadPace } from "../wire/ingest.ts";
import { type Chance, type Drive, Lanes } from "./lanes.ts";
import { SignalsNews } from "./signals-news.ts";

export interface BatchLimits {
  /** Rows that are sent at once. */
  fullRows: number;
  /** Rows held, taken or waiting for their shards at most; further ones are lost, and counted. */
  maxRows: number;
  /** Frames without an answer at most; with as many no further one is made. */
  maxInflight: number;
  /** Age of the oldest row at which the buffer is sent, ms … */
  ageMs: number;
  /** … and the longest that it becomes when shards are busy, ms. */
  ageMaxMs: number;
  /** A call without an answer for so long has failed, ms. */
  sendTimeoutMs: number;
}

/** What one request is to put on the lanes. It is the batch's until `load`. */
export interface Taken {
  readonly site: string;
  /** A frame has one source, so what comes by another way is taken apart. */
  readonly source: Source;
  readonly builders: readonly FrameBuilder[];
  readonly rows: number;
  readonly counters: Counters;
}

/** What a request has to do. */
export interface Duty {
  readonly drives: readonly Drive[];
  /** Take and load now. */
  readonly send: boolean;
  /** Lead: wait this long, then take and load if the lease is still the current one. */
  readonly lead: { readonly ms: number; readonly lease: number } | undefined;
}

/** What nearly every request has to do. */
const NOTHING: Duty = Object.freeze({ drives: [], send: false, lead: undefined });

/** A buffer is sent early when it holds this many times what the last flush held: a flood is on its way at once. */
const GROWTH = 8;
const GROWTH_MIN_ROWS = 16;
/** Room for a leader's or driver's own wake-up. */
const LEASE_SLACK_MS = 2_000;
/** Part of the room that rows of failing shards may take: those of the others need some too. */
const WAITING_PART = 0.5;

interface Buffer {
  readonly site: string;
  readonly source: Source;
  builders: FrameBuilder[];
  rows: number;
  lost: number;
  fieldsDropped: number;
}

export class Batch {
  readonly #limits: BatchLimits;
  /** In the order of their first row, and by source and site. */
  #buffers: Buffer[] = [];
  readonly #bySource = new Map<Source, Map<string, Buffer>>();
  /** The one that was used last: mostly there is no other. */
  #last: Buffer | undefined;
  /** What was taken, with the time at which its taker is given up, ms. */
  readonly #taken = new Map<Taken, number>();
  readonly #news = new SignalsNews();
  readonly #chance: Chance;
  /** The ways to the shards. */
  readonly lanes: Lanes;
  /** Nothing that is taken comes back before, ms. */
  #nextDueMs = Number.POSITIVE_INFINITY;
  #heldRows = 0;
  #takenRows = 0;
  #oldestMs = 0;
  #lastFlushRows = 0;
  #leaseUntilMs = 0;
  #lease = 0;
  #quietUntilMs = 0;
  #ageMs: number;

  constructor(limits: BatchLimits, chance: Chance) {
    this.#limits = limits;
    this.#chance = chance;
    this.#ageMs = limits.ageMs;
    const { maxRows, maxInflight, sendTimeoutMs } = limits;
    const leaseMs = sendTimeoutMs + LEASE_SLACK_MS;
    this.lanes = new Lanes(
      { maxWaiting: maxRows * WAITING_PART, maxInflight, leaseMs },
      chance,
      (site, rows, counters) => this.#giveUp(site, rows, counters),
    );
  }

  /** Rows that are in no frame yet: those held, those that a request has taken, those that wait for their shard. */
  get rows(): number {
    return this.#heldRows + this.#takenRows + this.lanes.waitingRows;
  }

  /** Holds a row back for its site, without signals that its shard was told lately. The row's object is the caller's again. */
  add(site: string, source: Source, row: Row, fieldsDropped: number, nowMs: number): void {
    const buffer = this.#buffer(site, source);
    buffer.fieldsDropped += fieldsDropped;
    if (this.#heldRows + this.#takenRows + this.lanes.waitingRows >= this.#limits.maxRows) {
      buffer.lost++;
      return;
    }
    let builder = buffer.builders[buffer.builders.length - 1];
    if (builder === undefined || builder.isFull()) {
      builder = this.lanes.spares.take();
      buffer.builders.push(builder);
    }
    if (row.signals !== undefined && !this.#news.tell(site, row.ja4, row.signals, nowMs))
      row.signals = undefined;
    builder.add(row);
    if (this.#heldRows === 0) this.#oldestMs = nowMs;
    this.#heldRows++;
    buffer.rows++;
  }

  /** Counts an observation that could not even be held. */
  lose(site: string, count: number): void {
    this.#buffer(site, "edge").lost += count;
  }

  /** The pace that shards ask for, spread over the isolates: at least the configured age. */
  pace(flushAfterMs: number): void {
    const { ageMs, ageMaxMs } = this.#limits;
    const paceMs = flushAfterMs === 0 ? 0 : spreadPace(flushAfterMs, this.#chance.random());
    this.#ageMs = Math.max(ageMs, Math.min(ageMaxMs, paceMs));
  }

  /** A shard has too much to do: the age doubles, until one asks for less. */
  slowDown(): void {
    this.#ageMs = Math.min(this.#limits.ageMaxMs, 2 * this.#ageMs);
  }

  /** What the request at hand has to do; what it is given nobody else is, until its time runs out. */
  duty(nowMs: number): Duty {
    if (nowMs >= this.#nextDueMs) this.#takeBack(nowMs);
    const drives = this.lanes.due(nowMs);
    if (this.#quietUntilMs > nowMs) return dutyOf(drives, false);
    const rows = this.#heldRows;
    const grown = rows >= GROWTH_MIN_ROWS && rows > GROWTH * Math.max(1, this.#lastFlushRows);
    const overdue = rows > 0 && nowMs - this.#oldestMs >= this.#ageMs + LEASE_SLACK_MS;
    const send = rows >= this.#limits.fullRows || grown || overdue;
    if (send || rows === 0 || this.#leaseUntilMs > nowMs) return dutyOf(drives, send);
    this.#leaseUntilMs = nowMs + this.#ageMs + LEASE_SLACK_MS;
    return { drives, send: false, lead: { ms: this.#ageMs, lease: ++this.#lease } };
  }

  /**
   * Whether a leader that wakes up still leads. Whatever took the buffer meanwhile ended its lease; if it took all the
   * same, every early flush would leave one more leader behind, for as long as there are visitors.
   */
  leads(lease: number): boolean {
    return lease === this.#lease && this.#leaseUntilMs > 0;
  }

  /** Everything held, by site and source, with the counters that ride along. */
  take(nowMs: number): Taken[] {
    const all: Taken[] = [];
    const untilMs = nowMs + this.#limits.sendTimeoutMs + LEASE_SLACK_MS;
    for (const { site, source, builders, rows, lost, fieldsDropped } of this.#buffers) {
      if (rows === 0 && lost === 0 && fieldsDropped === 0) continue;
      const counters = { rejected: 0, expired: 0, lost_at_edge: lost, fields_dropped: fieldsDropped };
      const taken = { site, source, builders, rows, counters };
      this.#taken.set(taken, untilMs);
      all.push(taken);
    }
    if (all.length > 0) this.#nextDueMs = Math.min(this.#nextDueMs, untilMs);
    this.#buffers = [];
    this.#bySource.clear();
    this.#last = undefined;
    this.#lastFlushRows = this.#heldRows;
    this.#takenRows += this.#heldRows;
    this.#heldRows = 0;
    this.#leaseUntilMs = 0;
    return all;
  }

  /** Whether `taken` is still its taker's: once it came back, somebody else sends it. */
  owns(taken: Taken): boolean {
    return this.#taken.has(taken);
  }

  /** Puts `taken` on the lanes of its shards; answers those that its taker is to drive. */
  load(taken: Taken, map: { epoch: number; shards: number }, nowMs: number): Drive[] {
    if (!this.#taken.delete(taken)) return [];
    this.#takenRows -= taken.rows;
    return this.lanes.load(taken, map, nowMs);
  }

  /** Takes back what could not be loaded now, and keeps quiet for a while. */
  putBack(taken: Taken, nowMs: number, pauseMs: number): void {
    this.#rejoin(taken, nowMs);
    this.#quietUntilMs = nowMs + pauseMs;
  }

  /** What was taken and never loaded comes back to the rows held. */
  #takeBack(nowMs: number): void {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [taken, untilMs] of this.#taken) {
      if (untilMs <= nowMs) this.#rejoin(taken, nowMs);
      else nextMs = Math.min(nextMs, untilMs);
    }
    this.#nextDueMs = nextMs;
  }

  #rejoin(taken: Taken, nowMs: number): void {
    if (!this.#taken.delete(taken)) return;
    const { site, source, builders, rows, counters } = taken;
    const buffer = this.#buffer(site, source);
    // In front: the last one is the one that is being filled.
    buffer.builders.unshift(...builders);
    buffer.rows += rows;
    buffer.lost += counters.lost_at_edge;
    buffer.fieldsDropped += counters.fields_dropped;
    if (this.#heldRows === 0) this.#oldestMs = nowMs;
    this.#heldRows += rows;
    this.#takenRows -= rows;
  }

  #giveUp(site: string, rows: number, counters: Counters): void {
    const buffer = this.#buffer(site, "edge");
    buffer.lost += rows + counters.lost_at_edge;
    buffer.fieldsDropped += counters.fields_dropped;
  }

  #buffer(site: string, source: Source): Buffer {
    const last = this.#last;
    if (last !== undefined && last.site === site && last.source === source) return last;
    let bySite = this.#bySource.get(source);
    if (bySite === undefined) {
      bySite = new Map();
      this.#bySource.set(source, bySite);
    }
    let buffer = bySite.get(site);
    if (buffer === undefined) {
      buffer = { site, source, builders: [], rows: 0, lost: 0, fieldsDropped: 0 };
      bySite.set(site, buffer);
      this.#buffers.push(buffer);
    }
    this.#last = buffer;
    return buffer;
  }
}

function dutyOf(drives: Duty["drives"], send: boolean): Duty {
  return drives.length === 0 && !send ? NOTHING : { drives, send, lead: undefined };
}
