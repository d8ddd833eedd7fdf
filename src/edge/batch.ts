/**
 * What an isolate holds back between requests, and when it sends. Only plain data lives here, never a promise, timer or
 * stub: those belong to the request that made them and die with it, and a flush promise shared by requests wedges an
 * isolate for good. So every request decides anew, from the data, what it has to do in its own `waitUntil`:
 *
 *   1. send again what is in flight past its time (its sender may be dead; the shard drops a frame that it has);
 *   2. take and send the buffer when it is full, overdue, or grows fast;
 *   3. without a running lease: lead, i.e. wait for the age, then take and send what nobody else took meanwhile;
 *   4. otherwise nothing: somebody leads.
 *
 * A dead leader's lease runs out, a dead sender's frames are sent again by the next request, and what was taken stays ours
 * until it is in flight: when its taker dies before, it comes back. Lost are only the rows of an isolate that dies, and what
 * the bound cuts off, which is counted and travels as `lost_at_edge`.
 *
 * Rows are numbers in the columns of a frame in the making, one for each site and source; a held row has no object.
 */
import type { Counters, Source } from "../wire/frame.ts";
import { FrameBuilder, type Row } from "../wire/frame-builder.ts";
import { type Inflight, InflightFrames } from "./inflight.ts";
import { SignalsNews } from "./signals-news.ts";

export interface BatchLimits {
  /** Rows that are sent at once. */
  fullRows: number;
  /** Rows held or taken at most; further ones are lost, and counted. */
  maxRows: number;
  /** Frames in flight at most; the oldest is given up for a new one, and counted. */
  maxInflight: number;
  /** Age of the oldest row at which the buffer is sent, ms. */
  ageMs: number;
  /** After this long a sender is taken for dead, ms. */
  sendTimeoutMs: number;
}

/** What one request is to make into frames. It is the batch's until `settle`. */
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
  readonly resend: readonly [string, Inflight][];
  /** Take and send now. */
  readonly send: boolean;
  /** Lead: wait this long, then take and send if the lease is still the current one. */
  readonly lead: { readonly ms: number; readonly lease: number } | undefined;
}

/** What nearly every request has to do. */
const NOTHING: Duty = Object.freeze({ resend: [], send: false, lead: undefined });

/** A buffer is sent early when it holds this many times what the last flush held: a flood is on its way at once. */
const GROWTH = 8;
const GROWTH_MIN_ROWS = 16;
/** Room for the leader's own wake-up. */
const LEASE_SLACK_MS = 2_000;
/** Emptied builders kept for the next rows: their columns have grown already. */
const SPARES_MAX = 4;

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
  readonly #spares: FrameBuilder[] = [];
  readonly #inflight: InflightFrames;
  /** Nothing taken or in flight is due before, ms. */
  #nextDueMs = Number.POSITIVE_INFINITY;
  #heldRows = 0;
  #takenRows = 0;
  #oldestMs = 0;
  #lastFlushRows = 0;
  #leaseUntilMs = 0;
  #lease = 0;
  #quietUntilMs = 0;
  #ageMs: number;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
    this.#ageMs = limits.ageMs;
    this.#inflight = new InflightFrames(limits.maxInflight, limits.sendTimeoutMs);
  }

  /** Rows that are not in flight yet: those held, and those that a request has taken. */
  get rows(): number {
    return this.#heldRows + this.#takenRows;
  }

  get inflight(): number {
    return this.#inflight.size;
  }

  /** Holds a row back for its site, without signals that its shard was told lately. The row's object is the caller's again. */
  add(site: string, source: Source, row: Row, fieldsDropped: number, nowMs: number): void {
    const buffer = this.#buffer(site, source);
    buffer.fieldsDropped += fieldsDropped;
    if (this.#heldRows + this.#takenRows >= this.#limits.maxRows) {
      buffer.lost++;
      return;
    }
    let builder = buffer.builders[buffer.builders.length - 1];
    if (builder === undefined || builder.isFull()) {
      builder = this.#spares.pop() ?? new FrameBuilder();
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

  /** The pace that shards ask for: at least the configured age. */
  pace(flushAfterMs: number): void {
    this.#ageMs = Math.max(this.#limits.ageMs, flushAfterMs);
  }

  /** What the request at hand has to do; what it is given nobody else is, until its time runs out. */
  duty(nowMs: number): Duty {
    const resend = nowMs < this.#nextDueMs ? NOTHING.resend : this.#due(nowMs);
    if (this.#quietUntilMs > nowMs) return dutyOf(resend, false);
    const rows = this.#heldRows;
    const grown = rows >= GROWTH_MIN_ROWS && rows > GROWTH * Math.max(1, this.#lastFlushRows);
    const overdue = rows > 0 && nowMs - this.#oldestMs >= this.#ageMs + LEASE_SLACK_MS;
    const send = rows >= this.#limits.fullRows || grown || overdue;
    if (send || rows === 0 || this.#leaseUntilMs > nowMs) return dutyOf(resend, send);
    this.#leaseUntilMs = nowMs + this.#ageMs + LEASE_SLACK_MS;
    return { resend, send: false, lead: { ms: this.#ageMs, lease: ++this.#lease } };
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

  /** The frames of `taken` are in flight: its builders are empty room again. */
  settle(taken: Taken): void {
    if (!this.#taken.delete(taken)) return;
    this.#takenRows -= taken.rows;
    for (const builder of taken.builders) {
      if (this.#spares.length === SPARES_MAX) break;
      builder.reset();
      this.#spares.push(builder);
    }
  }

  /** Takes back what could not be made into frames now, and keeps quiet for a while. */
  putBack(taken: Taken, nowMs: number, pauseMs: number): void {
    this.#rejoin(taken, nowMs);
    this.#quietUntilMs = nowMs + pauseMs;
  }

  /** Gives up what cannot be made into frames at all. */
  abandon(taken: Taken): void {
    if (!this.#taken.delete(taken)) return;
    this.#takenRows -= taken.rows;
    this.#giveUp(taken.site, taken.rows, taken.counters);
  }

  /** Remembers a frame until it is acknowledged. */
  sent(id: string, frame: Omit<Inflight, "untilMs">, nowMs: number): void {
    const gone = this.#inflight.add(id, frame, nowMs);
    if (gone !== undefined) this.#giveUp(gone.site, gone.rows, gone.counters);
    this.#nextDueMs = Math.min(this.#nextDueMs, nowMs + this.#limits.sendTimeoutMs);
  }

  /** The shard has it. */
  acked(id: string): void {
    this.#inflight.remove(id);
  }

  /** The shard will never take it. */
  refused(id: string): void {
    const frame = this.#inflight.remove(id);
    if (frame !== undefined) this.#giveUp(frame.site, frame.rows, frame.counters);
  }

  /** Frames to send again; what was taken and never sent comes back to the rows held. */
  #due(nowMs: number): [string, Inflight][] {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [taken, untilMs] of this.#taken) {
      if (untilMs <= nowMs) this.#rejoin(taken, nowMs);
      else nextMs = Math.min(nextMs, untilMs);
    }
    const due = this.#inflight.due(nowMs);
    this.#nextDueMs = Math.min(nextMs, this.#inflight.nextDueMs());
    return due;
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

function dutyOf(resend: Duty["resend"], send: boolean): Duty {
  return resend.length === 0 && !send ? NOTHING : { resend, send, lead: undefined };
}
