/**
 * A shard's disk.
 *
 *   log_{minute}   groups of frames by arrival (`src/ingest/group-row.ts`), one table a minute; a whole minute is
 *                  forgotten by DROP TABLE, which bills no rows. `seq` = time of the write, ms, × 1,024 + place in it;
 *                  code of before counted it up from 1
 *   checkpoint     the memory at one place of the log, a row a part (`part-table.ts`)
 *   detection      what detection has learned, a row a part, minutes old at most
 *   idempotency    requests with a key whose home is this shard
 *   outbox         events on their way to the feed; `n` never starts again (meta.outbox)
 *   episodes       running episodes and raised thresholds, so that a restart raises nothing again
 *   born           first sight of fingerprints older than the log
 *   meta           totals of dropped minutes, settings, warm-up, seed, changes of the delay
 */
import type { PartSink } from "../../src/base/image.ts";
import type { LogDisk } from "../../src/ingest/log.ts";
import type { DelayChange, LogPosition } from "../../src/ingest/memory.ts";
import type { LogRow } from "../../src/ingest/recovery.ts";
import type { LoggedTotals, UnloggedTotals } from "../../src/ingest/totals.ts";
import { Meta, type Migration, migrate, type Sql } from "./migrate.ts";
import { PartTable } from "./part-table.ts";

const MIGRATIONS: Migration[] = [
  Meta.migration,
  {
    name: "shard",
    sql: [
      `CREATE TABLE idempotency (key TEXT PRIMARY KEY, body_hash BLOB NOT NULL, first_ms INTEGER NOT NULL, answer TEXT)
         WITHOUT ROWID`,
      "CREATE TABLE outbox (n INTEGER PRIMARY KEY, event TEXT NOT NULL)",
      "CREATE TABLE episodes (key TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
      "CREATE TABLE born (part INTEGER PRIMARY KEY, entries TEXT NOT NULL)",
    ],
  },
];

/** A text row this long at most; the platform's limit is 2 MB. */
const PART_CHARS = 500_000;

/** Rows of a log that one ms has room for: times stay exact, and numbers below 2^53. */
const SEQ_A_MS = 1_024;
/** Code of before counted rows from 1; no time is as small. */
const SEQ_COUNTED_MAX = 2 ** 40;

function logRow(minute: number, { seq, frame }: { seq: number; frame: ArrayBuffer }): LogRow {
  const atMs = seq < SEQ_COUNTED_MAX ? undefined : Math.floor(seq / SEQ_A_MS);
  return { minute, seq, atMs, bytes: new Uint8Array(frame) };
}

export class ShardStore implements LogDisk {
  readonly meta: Meta;
  /** What detection has learned (`src/detect/memory.ts`). */
  readonly detection: PartTable;
  readonly #checkpoint: PartTable;
  readonly #storage: Sql;
  readonly #logs: number[];
  /** `seq` of the newest row of the log. */
  #lastSeq: number;

  constructor(storage: Sql) {
    migrate(storage, MIGRATIONS);
    this.#storage = storage;
    this.detection = new PartTable(storage, "detection");
    this.#checkpoint = new PartTable(storage, "checkpoint");
    this.meta = new Meta(storage);
    this.#logs = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'log_%'")
      .toArray()
      .map(({ name }) => Number(name.slice("log_".length)))
      .sort((a, b) => a - b);
    const newest = this.#logs.at(-1);
    this.#lastSeq =
      newest === undefined
        ? 0
        : (storage.sql.exec<{ seq: number | null }>(`SELECT MAX(seq) AS seq FROM log_${newest}`).one().seq ??
          0);
  }

  transaction<T>(closure: () => T): T {
    return this.#storage.transactionSync(closure);
  }

