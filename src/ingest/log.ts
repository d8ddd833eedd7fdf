/**
 * Frames in: check and dedupe → queue → log → window. Log and window in one synchronous step, so that no other call comes
 * between the disk and the memory; nothing is acknowledged before it is durable. When a commit fails after its transaction
 * returned, the platform resets the object, so memory and disk agree again after the restart.
 *
 * The log is the truth. Each row of it carries the time at which it was applied, so that a restart that applies the same
 * rows at the same times comes to the same memory. A checkpoint is that memory at one place of the log: a start that can
 * read it goes on from there, and one that cannot reads the whole log.
 */
import type { PartSink } from "../base/image.ts";
import {
  CHECKPOINT_BYTES_A_WORK,
  CHECKPOINT_PAUSE_MS,
  CHECKPOINT_WORK,
  DELAY_MAX_MS,
  FLUSH_MAX_MS,
  LOG_KEEP_MS,
  MINUTE_MS,
} from "../config.ts";
import { minuteOf } from "../window/time.ts";
import type { Window } from "../window/window.ts";
import { CallRate, flushAfter, type IngestResult } from "../wire/ingest.ts";
import { type CommitEffects, GroupCommit } from "./group-commit.ts";
import { groupRows } from "./group-row.ts";
import type { DelayChange, LogPosition, ShardMemory } from "./memory.ts";
import { type Recovery, type RecoveryDisk, workOf } from "./recovery.ts";
import { type SortedCall, sortCall } from "./sort-call.ts";
import {
  addLogged,
  type LoggedTotals,
  noLogged,
  noUnlogged,
  type Totals,
  type UnloggedTotals,
} from "./totals.ts";

/** What the log needs of a shard's disk; every write is one transaction. */
export interface LogDisk extends RecoveryDisk {
  /** Appends rows to the table of a minute; answers where the last one is. `atMs` never goes back. */
  appendLog(minute: number, atMs: number, rows: readonly Uint8Array[]): LogPosition;
  /** Forgets the log of minutes before `minute`, of which `totals` is the sum with all before it. */
  dropLogs(minute: number, totals: LoggedTotals): void;
  /** Totals of the minutes that were dropped. */
  droppedTotals(): Partial<LoggedTotals> | undefined;
  unloggedTotals(): Partial<UnloggedTotals> | undefined;
  setUnloggedTotals(totals: UnloggedTotals): void;
  /** Replaces the checkpoint by the parts that `write` hands out, all or none; `undefined` = by none. */
  setCheckpoint(write: ((sink: PartSink) => void) | undefined): void;
  /** Replaces what `delays` answers. */
  setDelays(delays: readonly DelayChange[]): void;
  /** When the newest row was written, ms; 0 = none. */
  readonly lastRowMs: number;
  setBorn(atMs: number, entries: readonly [string, number][]): void;
}

/** What only the platform can do for the log. */
export type LogWaits = Pick<CommitEffects<SortedCall>, "nowMs" | "sync" | "pause">;

/** When a checkpoint is due; the defaults are those of config.ts. */
export interface LogLimits {
  /** Least work that it must save a start (see FRAME_WORK). */
  checkpointWork: number;
  /** One more for so many bytes of memory. */
  checkpointBytesAWork: number;
  checkpointPauseMs: number;
}

