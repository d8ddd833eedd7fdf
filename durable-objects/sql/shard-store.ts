/**
 * A shard's disk.
 *
 *   log_{minute}   groups of frames by arrival (`src/ingest/group-row.ts`), one table a minute; a whole minute is
 *                  forgotten by DROP TABLE, which bills no rows
 *   idempotency    requests with a key whose home is this shard
 *   outbox         events on their way to the feed; `n` never starts again (meta.outbox)
 *   episodes       running episodes and raised thresholds, so that a restart raises nothing again
 *   born           first sight of fingerprints older than the log
 *   meta           totals of dropped minutes, settings, warm-up
 */
import { COUNTERS, type CounterName, type Source } from "../../src/wire/frame.ts";
import { Meta, type Migration, migrate, type Sql } from "./migrate.ts";

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

/** What a shard counted since the site's first start. */
export interface Totals {
  accepted: number;
  duplicate: number;
  late: number;
  shed: number;
  overflow: number;
  suppressed: number;
  counters: Record<CounterName, number>;
  sources: Partial<Record<Source, number>>;
}

export function emptyTotals(): Totals {
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<CounterName, number>;
  return { accepted: 0, duplicate: 0, late: 0, shed: 0, overflow: 0, suppressed: 0, counters, sources: {} };
}

/** A text row this long at most; the platform's limit is 2 MB. */
const PART_CHARS = 500_000;

export class ShardStore {
  readonly meta: Meta;
  readonly #storage: Sql;
  readonly #logs: number[];

  constructor(storage: Sql) {
    migrate(storage, MIGRATIONS);
    this.#storage = storage;
    this.meta = new Meta(storage);
    this.#logs = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'log_%'")
      .toArray()
      .map(({ name }) => Number(name.slice("log_".length)))
      .sort((a, b) => a - b);
  }

  transaction<T>(closure: () => T): T {
    return this.#storage.transactionSync(closure);
  }

  /** Appends rows to the log of the minute in which their frames were committed, all or none. */
  appendLog(minute: number, rows: readonly Uint8Array[]): void {
    this.#storage.transactionSync(() => {
      if (!this.#logs.includes(minute)) {
        // The number comes from the clock, not from a caller: safe to put into the statement.
        this.#storage.sql.exec(`CREATE TABLE log_${minute} (seq INTEGER PRIMARY KEY, frame BLOB NOT NULL)`);
      }
      for (const row of rows) this.#storage.sql.exec(`INSERT INTO log_${minute} (frame) VALUES (?)`, row);
    });
    // Only after the transaction: a rolled-back table must not be taken for an existing one.
    if (!this.#logs.includes(minute)) this.#logs.push(minute);
  }

  /** Every row of one minute's log, in order of arrival. */
  *logRows(minute: number): Generator<Uint8Array> {
    for (const row of this.#storage.sql.exec<{ frame: ArrayBuffer }>(
      `SELECT frame FROM log_${minute} ORDER BY seq`,
    )) {
      yield new Uint8Array(row.frame);
    }
  }

  get logMinutes(): readonly number[] {
    return this.#logs;
  }

  /** Forgets the logs of minutes before `minute`; `totals` is what they counted, stored in the same step. */
  dropLogs(minute: number, totals: Totals): void {
    const old = this.#logs.filter((held) => held < minute);
    if (old.length === 0) return;
    this.#storage.transactionSync(() => {
      this.meta.set("totals", totals);
      for (const held of old) this.#storage.sql.exec(`DROP TABLE log_${held}`);
    });
    this.#logs.splice(0, this.#logs.length, ...this.#logs.filter((held) => held >= minute));
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

  /** First sights by fingerprint. */
  *born(): Generator<[string, number]> {
    for (const { entries } of this.#storage.sql.exec<{ entries: string }>("SELECT entries FROM born")) {
      yield* JSON.parse(entries) as [string, number][];
    }
  }

  /** Replaces the stored first sights. */
  setBorn(entries: readonly [string, number][]): void {
    const text = JSON.stringify(entries);
    const perPart = Math.max(1, Math.floor((entries.length * PART_CHARS) / Math.max(1, text.length)));
    this.#storage.transactionSync(() => {
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
