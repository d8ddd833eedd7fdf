/**
 * The rolling windows of one shard: observations in, numbers for 1m, 5m and 1h out.
 *
 *   minutes  60–61 panes of a minute ┐ sums of the hour are kept up to date: + on arrival, − when a minute leaves
 *   slots    60–61 panes of 5 s      ┘ 1m and 5m add up the last slots when asked
 *   fingerprints: id, first and last seen, newest global signals, one distinct table an identity
 *
 * A window covers event times in (from, as_of] (see time.ts). Observations ahead of the clock wait in `pending` until
 * it reaches them; those that left the hour while they were on their way are counted as `late`.
 */
import type { WindowName } from "../config.ts";
import { HAS_ASN, HAS_HOST, HAS_IP, HAS_PATH, HAS_UA } from "../wire/flags.ts";
import { type Frame, IDENTITIES } from "../wire/frame.ts";
import { FIRST_ID, Fingerprints, OVERFLOW, WITHOUT_JA4 } from "./fingerprints.ts";
import { Pane } from "./pane.ts";
import {
  addTally,
  countFlags,
  NEW_IPS,
  NEW_PATHS,
  NEW_UAS,
  REQS,
  subtractTally,
  TALLY_WIDTH,
  type Tally,
} from "./tally.ts";
import { firstMinute, firstSlot, minuteOf, slotOf, windowFrom } from "./time.ts";

const IDENTITY_FLAGS = [HAS_IP, HAS_UA, HAS_PATH, HAS_HOST, HAS_ASN];
/** Tally column that counts first sights of an identity; −1 = none. In the order of IDENTITIES. */
const NEW_COLUMNS = [NEW_IPS, NEW_UAS, NEW_PATHS, -1, -1];

export class Window {
  readonly fingerprints = new Fingerprints();
  readonly #minutes = new Map<number, Pane>();
  readonly #slots = new Map<number, Pane>();
  #pending: { frame: Frame; rows: number[] }[] = [];
  #firstMinute = 0;
  #firstSlot = 0;
  #nowMs = 0;
  /** Changes with everything that can change a number. */
  #version = 0;
  #dense: { window: WindowName; version: number; table: Uint32Array }[] = [];
  /** Rows that came too late for the hour. */
  late = 0;
  /** Rows of fingerprints beyond FINGERPRINTS_MAX: counted, but not told apart. */
  overflow = 0;
  /** Event time of the oldest observation ever counted, ms; 0 = none yet. */
  firstDataMs = 0;

