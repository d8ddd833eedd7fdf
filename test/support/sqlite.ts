/** An object's storage in plain Node: the same SQL on a real SQLite in memory, for what needs no platform around it. */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { Sql } from "../../durable-objects/sql/migrate.ts";

export class MemorySql implements Sql {
  readonly database = new DatabaseSync(":memory:");
  #depth = 0;

  readonly sql = {
    exec: (query: string, ...bindings: SQLInputValue[]) => {
      const statement = this.database.prepare(query);
      const rows = statement.all(...bindings).map(asStored);
      return {
        toArray: () => rows,
        one: () => rows[0]!,
        [Symbol.iterator]: () => rows.values(),
      };
    },
  } as Sql["sql"];

  transactionSync<T>(closure: () => T): T {
    const name = `t${this.#depth++}`;
    this.database.exec(`SAVEPOINT ${name}`);
    try {
      const value = closure();
      this.database.exec(`RELEASE ${name}`);
      return value;
    } catch (error) {
      this.database.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }
}

/** Bytes as the platform gives them: a buffer of their own. */
function asStored(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? value.slice().buffer : value,
    ]),
  );
}
