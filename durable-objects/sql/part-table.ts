/**
 * An image (`src/base/image.ts`) on disk: a table of its parts, made when first needed and not by a migration, since code that
 * does not know it does as well without.
 */
import type { PartSink } from "../../src/base/image.ts";
import type { Sql } from "./migrate.ts";

export class PartTable {
  readonly #storage: Sql;
  readonly #name: string;

  /** `name`: a word of this code's, never a caller's: it stands in statements. */
  constructor(storage: Sql, name: string) {
    this.#storage = storage;
    this.#name = name;
  }

  read(): Iterable<Uint8Array> | undefined {
    if (!this.#exists()) return undefined;
    const { sql } = this.#storage;
    if (sql.exec(`SELECT 1 FROM ${this.#name} LIMIT 1`).toArray().length === 0) return undefined;
    return { [Symbol.iterator]: () => this.#parts() };
  }

  /** A statement for each part, since a shard may have no room for two of them. */
  *#parts(): Generator<Uint8Array> {
    for (let part = 0; ; part++) {
      const [row] = this.#storage.sql
        .exec<{ bytes: ArrayBuffer }>(`SELECT bytes FROM ${this.#name} WHERE part = ?`, part)
        .toArray();
      if (row === undefined) return;
      yield new Uint8Array(row.bytes);
      // Given back at once: the collector would come after a dozen.
      row.bytes.transfer(0);
    }
  }

  /** In place of what is there; `undefined` = nothing. */
  write(write: ((sink: PartSink) => void) | undefined): void {
    const { sql } = this.#storage;
    if (write === undefined && !this.#exists()) return;
    this.#storage.transactionSync(() => {
      sql.exec(`CREATE TABLE IF NOT EXISTS ${this.#name} (part INTEGER PRIMARY KEY, bytes BLOB NOT NULL)`);
      let parts = 0;
      // The statement is done when `exec` returns: the part may be overwritten then.
      write?.((part) =>
        sql.exec(`INSERT OR REPLACE INTO ${this.#name} (part, bytes) VALUES (?, ?)`, parts++, part),
      );
      sql.exec(`DELETE FROM ${this.#name} WHERE part >= ?`, parts);
    });
  }

  #exists(): boolean {
    return (
      this.#storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", this.#name).toArray().length > 0
    );
  }
}
