/**
 * Tokens (digests only) and the audit record, on the disk of the account's object. The tables are made when first needed and
 * are no entry of the object's migrations: code of before opens the same disk.
 */
import type { StoredToken } from "../../src/api/objects.ts";
import type { AuditItem } from "../../src/schemas/token.ts";
import type { Sql } from "./migrate.ts";

const TABLES = [
  "CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, site TEXT, body TEXT NOT NULL)",
];
/** Old records that one new one takes away, so that no write has to remove many. */
const TRIM_ROWS = 20;

export class AccountStore {
  readonly #storage: Sql;

  constructor(storage: Sql) {
    this.#storage = storage;
    for (const table of TABLES) storage.sql.exec(table);
  }

  /** By id. */
  tokens(): StoredToken[] {
    return this.#storage.sql
      .exec<{ body: string }>("SELECT body FROM tokens ORDER BY id")
      .toArray()
      .map(({ body }) => JSON.parse(body) as StoredToken);
  }

  token(id: string): StoredToken | undefined {
    const row = this.#storage.sql
      .exec<{ body: string }>("SELECT body FROM tokens WHERE id = ?", id)
      .toArray()[0];
    return row === undefined ? undefined : (JSON.parse(row.body) as StoredToken);
  }

  putToken(token: StoredToken): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO tokens (id, body) VALUES (?, ?)",
      token.id,
      JSON.stringify(token),
    );
  }

  deleteToken(id: string): void {
    this.#storage.sql.exec("DELETE FROM tokens WHERE id = ?", id);
  }

  /** Appends a record and answers its number; what is too old or too much goes. */
  appendAudit(item: Omit<AuditItem, "id">, atMs: number, keepMs: number, max: number): number {
    return this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      const last = sql.exec<{ seq: number | null }>("SELECT MAX(seq) AS seq FROM audit").one().seq ?? 0;
      const seq = last + 1;
      const body = JSON.stringify(item);
      sql.exec(
        "INSERT INTO audit (seq, at, site, body) VALUES (?, ?, ?, ?)",
        seq,
        atMs,
        item.site ?? null,
        body,
      );
      sql.exec(
        "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit ORDER BY seq LIMIT ?) AND (at < ? OR seq <= ?)",
        TRIM_ROWS,
        atMs - keepMs,
        seq - max,
      );
      return seq;
    });
  }

  settleAudit(seq: number, status: number, target: string | undefined): void {
    const { sql } = this.#storage;
    const row = sql.exec<{ body: string }>("SELECT body FROM audit WHERE seq = ?", seq).toArray()[0];
    if (row === undefined) return;
    const item = JSON.parse(row.body) as AuditItem;
    const settled = { ...item, status, ...(target === undefined ? {} : { target }) };
    sql.exec("UPDATE audit SET body = ? WHERE seq = ?", JSON.stringify(settled), seq);
  }

  removeAudit(seq: number): void {
    this.#storage.sql.exec("DELETE FROM audit WHERE seq = ?", seq);
  }

  /** Newest first, those before `before` (absent = from the newest), of `sites` only (absent = all). */
  audit(
    before: number | undefined,
    limit: number,
    sites: readonly string[] | undefined,
  ): { seq: number; item: Omit<AuditItem, "id"> }[] {
    const on = sites === undefined ? "" : `AND site IN (SELECT value FROM json_each(?))`;
    return this.#storage.sql
      .exec<{ seq: number; body: string }>(
        `SELECT seq, body FROM audit WHERE seq < ? ${on} ORDER BY seq DESC LIMIT ?`,
        before ?? Number.MAX_SAFE_INTEGER,
        ...(sites === undefined ? [] : [JSON.stringify(sites)]),
        limit,
      )
      .toArray()
      .map(({ seq, body }) => ({ seq, item: JSON.parse(body) as Omit<AuditItem, "id"> }));
  }
}
