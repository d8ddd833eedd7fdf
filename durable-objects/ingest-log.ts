/**
 * Frames in: check and dedupe → queue → log → window. Log and window in one synchronous step, so that no other call comes
 * between the disk and the memory; nothing is acknowledged before it is durable. When a commit fails after its transaction
 * returned, the platform resets the object, so memory and disk agree again after the restart.
 */

import { logWarning } from "../src/base/log.ts";
import { FLUSH_MAX_MS, LOG_KEEP_MS, MINUTE_MS } from "../src/config.ts";
import type { EvidenceRing } from "../src/detect/evidence-ring.ts";
import { type CommitEffects, GroupCommit } from "../src/ingest/group-commit.ts";
import { framesOfRow, GroupRowError, groupRows } from "../src/ingest/group-row.ts";
import { frameIdText, type SortedCall, sortCall } from "../src/ingest/sort-call.ts";
import { minuteOf } from "../src/window/time.ts";
import type { Window } from "../src/window/window.ts";
import { COUNTERS, decodeFrame, type Frame, FrameError } from "../src/wire/frame.ts";
import { CallRate, flushAfter, type IngestResult } from "../src/wire/ingest.ts";
import { emptyTotals, type ShardStore, type Totals } from "./sql/shard-store.ts";

/** The totals that live in the log's frames; the others (`late`, `duplicate`, …) are saved once a minute. */
type LoggedTotals = Pick<Totals, "accepted" | "counters" | "sources">;
type SoftTotals = Pick<Totals, "duplicate" | "late" | "shed" | "overflow" | "suppressed">;

/** What only the platform can do for the log. */
export type IngestWaits = Pick<CommitEffects<SortedCall>, "nowMs" | "sync" | "pause">;

/** First sights are kept apart from the log before the log forgets them (LOG_KEEP_MS), a few minutes early. */
const BORN_AFTER_MS = 50 * MINUTE_MS;
const BORN_EVERY_MINUTES = 5;

function bornBefore(window: Window, beforeMs: number): [string, number][] {
  const { fingerprints } = window;
  return [...fingerprints.ids()].flatMap((id) => {
    const firstMs = fingerprints.firstSeenMs(id);
    return firstMs < beforeMs ? [[fingerprints.ja4(id), firstMs] as [string, number]] : [];
  });
}

export class IngestLog {
  readonly #store: ShardStore;
  readonly #window: Window;
  readonly #evidence: EvidenceRing;
  /** Id (as a binary string) → minute of arrival. */
  readonly #ids = new Map<string, number>();
  readonly #perMinute = new Map<number, LoggedTotals>();
  readonly #dropped: LoggedTotals;
  readonly #soft: SoftTotals;
  #savedSoft = "";
  readonly #calls = new CallRate();
  /** Id → the call whose frame is queued, or written and not yet durable. */
  readonly #queued = new Map<string, Promise<void>>();
  readonly #commits: GroupCommit<SortedCall>;