const LIMITS: LogLimits = {
  checkpointWork: CHECKPOINT_WORK,
  checkpointBytesAWork: CHECKPOINT_BYTES_A_WORK,
  checkpointPauseMs: CHECKPOINT_PAUSE_MS,
};

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
  readonly #disk: LogDisk;
  readonly #memory: ShardMemory;
  readonly #limits: LogLimits;
  readonly #dropped: LoggedTotals = noLogged();
  readonly #unlogged: UnloggedTotals;
  #savedUnlogged: string;
  readonly #calls = new CallRate();
  /** Id → the call whose frame is queued, or written and not yet durable. */
  readonly #queued = new Map<string, Promise<void>>();
  readonly #commits: GroupCommit<SortedCall>;
  /** Time of the newest row, ms: the log's never goes back, whatever the clock does. */
  #rowMs: number;
  /** Work of a start that would read what is in the log and in no checkpoint. */
  #uncovered: number;
  #checkpointMs = 0;
  #refused = 0;

  constructor(
    disk: LogDisk,
    { memory, work }: Pick<Recovery, "memory" | "work">,
    waits: LogWaits,
    limits = LIMITS,
  ) {
    this.#limits = limits;
    this.#disk = disk;
    this.#memory = memory;
    this.#uncovered = work;
    this.#rowMs = Math.max(disk.lastRowMs, memory.window.nowMs);
    addLogged(this.#dropped, disk.droppedTotals() ?? {});
    this.#unlogged = { ...noUnlogged(), ...disk.unloggedTotals() };
    this.#savedUnlogged = JSON.stringify(this.#unlogged);
    this.#commits = new GroupCommit({
      ...waits,
      write: (payloads, nowMs) => {
        this.#rowMs = Math.max(nowMs, this.#rowMs);
        this.#memory.position = disk.appendLog(minuteOf(this.#rowMs), this.#rowMs, groupRows(payloads));
      },
      apply: ({ frames }) => {
        for (const { frame } of frames) {
          memory.take(frame, minuteOf(this.#rowMs), this.#rowMs);
          this.#uncovered += workOf(frame);
        }
      },
    });
  }

  /** Nothing is kept of anybody. */
  get isEmpty(): boolean {
    return this.#disk.logMinutes.length === 0;
  }

  /** Calls refused for overload since the object woke up, those that are sent again among them. */
  get refusedCalls(): number {
    return this.#refused;
  }

  /** When the newest row was written, ms. */
  get lastRowMs(): number {
    return this.#rowMs;
  }

  /** Where the window's clock should be, ms: a site may lie behind by `delayMs`. */
  asOfMs(nowMs: number): number {
    return nowMs - this.#memory.delayMs;
  }

  /**
   * From now on the window lies `delayMs` behind. Written down with the place of the log and the clock, so that a start that
   * reads the log again counts every row at the same time; a clock that is ahead of the new delay waits for it.
   */
  setDelay(delayMs: number, nowMs: number): void {
    const memory = this.#memory;
    if (delayMs === memory.delayMs) return;
    // Where there is nothing to count twice the clock may go back: a site that is set up need not wait for its delay.
    if (this.isEmpty) memory.window.restart(nowMs - delayMs);
    else memory.window.advance(this.asOfMs(nowMs));
    const change = { after: memory.position, delayMs, asOfMs: memory.window.nowMs };
    // The last change before the oldest row of the log still holds for that.
    const first = minuteOf(nowMs - DELAY_MAX_MS - LOG_KEEP_MS);
    const changes = [...this.#disk.delays(), change];
    this.#disk.setDelays(
      changes.filter((_, i) => i + 1 === changes.length || changes[i + 1]!.after.minute >= first),
    );
    memory.setDelay(change);
  }

  /** Takes frames of one call, all or none; answers when they are durable. */
  async accept(payloads: readonly Uint8Array[], nowMs: number): Promise<IngestResult> {
    const callsPerSecond = this.#calls.note(nowMs);
    const { ids } = this.#memory;
    const call = sortCall(payloads, { age: (id) => ids.age(id), queued: (id) => this.#queued.get(id) });
    if (typeof call === "string") return { ok: false, fault: call };
    if (call.frames.length > 0 && !this.#commits.hasRoom(call.bytes)) {
      this.#refused++;
      this.#unlogged.shed += call.unrepeated;
      return { ok: false, fault: "overloaded" };
    }
    // Both at once: when one fails the other is still waited for by somebody.
    await Promise.all([...call.others, this.#commit(call, callsPerSecond)]);
    this.#unlogged.duplicate += call.duplicate;
    this.#unlogged.stale += call.stale;
    return {
      ok: true,
      accepted: call.rows,
      duplicate: call.duplicate,
      stale: call.stale,
      flushAfterMs: flushAfter(callsPerSecond, FLUSH_MAX_MS),
    };
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

  /**
   * Writes a checkpoint when so much has come since the last one that a start would take long. Call it where the
   * shard may stop for some ten milliseconds. Throws when it cannot be written, and tries again after a pause.
   */
  checkpoint(nowMs: number): void {
    const { checkpointWork, checkpointBytesAWork, checkpointPauseMs } = this.#limits;
    if (this.#uncovered < checkpointWork || nowMs - this.#checkpointMs < checkpointPauseMs) return;
    if (this.#uncovered < checkpointWork + this.#memory.byteLength / checkpointBytesAWork) return;
    this.#checkpointMs = nowMs;
    this.#disk.setCheckpoint((sink) => this.#memory.writeImage(sink));
    this.#uncovered = 0;
  }

  /** Forgets logs and ids that are too old to matter, and saves the totals; once a minute is enough. */
  trim(nowMs: number): void {
    const first = minuteOf(nowMs - LOG_KEEP_MS);
    const { ids, perMinute, position, window } = this.#memory;
    for (const [minute, totals] of perMinute) {
      if (minute >= first) continue;
      addLogged(this.#dropped, totals);
      perMinute.delete(minute);
    }
    this.#disk.dropLogs(first, this.#dropped);
    // No log behind it: what it holds left the windows, and must leave the disk.
    if (position.minute < first) this.#disk.setCheckpoint(undefined);
    ids.forget(first);
    if (minuteOf(nowMs) % BORN_EVERY_MINUTES === 0)
      this.#disk.setBorn(nowMs, bornBefore(window, nowMs - BORN_AFTER_MS));
    const text = JSON.stringify(this.#unlogged);
    if (text !== this.#savedUnlogged) this.#disk.setUnloggedTotals(this.#unlogged);
    this.#savedUnlogged = text;
  }

  /** Since the site's first start. */
  totals(): Totals {
    const totals = { ...noLogged(), ...this.#unlogged };
    addLogged(totals, this.#dropped);
    for (const minute of this.#memory.perMinute.values()) addLogged(totals, minute);
    return totals;
  }

  noteSuppressed(count: number): void {
    this.#unlogged.suppressed += count;
  }

  noteDuplicate(count: number): void {
    this.#unlogged.duplicate += count;
  }
}
