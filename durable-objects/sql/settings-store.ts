/** What users set, on disk. Every write takes the next revision of the site; a resource's ETag is its last one. */
import type { StoredThreshold } from "../../src/api/objects.ts";
import type { ThresholdOutput } from "../../src/schemas/threshold.ts";
import { Meta, type Migration, migrate, type Sql } from "./migrate.ts";

const MIGRATIONS: Migration[] = [
  Meta.migration,
  {
    name: "thresholds",
    sql: [
      "CREATE TABLE thresholds (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID",
    ],
  },
];

export class SettingsStore {
  readonly meta: Meta;
  readonly #storage: Sql;

  constructor(storage: Sql) {
    migrate(storage, MIGRATIONS);
    this.#storage = storage;
    this.meta = new Meta(storage);
  }

  get revision(): number {
    return this.meta.get<number>("revision") ?? 0;
  }

  threshold(id: string): StoredThreshold | undefined {
    return this.#read("SELECT revision, body FROM thresholds WHERE id = ?", id)[0];
  }

  /** By id, those after `after`. */
  thresholds(after: string, limit: number): StoredThreshold[] {
    return this.#read("SELECT revision, body FROM thresholds WHERE id > ? ORDER BY id LIMIT ?", after, limit);
  }

  count(): number {
    return this.#storage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM thresholds").one().n;
  }

  /** Answers the new revision. */
  put(body: ThresholdOutput): number {
    return this.#write((revision) =>
      this.#storage.sql.exec(
        "INSERT OR REPLACE INTO thresholds (id, revision, body) VALUES (?, ?, ?)",
        body.id,
        revision,
        JSON.stringify(body),
      ),
    );
  }

  delete(id: string): number {
    return this.#write(() => this.#storage.sql.exec("DELETE FROM thresholds WHERE id = ?", id));
  }

  #write(change: (revision: number) => void): number {
    const revision = this.revision + 1;
    this.#storage.transactionSync(() => {
      change(revision);
      this.meta.set("revision", revision);
    });
    return revision;
  }

  #read(query: string, ...bindings: (string | number)[]): StoredThreshold[] {
    return this.#storage.sql
      .exec<{ revision: number; body: string }>(query, ...bindings)
      .toArray()
      .map(({ revision, body }) => ({ revision, body: JSON.parse(body) as ThresholdOutput }));
  }
}
