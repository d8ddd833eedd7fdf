/**
 * Which anomalies the feed's events tell of: one row each, with the sequence of its newest event; how many were raised since
 * the start; what users say of them. The tables are made when they are first needed and brought up to date from the events,
 * so that a disk on which older code appended meanwhile is caught up with too.
 */
import type { AnomalyFilter } from "../../src/api/objects.ts";
import type { EventTraits } from "../../src/feed/filter.ts";
import type { AnomalyCounts } from "../../src/reading/metrics.ts";
import type { Feedback } from "../../src/schemas/anomalies.ts";
import type { FeedEvent } from "../../src/wire/event.ts";
import { globTest } from "../../src/wire/ja4.ts";
import type { Sql } from "./migrate.ts";

const TABLES = [
  "CREATE TABLE IF NOT EXISTS anomalies (anomaly_id TEXT PRIMARY KEY, last INTEGER NOT NULL, active INTEGER NOT NULL, kind TEXT NOT NULL, ja4 TEXT) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS raised (kind TEXT NOT NULL, severity TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind, severity)) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS feedback (anomaly_id TEXT PRIMARY KEY, feedback TEXT NOT NULL) WITHOUT ROWID",
];

/** Events read at a time while catching up. */
const PAGE = 500;

/** An event as it is stored: JSON under its sequence. */
export interface EventText {
  sequence: number;
  text: string;
}

export class AnomalyIndex {
  readonly #sql: Sql["sql"];

  constructor(storage: Sql) {
    this.#sql = storage.sql;
    for (const table of TABLES) this.#sql.exec(table);
    storage.transactionSync(() => this.#catchUp());
  }

  /** Notes an event that was just appended, in the same transaction. Events without an anomaly leave nothing. */
  note(sequence: number, { type, data }: FeedEvent): void {
    if (data.anomaly_id === undefined) return;
    this.#sql.exec(
      "INSERT OR REPLACE INTO anomalies (anomaly_id, last, active, kind, ja4) VALUES (?, ?, ?, ?, ?)",
      data.anomaly_id,
      sequence,
      type.endsWith(".cleared") ? 0 : 1,
      data.kind,
      data.ja4 ?? null,
    );
    if (!type.endsWith(".raised")) return;
    this.#sql.exec(
      "INSERT INTO raised (kind, severity, count) VALUES (?, ?, 1) ON CONFLICT (kind, severity) DO UPDATE SET count = count + 1",
      data.kind,
      data.severity,
    );
  }

  /** The newest event of each anomaly that the filter lets through, newest first, of those before a sequence. */
  newest(filter: AnomalyFilter, before: number, limit: number): EventText[] {
    const wanted = testOf(filter);
    const found: number[] = [];
    // Only the small table is looked through: an event has a thousand times the bytes of its row here.
    const rows = this.#sql.exec<{ last: number; kind: string; ja4: string | null }>(
      `SELECT last, kind, ja4 FROM anomalies WHERE last < ? ${filter.active === undefined ? "" : `AND active = ${filter.active ? 1 : 0}`} ORDER BY last DESC`,
      before,
    );
    for (const { last, kind, ja4 } of rows) {
      if (!wanted(kind, ja4 ?? undefined)) continue;
      found.push(last);
      if (found.length === limit) break;
    }
    return found.map((sequence) => ({ sequence, text: this.#event(sequence) }));
  }

  /** Every event after a sequence that the filter lets through, oldest first. */
  after(filter: AnomalyFilter, sequence: number, limit: number): EventText[] {
    const wanted = testOf(filter);
    const found: EventText[] = [];
    const inState =
      filter.active === undefined
        ? ""
        : `AND json_extract(event, '$.data.anomaly_id') IN (SELECT anomaly_id FROM anomalies WHERE active = ${filter.active ? 1 : 0})`;
    const rows = this.#sql.exec<{ sequence: number; traits: string; event: string }>(
      `SELECT sequence, traits, event FROM events WHERE sequence > ? ${inState} ORDER BY sequence`,
      sequence,
    );
    for (const { sequence: at, traits, event } of rows) {
      const { kind, ja4 } = JSON.parse(traits) as EventTraits;
      if (!wanted(kind, ja4)) continue;
      found.push({ sequence: at, text: event });
      if (found.length === limit) break;
    }
    return found;
  }

  /** The newest event of an anomaly as JSON, and what users say of it. */
  find(anomalyId: string): { text: string; feedback: Feedback | undefined } | undefined {
    const row = this.#sql
      .exec<{ last: number }>("SELECT last FROM anomalies WHERE anomaly_id = ?", anomalyId)
      .toArray()[0];
    if (row === undefined) return undefined;
    return { text: this.#event(row.last), feedback: this.#feedback(anomalyId) };
  }

  /** Keeps what a user says of an anomaly, in place of what was said before; false when there is no such anomaly. */
  putFeedback(anomalyId: string, feedback: Feedback): boolean {
    if (this.find(anomalyId) === undefined) return false;
    this.#sql.exec(
      "INSERT OR REPLACE INTO feedback (anomaly_id, feedback) VALUES (?, ?)",
      anomalyId,
      JSON.stringify(feedback),
    );
    return true;
  }

  counts(): AnomalyCounts {
    return {
      raised: this.#sql
        .exec<{ kind: string; severity: string; count: number }>(
          "SELECT kind, severity, count FROM raised ORDER BY kind, severity",
        )
        .toArray(),
      active: this.#sql
        .exec<{ kind: string; count: number }>(
          "SELECT kind, COUNT(*) AS count FROM anomalies WHERE active = 1 GROUP BY kind ORDER BY kind",
        )
        .toArray(),
    };
  }

  /** Forgets anomalies of which no event is kept: `oldest` is the first that is. */
  prune(oldest: number): void {
    this.#sql.exec("DELETE FROM anomalies WHERE last < ?", oldest);
    this.#sql.exec("DELETE FROM feedback WHERE anomaly_id NOT IN (SELECT anomaly_id FROM anomalies)");
  }

  #event(sequence: number): string {
    return this.#sql.exec<{ event: string }>("SELECT event FROM events WHERE sequence = ?", sequence).one()
      .event;
  }

  #feedback(anomalyId: string): Feedback | undefined {
    const row = this.#sql
      .exec<{ feedback: string }>("SELECT feedback FROM feedback WHERE anomaly_id = ?", anomalyId)
      .toArray()[0];
    return row === undefined ? undefined : (JSON.parse(row.feedback) as Feedback);
  }

  /** Notes what was appended past the newest event that is known of here. */
  #catchUp(): void {
    let { at } = this.#sql.exec<{ at: number }>("SELECT COALESCE(MAX(last), 0) AS at FROM anomalies").one();
    for (;;) {
      const page = this.#sql
        .exec<{ sequence: number; event: string }>(
          "SELECT sequence, event FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
          at,
          PAGE,
        )
        .toArray();
      if (page.length === 0) return;
      for (const { sequence, event } of page) this.note(sequence, JSON.parse(event) as FeedEvent);
      at = page[page.length - 1]!.sequence;
    }
  }
}

/** The platform takes patterns of 50 bytes at most in SQL, so fingerprints are matched here. */
function testOf({ kinds, ja4 }: AnomalyFilter): (kind: string, ja4: string | undefined) => boolean {
  const inScope = ja4 === undefined || ja4 === "*" ? undefined : globTest(ja4);
  return (kind, of) =>
    (kinds?.includes(kind) ?? true) && (inScope === undefined || (of !== undefined && inScope(of)));
}
