/**
 * Schema changes of an object's database: an append-only list, applied in order, each once. What was applied is recorded
 * by name and compared, so a reordered or edited list is noticed; a database written by newer code refuses to open
 * instead of being misread. https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/
 */

export interface Migration {
  name: string;
  sql: string[];
}

/** The slice of storage that stores need; by structure, so that they run on any SQLite. */
export interface Sql {
  sql: { exec<T extends Row>(query: string, ...bindings: unknown[]): Rows<T> };
  transactionSync<T>(closure: () => T): T;
}

type Row = Record<string, ArrayBuffer | string | number | null>;

interface Rows<T> extends Iterable<T> {
  toArray(): T[];
  one(): T;
}

/** Brings the database up to date. Throws when its history is not a prefix of `migrations`. */
export function migrate(storage: Sql, migrations: readonly Migration[]): void {
  const { sql } = storage;
  sql.exec("CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
  const applied = sql.exec<{ name: string }>("SELECT name FROM migrations ORDER BY id").toArray();
  if (applied.length > migrations.length) throw new Error("the database was written by a newer version");
  applied.forEach(({ name }, i) => {
    if (migrations[i]!.name !== name) throw new Error(`migration ${i + 1} is "${name}" on disk`);
  });
  if (applied.length === migrations.length) return;
  storage.transactionSync(() => {
    migrations.slice(applied.length).forEach((migration, i) => {
      for (const statement of migration.sql) sql.exec(statement);
      sql.exec("INSERT INTO migrations (id, name) VALUES (?, ?)", applied.length + i + 1, migration.name);
    });
  });
}

/** Small values by name, as JSON. */
export class Meta {
  static readonly #table = "meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
  static readonly migration: Migration = { name: "meta", sql: [`CREATE TABLE ${Meta.#table}`] };
  readonly #sql: Sql["sql"];

  constructor(storage: Sql) {
    this.#sql = storage.sql;
  }

  /** For a database whose migrations do not make the table. */
  static onDemand(storage: Sql): Meta {
    storage.sql.exec(`CREATE TABLE IF NOT EXISTS ${Meta.#table}`);
    return new Meta(storage);
  }

  get<T>(key: string): T | undefined {
    const row = this.#sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = ?", key).toArray()[0];
    return row === undefined ? undefined : (JSON.parse(row.value) as T);
  }

  set(key: string, value: unknown): void {
    this.#sql.exec("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, JSON.stringify(value));
  }
}
