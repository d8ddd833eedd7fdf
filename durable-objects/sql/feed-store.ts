/**
 * The feed's disk: events under their sequence, the shards' high-water marks, settings in force. The newest event is
 * never deleted: an emptied table would start its numbers again at 1.
 */
import type { FeedSettings } from "../../src/api/objects.ts";
import { FEED_KEEP_EVENTS, FEED_KEEP_MS } from "../../src/base/feed-limits.ts";
import { HOUR_MS } from "../../src/config.ts";
import { cursorText } from "../../src/feed/cursor.ts";
import { type EventTraits, traitsOf } from "../../src/feed/filter.ts";
import type { PastEvent, StoredEvent } from "../../src/feed/membership.ts";
import type { FeedEvent } from "../../src/wire/event.ts";
import { AnomalyIndex } from "./anomaly-index.ts";
import { Meta, type Migration, migrate, type Sql } from "./migrate.ts";

const PRUNE_LATE_MS = HOUR_MS;
const PRUNE_LATE_EVENTS = FEED_KEEP_EVENTS / 100;

const MIGRATIONS: Migration[] = [
  {
    name: "feed",
    sql: [
      "CREATE TABLE events (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, traits TEXT NOT NULL, event TEXT NOT NULL)",
      "CREATE TABLE sources (source TEXT PRIMARY KEY, high INTEGER NOT NULL) WITHOUT ROWID",
      "CREATE TABLE tickets (digest TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID",
    ],
  },
];

/** What stands between a source and the table: it may mark events, and add events of its own. */
export interface Guard {
  /** The event as it is to be kept. */
  admit(event: FeedEvent): FeedEvent;
  /** What is to be said after these events. */
  after(): FeedEvent[];
}

export class FeedStore {
  readonly #storage: Sql;
  /** The same events by the anomaly that they tell of. */
  readonly anomalies: AnomalyIndex;
  #newest: number;
  #oldest: { sequence: number; atMs: number } | undefined;

  constructor(storage: Sql) {
    migrate(storage, MIGRATIONS);
    this.#storage = storage;
    this.#newest =
      storage.sql.exec<{ at: number | null }>("SELECT MAX(sequence) AS at FROM events").one().at ?? 0;
    this.#oldest = this.#readOldest();
    this.anomalies = new AnomalyIndex(storage);
  }

  /** Sequence of the newest event; 0 = there never was one. */
  get newest(): number {
    return this.#newest;
  }

  /** Sequence of the oldest event that is kept; the next one to come while there is none. */
  get oldest(): number {
    return this.#oldest?.sequence ?? this.#newest + 1;
  }

