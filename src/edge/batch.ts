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
 * A dead leader's lease runs out, a dead sender's frames are sent again by the next request. Lost are only the rows of an
 * isolate that dies, and what the bound cuts off, which is counted and travels as `lost_at_edge`.
 */
import type { Counters, Source } from "../wire/frame.ts";
import type { Row } from "../wire/frame-builder.ts";

export interface BatchLimits {
  /** Rows that are sent at once. */
  fullRows: number;
  /** Rows held at most; further ones are lost, and counted. */
  maxRows: number;
  /** Frames in flight at most; the oldest is given up for a new one, and counted. */
  maxInflight: number;
  /** Age of the oldest row at which the buffer is sent, ms. */
  ageMs: number;
  /** After this long a sender is taken for dead, ms. */
  sendTimeoutMs: number;
}

/** A frame on its way to one shard. */
export interface Inflight {
  site: string;
  shard: number;
  rows: number;
  /** What rides along, counted again when the frame is given up. */
  counters: Counters;
  bytes: Uint8Array;
  /** When it may be sent again, ms. */
  untilMs: number;
}

export interface Taken {
  site: string;
  /** A frame has one source, so what comes by another way is taken apart. */
  source: Source;
  rows: Row[];
  counters: Counters;
}

/** What a request has to do. */
export interface Duty {
  resend: [string, Inflight][];
  /** Take and send now. */
  send: boolean;
  /** Lead: wait this long, then take and send if the lease is still the current one. */
  lead: { ms: number; lease: number } | undefined;
}

/** A buffer is sent early when it holds this many times what the last flush held: a flood is on its way at once. */
const GROWTH = 8;
const GROWTH_MIN_ROWS = 16;
/** Room for the leader's own wake-up. */
const LEASE_SLACK_MS = 2_000;

interface Buffer {
  site: string;
  source: Source;
  rows: Row[];
  lost: number;
  fieldsDropped: number;
}

export class Batch {
  readonly #limits: BatchLimits;
  readonly #buffers = new Map<string, Buffer>();
  readonly #inflight = new Map<string, Inflight>();
  #rows = 0;
  #oldestMs = 0;
  #lastFlushRows = 0;
  #leaseUntilMs = 0;
  #lease = 0;
  #quietUntilMs = 0;
  #ageMs: number;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
    this.#ageMs = limits.ageMs;
  }

  get rows(): number {
    return this.#rows;
  }

  get inflight(): number {
    return this.#inflight.size;
  }

  /** Holds a row back for its site. */
  add(site: string, source: Source, row: Row, fieldsDropped: number, nowMs: number): void {
    const buffer = this.#buffer(site, source);
    buffer.fieldsDropped += fieldsDropped;
    if (this.#rows >= this.#limits.maxRows) {
      buffer.lost++;
      return;
    }
    if (this.#rows === 0) this.#oldestMs = nowMs;
    this.#rows++;
    buffer.rows.push(row);
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
    const resend: [string, Inflight][] = [];
    for (const [id, frame] of this.#inflight) {
      if (frame.untilMs > nowMs) continue;
      frame.untilMs = nowMs + this.#limits.sendTimeoutMs;
      resend.push([id, frame]);
    }
    if (this.#quietUntilMs > nowMs) return { resend, send: false, lead: undefined };
    const grown = this.#rows >= GROWTH_MIN_ROWS && this.#rows > GROWTH * Math.max(1, this.#lastFlushRows);
    const overdue = this.#rows > 0 && nowMs - this.#oldestMs >= this.#ageMs + LEASE_SLACK_MS;
    const send = this.#rows >= this.#limits.fullRows || grown || overdue;
    if (send || this.#rows === 0 || this.#leaseUntilMs > nowMs) return { resend, send, lead: undefined };
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

  /** Everything held, by site, with the counters that ride along. */
  take(): Taken[] {
    const taken: Taken[] = [];
    for (const { site, source, rows, lost, fieldsDropped } of this.#buffers.values()) {
      if (rows.length === 0 && lost === 0 && fieldsDropped === 0) continue;
      taken.push({
        site,
        source,
        rows,
        counters: { rejected: 0, expired: 0, lost_at_edge: lost, fields_dropped: fieldsDropped },
      });
    }
    this.#buffers.clear();
    this.#lastFlushRows = this.#rows;
    this.#rows = 0;
    this.#leaseUntilMs = 0;
    return taken;
  }

  /** Takes back what could not be made into frames, as far as there is room, and keeps quiet for a while. */
  putBack({ site, source, rows, counters }: Taken, nowMs: number, pauseMs: number): void {
    this.#giveUp(site, 0, counters);
    for (const row of rows) this.add(site, source, row, 0, nowMs);
    this.#quietUntilMs = nowMs + pauseMs;
  }

  /** Remembers a frame until it is acknowledged. */
  sent(id: string, frame: Omit<Inflight, "untilMs">, nowMs: number): void {
    if (this.#inflight.size >= this.#limits.maxInflight) {
      const [oldest, given] = this.#inflight.entries().next().value!;
      this.#inflight.delete(oldest);
      this.#giveUp(given.site, given.rows, given.counters);
    }
    this.#inflight.set(id, { ...frame, untilMs: nowMs + this.#limits.sendTimeoutMs });
  }

  /** The shard has it. */
  acked(id: string): void {
    this.#inflight.delete(id);
  }

  /** The shard will never take it. */
  refused(id: string): void {
    const frame = this.#inflight.get(id);
    if (frame === undefined) return;
    this.#inflight.delete(id);
    this.#giveUp(frame.site, frame.rows, frame.counters);
  }

  #giveUp(site: string, rows: number, counters: Counters): void {
    const buffer = this.#buffer(site, "edge");
    buffer.lost += rows + counters.lost_at_edge;
    buffer.fieldsDropped += counters.fields_dropped;
  }

  #buffer(site: string, source: Source): Buffer {
    // Site names hold no spaces.
    const key = `${site} ${source}`;
    let buffer = this.#buffers.get(key);
    if (buffer === undefined) {
      buffer = { site, source, rows: [], lost: 0, fieldsDropped: 0 };
      this.#buffers.set(key, buffer);
    }
    return buffer;
  }
}
