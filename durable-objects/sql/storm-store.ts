/**
 * What the storm guard remembers: its state, and the running anomalies that it grouped. The tables are made when first
 * needed and not by a migration, so that code of before still opens the disk.
 */
import { FEED_KEEP_MS } from "../../src/base/feed-limits.ts";
import { CALM, type StormState } from "../../src/feed/storm.ts";
import type { Sql } from "./migrate.ts";

export class StormStore {
  readonly #sql: Sql["sql"];

  constructor({ sql }: Sql) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS storm (id INTEGER PRIMARY KEY, state TEXT NOT NULL)");
    sql.exec(
      "CREATE TABLE IF NOT EXISTS grouped (anomaly_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  get state(): StormState {
    const row = this.#sql.exec<{ state: string }>("SELECT state FROM storm WHERE id = 1").toArray()[0];
    return row === undefined ? CALM : (JSON.parse(row.state) as StormState);
  }

  set state(state: StormState) {
    this.#sql.exec("INSERT OR REPLACE INTO storm (id, state) VALUES (1, ?)", JSON.stringify(state));
  }

  group(anomalyId: string, nowMs: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO grouped (anomaly_id, at_ms) VALUES (?, ?)", anomalyId, nowMs);
  }

  isGrouped(anomalyId: string): boolean {
    return this.#sql.exec("SELECT 1 FROM grouped WHERE anomaly_id = ?", anomalyId).toArray().length > 0;
  }

  ungroup(anomalyId: string): void {
    this.#sql.exec("DELETE FROM grouped WHERE anomaly_id = ?", anomalyId);
  }

  /** Forgets what the feed itself has forgotten. */
  prune(nowMs: number): void {
    this.#sql.exec("DELETE FROM grouped WHERE at_ms < ?", nowMs - FEED_KEEP_MS);
  }
}