  constructor(store: ShardStore, window: Window, evidence: EvidenceRing, waits: IngestWaits) {
    this.#store = store;
    this.#window = window;
    this.#evidence = evidence;
    this.#dropped = store.meta.get<Totals>("totals") ?? emptyTotals();
    this.#soft = softOf(store.meta.get<SoftTotals>("soft_totals") ?? emptyTotals());
    this.#commits = new GroupCommit({
      ...waits,
      write: (payloads, nowMs) => store.appendLog(minuteOf(nowMs), groupRows(payloads)),
      apply: ({ frames }, nowMs) => {
        for (const { id, frame } of frames) this.#take(id, frame, minuteOf(nowMs), nowMs);
      },
    });
  }

  /** Reads the log back into the window after a start. Answers how many rows and frames could not be read. */
  recover(nowMs: number): number {
    let unreadable = 0;
    for (const minute of this.#store.logMinutes) {
      for (const row of this.#store.logRows(minute)) {
        try {
          for (const bytes of framesOfRow(row)) if (!this.#recover(bytes, minute, nowMs)) unreadable++;
        } catch (error) {
          if (!(error instanceof GroupRowError)) throw error;
          unreadable++;
        }
      }
    }
    for (const [ja4, firstMs] of this.#store.born()) {
      const id = this.#window.fingerprints.id(ja4);
      if (id !== undefined) this.#window.fingerprints.seen(id, firstMs);
    }
    // What left the hour while the shard was down was counted when it came; it is not late now.
    this.#window.takeDropped();
    return unreadable;
  }

  /** Takes frames of one call, all or none; answers when they are durable. */
  async accept(payloads: readonly Uint8Array[], nowMs: number): Promise<IngestResult> {
    const callsPerSecond = this.#calls.note(nowMs);
    const call = sortCall(payloads, { has: (id) => this.#ids.has(id), queued: (id) => this.#queued.get(id) });
    if (typeof call === "string") return { ok: false, fault: call };
    if (call.frames.length > 0 && !this.#commits.hasRoom(call.bytes)) {
      this.#soft.shed += call.rows;
      return { ok: false, fault: "overloaded" };
    }
    // Both at once: when one fails the other is still waited for by somebody.
    await Promise.all([...call.others, this.#commit(call, callsPerSecond)]);
    this.#soft.duplicate += call.duplicate;
    const flushAfterMs = flushAfter(callsPerSecond, FLUSH_MAX_MS);
    return { ok: true, accepted: call.rows, duplicate: call.duplicate, flushAfterMs };
  }

  async #commit(call: SortedCall, callsPerSecond: number): Promise<void> {
    if (call.frames.length === 0) return;
    const durable = this.#commits.submit(call, callsPerSecond);
    for (const { id } of call.frames) this.#queued.set(id, durable);
    try {
      await durable;
    } finally {
      for (const { id } of call.frames) this.#queued.delete(id);
    }
  }

  /** Forgets logs and ids that are too old to matter, and saves the totals; once a minute is enough. */
  trim(nowMs: number): void {
    const first = minuteOf(nowMs - LOG_KEEP_MS);
    for (const [minute, totals] of this.#perMinute) {
      if (minute >= first) continue;
      addTotals(this.#dropped, totals);
      this.#perMinute.delete(minute);
    }
    this.#store.dropLogs(first, { ...emptyTotals(), ...this.#dropped });
    for (const [id, minute] of this.#ids) if (minute < first) this.#ids.delete(id);
    if (minuteOf(nowMs) % BORN_EVERY_MINUTES === 0) {
      this.#store.setBorn(bornBefore(this.#window, nowMs - BORN_AFTER_MS));
    }
    const soft = this.#softNow();
    const text = JSON.stringify(soft);
    if (text !== this.#savedSoft) this.#store.meta.set("soft_totals", soft);
    this.#savedSoft = text;
  }

  /** Since the site's first start. */
  totals(): Totals {
    const totals = { ...emptyTotals(), ...this.#softNow() };
    addTotals(totals, this.#dropped);
    for (const minute of this.#perMinute.values()) addTotals(totals, minute);
    return totals;
  }

  noteSuppressed(count: number): void {
    this.#soft.suppressed += count;
  }

  noteDuplicate(count: number): void {
    this.#soft.duplicate += count;
  }

  #softNow(): SoftTotals {
    const { late, overflow } = this.#window.takeDropped();
    this.#soft.late += late;
    this.#soft.overflow += overflow;
    return this.#soft;
  }

  /** Whether a frame of the log could be read. One that is there twice counts once. */
  #recover(bytes: Uint8Array, minute: number, nowMs: number): boolean {
    try {
      const frame = decodeFrame(bytes);
      const id = frameIdText(frame.id);
      if (!this.#ids.has(id)) this.#take(id, frame, minute, nowMs);
      return true;
    } catch (error) {
      if (error instanceof FrameError) return false;
      throw error;
    }
  }

  #take(id: string, frame: Frame, minute: number, nowMs: number): void {
    this.#ids.set(id, minute);
    let totals = this.#perMinute.get(minute);
    if (totals === undefined) {
      totals = emptyTotals();
      this.#perMinute.set(minute, totals);
    }
    const { counters } = frame;
    addTotals(totals, { accepted: frame.rows, counters, sources: { [frame.source]: frame.rows } });
    this.#window.apply(frame, nowMs);
    this.#evidence.add(frame);
  }
}

/** Those five numbers alone: what the log's frames hold must not be in two places. */
function softOf({ duplicate, late, shed, overflow, suppressed }: SoftTotals): SoftTotals {
  return { duplicate, late, shed, overflow, suppressed };
}

function addTotals(into: LoggedTotals, from: LoggedTotals): void {
  into.accepted += from.accepted;
  for (const name of COUNTERS) into.counters[name] += from.counters[name];
  for (const [source, count] of Object.entries(from.sources)) {
    const name = source as keyof LoggedTotals["sources"];
    into.sources[name] = (into.sources[name] ?? 0) + count;
  }
}

/** Says once at a start that a part of the log could not be read; it stays on disk. */
export function warnUnreadable(site: string, shard: number, count: number): void {
  if (count > 0) logWarning({ event: "log_unreadable", site, shard, count });
}