  /** Counts a frame's rows; `nowMs` never goes back. */
  apply(frame: Frame, nowMs: number): void {
    this.advance(nowMs);
    const ahead: number[] = [];
    for (let row = 0; row < frame.rows; row++) {
      if (frame.baseMs + frame.at[row]! > this.#nowMs) ahead.push(row);
      else this.#count(frame, row);
    }
    if (ahead.length > 0) this.#pending.push({ frame, rows: ahead });
    this.#takeSignals(frame);
    this.#version++;
  }

  /** Moves the windows to `nowMs`: lets pending rows in, drops panes and fingerprints that left the hour. */
  advance(nowMs: number): void {
    if (nowMs <= this.#nowMs) return;
    this.#nowMs = nowMs;
    const slot = firstSlot(windowFrom("5m", nowMs));
    if (slot !== this.#firstSlot) {
      this.#firstSlot = slot;
      for (const held of this.#slots.keys()) if (held < slot) this.#slots.delete(held);
      this.#version++;
    }
    const minute = firstMinute(windowFrom("1h", nowMs));
    if (minute !== this.#firstMinute) this.#expireMinutes(minute);
    if (this.#pending.length > 0) this.#admitPending();
  }

  /** Takes over what another shard, or this one before a restart, knows of the site's first data. */
  noteFirstData(ms: number | undefined): void {
    if (ms !== undefined && ms !== 0 && (this.firstDataMs === 0 || ms < this.firstDataMs))
      this.firstDataMs = ms;
  }

  get isEmpty(): boolean {
    return this.#minutes.size === 0 && this.#pending.length === 0;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  minutePane(minute: number): Pane | undefined {
    return this.#minutes.get(minute);
  }

  /** Tally of one fingerprint in a window. It may be a view: valid until the window changes. */
  tally(id: number, window: WindowName): Tally {
    if (window === "1h") return this.fingerprints.hour(id);
    const dense = this.#heldTallies(window);
    if (dense !== undefined) return dense.subarray(id * TALLY_WIDTH, (id + 1) * TALLY_WIDTH);
    const tally = new Uint32Array(TALLY_WIDTH);
    const from = firstSlot(windowFrom(window, this.#nowMs));
    for (const [slot, pane] of this.#slots) if (slot >= from) pane.addRowTo(id, tally);
    return tally;
  }

  /** Tallies of all fingerprints in a window: a dense table, row = id. Kept until something changes. */
  tallies(window: WindowName): Uint32Array {
    if (window === "1h") return this.fingerprints.hourTable;
    const held = this.#heldTallies(window);
    if (held !== undefined) return held;
    const table = new Uint32Array(this.fingerprints.idEnd * TALLY_WIDTH);
    const from = firstSlot(windowFrom(window, this.#nowMs));
    for (const [slot, pane] of this.#slots) if (slot >= from) pane.addTo(table);
    this.#dense = [
      ...this.#dense.filter((entry) => entry.version === this.#version),
      { window, version: this.#version, table },
    ];
    return table;
  }

  /** Distinct identities (index into IDENTITIES) in a window; `undefined` when no request of it carried one. */
  distinct(id: number, identity: number, window: WindowName): number | undefined {
    const count = this.fingerprints
      .distinctIfAny(id, identity)
      ?.count(firstSlot(windowFrom(window, this.#nowMs)));
    return count === 0 ? undefined : count;
  }

  /** The hour's values of every live fingerprint, by id; `reqs` 0 = no fingerprint has this id. Valid until the window changes. */
  rankValues(): Record<"tags" | "reqs" | "ips" | "uas" | "paths", Uint32Array> & {
    idEnd: number;
    others: number;
  } {
    const { idEnd, hourTable, tags } = this.fingerprints;
    const column = () => new Uint32Array(idEnd);
    const [reqs, ips, uas, paths] = [column(), column(), column(), column()];
    for (const [, id] of this.fingerprints.entries()) {
      reqs[id] = hourTable[id * TALLY_WIDTH + REQS]!;
      ips[id] = this.distinct(id, IDENTITIES.indexOf("ip"), "1h") ?? 0;
      uas[id] = this.distinct(id, IDENTITIES.indexOf("ua"), "1h") ?? 0;
      paths[id] = this.distinct(id, IDENTITIES.indexOf("path"), "1h") ?? 0;
    }
    return { idEnd, tags, reqs, ips, uas, paths, others: 0 };
  }

  /** Sum over all requests of the shard in a window; those without JA4 and of the overflow included. */
  total(window: WindowName): { all: Tally; fingerprints: number; withoutJa4: number; overflow: number } {
    const table = this.tallies(window);
    const all = new Uint32Array(TALLY_WIDTH);
    let fingerprints = 0;
    for (let id = 0; (id + 1) * TALLY_WIDTH <= table.length; id++) {
      addTally(all, 0, table, id * TALLY_WIDTH);
      if (id >= FIRST_ID && table[id * TALLY_WIDTH + REQS]! > 0) fingerprints++;
    }
    return {
      all,
      fingerprints,
      withoutJa4: table[WITHOUT_JA4 * TALLY_WIDTH + REQS] ?? 0,
      overflow: table[OVERFLOW * TALLY_WIDTH + REQS] ?? 0,
    };
  }

  get bytes(): number {
    let bytes = this.fingerprints.bytes;
    for (const pane of this.#minutes.values()) bytes += pane.bytes;
    for (const pane of this.#slots.values()) bytes += pane.bytes;
    return bytes;
  }

  #heldTallies(window: WindowName): Uint32Array | undefined {
    return this.#dense.find((entry) => entry.window === window && entry.version === this.#version)?.table;
  }

  #count(frame: Frame, row: number): void {
    const ms = frame.baseMs + frame.at[row]!;
    const minute = minuteOf(ms);
    if (minute < this.#firstMinute) {
      this.late++;
      return;
    }
    if (this.firstDataMs === 0 || ms < this.firstDataMs) this.firstDataMs = ms;
    const flags = frame.flags[row]!;
    const id = this.fingerprints.intern(frame.fps[frame.fp[row]!]!, ms);
    const slot = slotOf(ms);
    paneAt(this.#minutes, minute).count(id, flags);
    if (slot >= this.#firstSlot) paneAt(this.#slots, slot).count(id, flags);
    countFlags(this.fingerprints.hourTable, id * TALLY_WIDTH, flags);
    if (id === OVERFLOW) this.overflow++;
    // Identities are counted per fingerprint only: those of strangers to each other make no sensible set.
    if (id < FIRST_ID) return;
    this.fingerprints.seen(id, ms);
    for (let identity = 0; identity < IDENTITIES.length; identity++) {
      if ((flags & IDENTITY_FLAGS[identity]!) === 0) continue;
      const hash = frame.identities[IDENTITIES[identity]!][row]!;
      const isNew = this.fingerprints.distinct(id, identity).add(hash, slot);
      const column = NEW_COLUMNS[identity]!;
      if (isNew && column >= 0) {
        paneAt(this.#minutes, minute).increment(id, column);
        this.fingerprints.hourTable[id * TALLY_WIDTH + column]!++;
      }
    }
  }

  #expireMinutes(first: number): void {
    this.#firstMinute = first;
    this.#version++;
    const hour = this.fingerprints.hourTable;
    for (const [minute, pane] of this.#minutes) {
      if (minute >= first) continue;
      for (const id of pane.ids()) subtractTally(hour, id * TALLY_WIDTH, pane.row(id)!, 0);
      this.#minutes.delete(minute);
    }
    for (const [, id] of this.fingerprints.entries()) {
      if (hour[id * TALLY_WIDTH + REQS] === 0) {
        this.fingerprints.remove(id);
        continue;
      }
      for (let identity = 0; identity < IDENTITIES.length; identity++) {
        this.fingerprints.distinctIfAny(id, identity)?.expire(firstSlot(windowFrom("1h", this.#nowMs)));
      }
    }
  }

  #admitPending(): void {
    const waiting = this.#pending;
    this.#pending = [];
    for (const { frame, rows } of waiting) {
      const ahead = rows.filter((row) => {
        if (frame.baseMs + frame.at[row]! > this.#nowMs) return true;
        this.#count(frame, row);
        return false;
      });
      if (ahead.length > 0) this.#pending.push({ frame, rows: ahead });
      this.#takeSignals(frame);
    }
    this.#version++;
  }

  #takeSignals(frame: Frame): void {
    for (const { fp, seenAtMs, values } of frame.signals) {
      const id = seenAtMs > this.#nowMs ? undefined : this.fingerprints.id(frame.fps[fp]!);
      if (id !== undefined) this.fingerprints.setSignals(id, { seenAtMs, values });
    }
  }
}

function paneAt(panes: Map<number, Pane>, key: number): Pane {
  let pane = panes.get(key);
  if (pane === undefined) {
    pane = new Pane();
    panes.set(key, pane);
  }
  return pane;
}
