/**
 * Frames in: dedupe → log → window, in one synchronous step, so that no other call comes between the disk and the memory.
 * Nothing is acknowledged before the log's transaction; the platform's output gate holds the answer until it is durable,
 * and resets the object when it fails, so memory and disk agree again after the restart.
 */

import { logWarning } from "../src/base/log.ts";
import { FLUSH_MAX_MS, LOG_KEEP_MS, MINUTE_MS } from "../src/config.ts";
import type { EvidenceRing } from "../src/detect/evidence-ring.ts";
import { minuteOf } from "../src/window/time.ts";
import type { Window } from "../src/window/window.ts";
import { COUNTERS, decodeFrame, type Frame, FrameError } from "../src/wire/frame.ts";
import { CallRate, flushAfter, type IngestResult } from "../src/wire/ingest.ts";
import { emptyTotals, type ShardStore, type Totals } from "./sql/shard-store.ts";

/** The totals that live in the log's frames; the others (`late`, `duplicate`, …) are saved once a minute. */
type LoggedTotals = Pick<Totals, "accepted" | "counters" | "sources">;
type SoftTotals = Pick<Totals, "duplicate" | "late" | "shed" | "overflow" | "suppressed">;

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

  constructor(store: ShardStore, window: Window, evidence: EvidenceRing) {
    this.#store = store;
    this.#window = window;
    this.#evidence = evidence;
    this.#dropped = store.meta.get<Totals>("totals") ?? emptyTotals();
    this.#soft = softOf(store.meta.get<SoftTotals>("soft_totals") ?? emptyTotals());
  }

  /** Reads the log back into the window after a start. Answers how many frames could not be read. */
  recover(nowMs: number): number {
    let unreadable = 0;
    for (const minute of this.#store.logMinutes) {
      for (const bytes of this.#store.frames(minute)) {
        try {
          this.#take(decodeFrame(bytes), minute, nowMs);
        } catch (error) {
          if (!(error instanceof FrameError)) throw error;
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

  /** Takes frames of one call, all or none. */
  accept(payloads: readonly Uint8Array[], nowMs: number): IngestResult {
    const fresh: { bytes: Uint8Array; frame: Frame }[] = [];
    const ids = new Set<string>();
    let duplicate = 0;
    for (const bytes of payloads) {
      let frame: Frame;
      try {
        frame = decodeFrame(bytes);
      } catch (error) {
        if (error instanceof FrameError) return { ok: false, fault: error.fault };
        throw error;
      }
      const id = idText(frame.id);
      if (this.#ids.has(id) || ids.has(id)) {
        duplicate += frame.rows;
        continue;
      }
      ids.add(id);
      fresh.push({ bytes, frame });
    }
    const minute = minuteOf(nowMs);
    if (fresh.length > 0)
      this.#store.appendLog(
        minute,
        fresh.map(({ bytes }) => bytes),
      );
    let accepted = 0;
    for (const { frame } of fresh) {
      this.#take(frame, minute, nowMs);
      accepted += frame.rows;
    }
    this.#soft.duplicate += duplicate;
    const flushAfterMs = flushAfter(this.#calls.note(nowMs), FLUSH_MAX_MS);
    return { ok: true, accepted, duplicate, flushAfterMs };
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

  #take(frame: Frame, minute: number, nowMs: number): void {
    this.#ids.set(idText(frame.id), minute);
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

function idText(id: Uint8Array): string {
  return String.fromCharCode(...id);
}

/** Says once at a start that frames could not be read; they stay on disk. */
export function warnUnreadable(site: string, shard: number, count: number): void {
  if (count > 0) logWarning({ event: "log_unreadable", site, shard, count });
}