  appendLog(minute: number, atMs: number, rows: readonly Uint8Array[]): LogPosition {
    const { sql } = this.#storage;
    const isNew = !this.#logs.includes(minute);
    let seq = Math.max(atMs * SEQ_A_MS, this.#lastSeq + 1) - 1;
    this.#storage.transactionSync(() => {
      // The number comes from the clock, not from a caller: safe to put into the statement.
      if (isNew) sql.exec(`CREATE TABLE log_${minute} (seq INTEGER PRIMARY KEY, frame BLOB NOT NULL)`);
      for (const row of rows) sql.exec(`INSERT INTO log_${minute} (seq, frame) VALUES (?, ?)`, ++seq, row);
    });
    // Only after the transaction: a rolled-back table must not be taken for an existing one.
    if (isNew) this.#logs.push(minute);
    this.#lastSeq = seq;
    return { minute, seq };
  }

  *logRows(after: LogPosition): Generator<LogRow> {
    for (const minute of this.#logs) {
      if (minute < after.minute) continue;
      const seqs = this.#storage.sql.exec<{ seq: number; frame: ArrayBuffer }>(
        `SELECT seq, frame FROM log_${minute} WHERE seq > ? ORDER BY seq`,
        minute === after.minute ? after.seq : 0,
      );
      for (const row of seqs) yield logRow(minute, row);
    }
  }

  /** All rows of the log, newest first. A statement for each: one that is left half read would lock its table. */
  *logRowsBack(): Generator<LogRow> {
    for (const minute of this.#logs.toReversed()) {
      let before = Number.MAX_SAFE_INTEGER;
      for (;;) {
        const [row] = this.#storage.sql
          .exec<{ seq: number; frame: ArrayBuffer }>(
            `SELECT seq, frame FROM log_${minute} WHERE seq < ? ORDER BY seq DESC LIMIT 1`,
            before,
          )
          .toArray();
        if (row === undefined) break;
        before = row.seq;
        yield logRow(minute, row);
      }
    }
  }

  get logMinutes(): readonly number[] {
    return this.#logs;
  }

  dropLogs(minute: number, totals: LoggedTotals): void {
    const old = this.#logs.filter((held) => held < minute);
    if (old.length === 0) return;
    this.#storage.transactionSync(() => {
      this.meta.set("totals", totals);
      for (const held of old) this.#storage.sql.exec(`DROP TABLE log_${held}`);
    });
    this.#logs.splice(0, this.#logs.length, ...this.#logs.filter((held) => held >= minute));
  }

  droppedTotals(): Partial<LoggedTotals> | undefined {
    return this.meta.get("totals");
  }

  delays(): readonly DelayChange[] {
    return this.meta.get("delays") ?? [];
  }

  setDelays(delays: readonly DelayChange[]): void {
    this.meta.set("delays", delays);
  }

  get lastRowMs(): number {
    return this.#lastSeq < SEQ_COUNTED_MAX ? 0 : Math.floor(this.#lastSeq / SEQ_A_MS);
  }

  unloggedTotals(): Partial<UnloggedTotals> | undefined {
    return this.meta.get("soft_totals");
  }

  setUnloggedTotals(totals: UnloggedTotals): void {
    this.meta.set("soft_totals", totals);
  }

  checkpoint(): Iterable<Uint8Array> | undefined {
    return this.#checkpoint.read();
  }

  setCheckpoint(write: ((sink: PartSink) => void) | undefined): void {
    this.#checkpoint.write(write);
  }

  /** Events in order, oldest first; at most `limit`. */
  outbox(limit: number): { n: number; event: string }[] {
    return this.#storage.sql
      .exec<{ n: number; event: string }>("SELECT n, event FROM outbox ORDER BY n LIMIT ?", limit)
      .toArray();
  }

  /** Inside a transaction of the caller's. Numbers go on where they were even after the table was emptied. */
  pushOutbox(events: readonly string[]): void {
    if (events.length === 0) return;
    let n = this.meta.get<number>("outbox") ?? 0;
    for (const event of events)
      this.#storage.sql.exec("INSERT INTO outbox (n, event) VALUES (?, ?)", ++n, event);
    this.meta.set("outbox", n);
  }

  ackOutbox(n: number): void {
    this.#storage.sql.exec("DELETE FROM outbox WHERE n <= ?", n);
  }

  episodes(): { key: string; state: string }[] {
    return this.#storage.sql
      .exec<{ key: string; state: string }>("SELECT key, state FROM episodes")
      .toArray();
  }

  putEpisode(key: string, state: string): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO episodes (key, state) VALUES (?, ?)", key, state);
  }

  deleteEpisode(key: string): void {
    this.#storage.sql.exec("DELETE FROM episodes WHERE key = ?", key);
  }

  born(): { atMs: number; entries: Generator<[string, number]> } {
    // Code of before did not say when.
    return { atMs: this.meta.get<number>("born_ms") ?? Number.POSITIVE_INFINITY, entries: this.#born() };
  }

  *#born(): Generator<[string, number]> {
    for (const { entries } of this.#storage.sql.exec<{ entries: string }>("SELECT entries FROM born")) {
      yield* JSON.parse(entries) as [string, number][];
    }
  }

  setBorn(atMs: number, entries: readonly [string, number][]): void {
    const text = JSON.stringify(entries);
    const perPart = Math.max(1, Math.floor((entries.length * PART_CHARS) / Math.max(1, text.length)));
    this.#storage.transactionSync(() => {
      this.meta.set("born_ms", atMs);
      this.#storage.sql.exec("DELETE FROM born");
      for (let part = 0; part * perPart < entries.length; part++) {
        const slice = JSON.stringify(entries.slice(part * perPart, (part + 1) * perPart));
        this.#storage.sql.exec("INSERT INTO born (part, entries) VALUES (?, ?)", part, slice);
      }
    });
  }

  idempotency(
    key: string,
  ): { bodyHash: Uint8Array; firstMs: number; answer: string | undefined } | undefined {
    const row = this.#storage.sql
      .exec<{ body_hash: ArrayBuffer; first_ms: number; answer: string | null }>(
        "SELECT body_hash, first_ms, answer FROM idempotency WHERE key = ?",
        key,
      )
      .toArray()[0];
    if (row === undefined) return undefined;
    return {
      bodyHash: new Uint8Array(row.body_hash),
      firstMs: row.first_ms,
      answer: row.answer ?? undefined,
    };
  }

  putIdempotency(key: string, bodyHash: Uint8Array, firstMs: number): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO idempotency (key, body_hash, first_ms, answer) VALUES (?, ?, ?, NULL)",
      key,
      bodyHash,
      firstMs,
    );
  }

  answerIdempotency(key: string, answer: string): void {
    this.#storage.sql.exec("UPDATE idempotency SET answer = ? WHERE key = ?", answer, key);
  }

  expireIdempotency(beforeMs: number): void {
    this.#storage.sql.exec("DELETE FROM idempotency WHERE first_ms < ?", beforeMs);
  }
}
