/**
 * Webhooks on the feed's disk: what is still to be delivered, a row for each event and webhook, and how each webhook is
 * doing. The tables are made when first needed and not by a migration, so that code of before still opens the disk.
 */
import type { Sql } from "./migrate.ts";

/** Something to be delivered. */
export interface Due {
  sequence: number;
  sinceMs: number;
  tries: number;
}

/** How a webhook is doing. */
export interface Lane {
  /** Failures in a row of the receiver as a whole. */
  failures: number;
  /** Nothing is sent before, ms. */
  pausedUntilMs: number;
  /** Messages given up. */
  lost: number;
  /** Time of the last delivery, ms. */
  deliveredMs?: number;
  status?: number;
  detail?: string;
  /** It answered 410; the webhook as it was written then. */
  goneFor?: string;
}

const FRESH: Lane = { failures: 0, pausedUntilMs: 0, lost: 0 };
/** No webhook's id: where messages given up are counted for good, those of deleted webhooks too. */
const TOTAL = "";

export class WebhookStore {
  readonly #storage: Sql;
  readonly #lanes = new Map<string, Lane>();

  constructor(storage: Sql) {
    this.#storage = storage;
    const { sql } = storage;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS webhook_outbox (webhook TEXT NOT NULL, sequence INTEGER NOT NULL, since_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (webhook, sequence)) WITHOUT ROWID",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS webhook_lanes (webhook TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
    );
    const rows = sql.exec<{ webhook: string; state: string }>("SELECT webhook, state FROM webhook_lanes");
    for (const { webhook, state } of rows) this.#lanes.set(webhook, JSON.parse(state) as Lane);
  }

  /** Messages given up since the site's first start. */
  get lost(): number {
    return this.lane(TOTAL).lost;
  }

  lane(webhook: string): Lane {
    return this.#lanes.get(webhook) ?? FRESH;
  }

  setLane(webhook: string, lane: Lane): void {
    const state = JSON.stringify(lane);
    if (state === JSON.stringify(this.#lanes.get(webhook))) return;
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO webhook_lanes (webhook, state) VALUES (?, ?)",
      webhook,
      state,
    );
    this.#lanes.set(webhook, lane);
  }

  add(webhook: string, sequence: number, nowMs: number): void {
    this.#storage.sql.exec(
      "INSERT INTO webhook_outbox (webhook, sequence, since_ms, due_ms, tries) VALUES (?, ?, ?, ?, 0)",
      ...[webhook, sequence, nowMs, nowMs],
    );
  }

  /** The oldest event that may be tried now. */
  next(webhook: string, nowMs: number): Due | undefined {
    const row = this.#storage.sql
      .exec<{ sequence: number; since_ms: number; tries: number }>(
        "SELECT sequence, since_ms, tries FROM webhook_outbox WHERE webhook = ? AND due_ms <= ? ORDER BY sequence LIMIT 1",
        ...[webhook, nowMs],
      )
      .toArray()[0];
    return row === undefined
      ? undefined
      : { sequence: row.sequence, sinceMs: row.since_ms, tries: row.tries };
  }

  /** When the first of its events is due, ms. */
  dueMs(webhook: string): number | undefined {
    const sql = "SELECT MIN(due_ms) AS at FROM webhook_outbox WHERE webhook = ?";
    return this.#storage.sql.exec<{ at: number | null }>(sql, webhook).one().at ?? undefined;
  }

  pending(webhook: string): number {
    const sql = "SELECT COUNT(*) AS n FROM webhook_outbox WHERE webhook = ?";
    return this.#storage.sql.exec<{ n: number }>(sql, webhook).one().n;
  }

  /** Delivered. */
  remove(webhook: string, sequence: number): void {
    this.#storage.sql.exec(
      "DELETE FROM webhook_outbox WHERE webhook = ? AND sequence = ?",
      ...[webhook, sequence],
    );
  }

  /** To be tried again. */
  postpone(webhook: string, sequence: number, tries: number, dueMs: number): void {
    this.#storage.sql.exec(
      "UPDATE webhook_outbox SET tries = ?, due_ms = ? WHERE webhook = ? AND sequence = ?",
      ...[tries, dueMs, webhook, sequence],
    );
  }

  /** Never to be tried again; counted. `sequence` absent = all that is pending. */
  giveUp(webhook: string, sequence?: number): void {
    const count = sequence === undefined ? this.pending(webhook) : 1;
    if (sequence === undefined) this.clear(webhook);
    else this.remove(webhook, sequence);
    for (const counted of [webhook, TOTAL]) {
      const lane = this.lane(counted);
      this.setLane(counted, { ...lane, lost: lane.lost + count });
    }
  }

  clear(webhook: string): void {
    this.#storage.sql.exec("DELETE FROM webhook_outbox WHERE webhook = ?", webhook);
  }

  /** Forgets webhooks that are not among these. */
  keepOnly(webhooks: ReadonlySet<string>): void {
    const { sql } = this.#storage;
    const rows = sql.exec<{ webhook: string }>(
      "SELECT webhook FROM webhook_lanes UNION SELECT webhook FROM webhook_outbox",
    );
    for (const { webhook } of rows.toArray()) {
      if (webhook === TOTAL || webhooks.has(webhook)) continue;
      this.clear(webhook);
      sql.exec("DELETE FROM webhook_lanes WHERE webhook = ?", webhook);
      this.#lanes.delete(webhook);
    }
  }

  transaction(closure: () => void): void {
    this.#storage.transactionSync(closure);
  }
}