  /** Appends what is new of a source's outbox, in order; `kept` hears of each within the transaction. Answers the new events and the source's high-water mark. */
  append(
    source: string,
    events: readonly { n: number; event: string }[],
    nowMs: number,
    guard: Guard,
    kept: (sequence: number, event: FeedEvent) => void = () => {},
  ): { fresh: StoredEvent[]; high: number } {
    const { sql } = this.#storage;
    return this.#storage.transactionSync(() => {
      let high =
        sql.exec<{ high: number }>("SELECT high FROM sources WHERE source = ?", source).toArray()[0]?.high ??
        0;
      const fresh: StoredEvent[] = [];
      const keep = (event: FeedEvent) => {
        const sequence = this.#newest + fresh.length + 1;
        fresh.push(this.#insert(sequence, event, nowMs));
        kept(sequence, event);
      };
      for (const { n, event } of events) {
        if (n <= high) continue;
        high = n;
        keep(guard.admit(JSON.parse(event) as FeedEvent));
      }
      for (const event of guard.after()) keep(event);
      if (events.length > 0)
        sql.exec("INSERT OR REPLACE INTO sources (source, high) VALUES (?, ?)", source, high);
      if (fresh.length > 0) this.#oldest ??= { sequence: this.#newest + 1, atMs: nowMs };
      this.#newest += fresh.length;
      return { fresh, high };
    });
  }

  #insert(sequence: number, event: FeedEvent, nowMs: number): StoredEvent {
    const traits = traitsOf(event);
    const text = JSON.stringify({ ...event, sequence: cursorText(sequence) });
    this.#storage.sql.exec(
      "INSERT INTO events (sequence, at_ms, traits, event) VALUES (?, ?, ?, ?)",
      sequence,
      nowMs,
      JSON.stringify(traits),
      text,
    );
    this.anomalies.note(sequence, event);
    return { sequence, traits, text };
  }

  /** Events after a sequence, oldest first. */
  after(sequence: number, limit: number): StoredEvent[] {
    return this.#storage.sql
      .exec<{ sequence: number; traits: string; event: string }>(
        "SELECT sequence, traits, event FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
        sequence,
        limit,
      )
      .toArray()
      .map(({ sequence: at, traits, event }) => ({
        sequence: at,
        traits: JSON.parse(traits) as EventTraits,
        text: event,
      }));
  }

  /** What is to be counted of the events after a sequence, up to another one, oldest first. */
  past(sequence: number, upTo: number): PastEvent[] {
    return this.#storage.sql
      .exec<{ sequence: number; at_ms: number; traits: string; length: number }>(
        "SELECT sequence, at_ms, traits, LENGTH(event) AS length FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence",
        sequence,
        upTo,
      )
      .toArray()
      .map(({ sequence: at, at_ms, traits, length }) => ({
        sequence: at,
        atMs: at_ms,
        traits: JSON.parse(traits) as EventTraits,
        length,
      }));
  }

  /** A kept event as JSON; `undefined` = it is no longer kept. */
  text(sequence: number): string | undefined {
    return this.#storage.sql
      .exec<{ event: string }>("SELECT event FROM events WHERE sequence = ?", sequence)
      .toArray()[0]?.event;
  }

  /**
   * When something is to be forgotten, ms; `undefined` = nothing, however long nothing comes. Late by PRUNE_LATE_MS, so that
   * what goes in that time goes together, and the object is woken no more often; in number by PRUNE_LATE_EVENTS.
   */
  pruneDueMs(): number | undefined {
    if (this.#oldest === undefined || this.#oldest.sequence === this.#newest) return undefined;
    const count = this.#newest - this.#oldest.sequence + 1;
    if (count > FEED_KEEP_EVENTS + PRUNE_LATE_EVENTS) return 0;
    return this.#oldest.atMs + FEED_KEEP_MS + PRUNE_LATE_MS;
  }

  /** Forgets events that are too old or too many, whichever comes first; never the newest. */
  prune(nowMs: number): void {
    const { sql } = this.#storage;
    // In order, so it ends at the first that is young enough.
    const young = sql
      .exec<{ sequence: number }>(
        "SELECT sequence FROM events WHERE at_ms >= ? ORDER BY sequence LIMIT 1",
        nowMs - FEED_KEEP_MS,
      )
      .toArray()[0]?.sequence;
    const first = Math.max(young ?? this.#newest, this.#newest - FEED_KEEP_EVENTS + 1);
    sql.exec("DELETE FROM events WHERE sequence < ?", Math.min(first, this.#newest));
    this.#oldest = this.#readOldest();
    this.anomalies.prune(this.oldest);
  }

  /** The settings that were pushed last. Their table is made with the first of them. */
  settings(): FeedSettings | undefined {
    const { sql } = this.#storage;
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'meta'").toArray().length === 0) return undefined;
    return new Meta(this.#storage).get("settings");
  }

  setSettings(settings: FeedSettings): void {
    Meta.onDemand(this.#storage).set("settings", settings);
  }

  #readOldest(): { sequence: number; atMs: number } | undefined {
    const row = this.#storage.sql
      .exec<{ sequence: number; at_ms: number }>(
        "SELECT sequence, at_ms FROM events ORDER BY sequence LIMIT 1",
      )
      .toArray()[0];
    return row === undefined ? undefined : { sequence: row.sequence, atMs: row.at_ms };
  }
}
