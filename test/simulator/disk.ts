/**
 * An object's disk: a real SQLite database in memory, with the platform's rules of durability.
 *
 * What a turn writes is one batch. It becomes durable some time after the turn, in order; until then nothing may leave the
 * object (the output gate). The database holds one open transaction from the last moment at which everything was durable; a
 * crash rolls it back and does again the writes of those batches in it that were durable already.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";

type Value = string | number | bigint | null | Uint8Array;
type Row = Record<string, unknown>;

interface Prepared {
  readonly statement: StatementSync;
  readonly writes: boolean;
  readonly answers: boolean;
}

type Write =
  | { readonly query: string; readonly bindings: Value[] }
  | { readonly alarmMs: number | undefined };

interface Batch {
  /** Writes up to here belong to it and those before it. */
  end: number;
  readonly isDurable: (() => void)[];
}

export class Disk {
  readonly #db = new DatabaseSync(":memory:");
  readonly #prepared = new Map<string, Prepared>();
  /** Since the open transaction began. */
  #writes: Write[] = [];
  /** How many of them are durable. */
  #durable = 0;
  /** Written this turn. */
  #open: Batch | undefined;
  readonly #sealed: Batch[] = [];
  #inTransaction = false;
  #depth = 0;
  #alarmMs: number | undefined;
  #durableAlarmMs: number | undefined;
  /** Rows that SQL statements changed, ever: what the platform bills. */
  rowsWritten = 0;
  /** Rows that reading statements answered, ever; the platform bills those that it looked at, which may be more. */
  rowsRead = 0;
  alarmsSet = 0;

  /** The alarm as the object sees it. */
  get alarmMs(): number | undefined {
    return this.#alarmMs;
  }

  /** The alarm that survives a crash. */
  get durableAlarmMs(): number | undefined {
    return this.#durableAlarmMs;
  }

  get isDurable(): boolean {
    return this.#open === undefined && this.#sealed.length === 0;
  }

  setAlarm(atMs: number | undefined): void {
    this.#note({ alarmMs: atMs });
    this.#alarmMs = atMs;
    if (atMs !== undefined) this.alarmsSet++;
  }

  /** Runs one statement to its end. Throws what SQLite throws. */
  exec(query: string, bindings: readonly unknown[]): Row[] {
    const prepared = this.#prepare(query);
    const values = bindings.map(bindable);
    if (prepared.writes) this.#begin();
    try {
      if (!prepared.answers) {
        this.rowsWritten += Number(prepared.statement.run(...values).changes);
      } else {
        const rows = prepared.statement.all(...values) as Row[];
        if (!prepared.writes) {
          this.rowsRead += rows.length;
          return rows.map(platformRow);
        }
        this.rowsWritten += rows.length;
        this.#note({ query, bindings: values });
        return rows.map(platformRow);
      }
    } catch (error) {
      if (this.#inTransaction && !this.#db.isTransaction)
        throw new TransactionLost("SQLite gave the transaction up", { cause: error });
      throw error;
    }
    this.#note({ query, bindings: values });
    return [];
  }

  /** All of `closure`'s writes, or none when it throws. */
  transaction<T>(closure: () => T): T {
    this.#begin();
    const mark = this.#writes.length;
    const point = `point_${this.#depth++}`;
    this.#db.exec(`SAVEPOINT ${point}`);
    try {
      const result = closure();
      this.#db.exec(`RELEASE ${point}`);
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec(`ROLLBACK TO ${point}; RELEASE ${point}`);
      this.#writes.length = Math.min(mark, this.#writes.length);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Calls back, in a later turn, when all that is written so far is durable. */
  whenDurable(then: () => void): void {
    const last = this.#open ?? this.#sealed[this.#sealed.length - 1];
    if (last === undefined) throw new Error("everything is durable");
    last.isDurable.push(then);
  }

  /** Ends a turn; true when it wrote something, whose `confirm` is due. */
  seal(): boolean {
    if (this.#open === undefined) return false;
    this.#open.end = this.#writes.length;
    this.#sealed.push(this.#open);
    this.#open = undefined;
    return true;
  }

  /** The oldest sealed batch is durable now. */
  confirm(): void {
    const batch = this.#sealed.shift();
    if (batch === undefined) throw new Error("nothing to make durable");
    for (; this.#durable < batch.end; this.#durable++) {
      const write = this.#writes[this.#durable]!;
      if ("alarmMs" in write) this.#durableAlarmMs = write.alarmMs;
    }
    if (this.isDurable) {
      if (this.#inTransaction) this.#db.exec("COMMIT");
      this.#inTransaction = false;
      this.#writes = [];
      this.#durable = 0;
    }
    for (const then of batch.isDurable) then();
  }

  /** Back to what is durable. */
  crash(): void {
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    const again = this.#writes.slice(0, this.#durable);
    const limit = this.#pageLimit();
    // What is durable has its room already.
    if (again.length > 0) this.#db.exec(`PRAGMA max_page_count = ${PAGES_MAX}`);
    for (const write of again)
      if ("query" in write) this.#prepare(write.query).statement.all(...write.bindings);
    if (again.length > 0) this.#db.exec(`PRAGMA max_page_count = ${limit}`);
    this.#writes = [];
    this.#durable = 0;
    this.#open = undefined;
    this.#sealed.length = 0;
    this.#inTransaction = false;
    this.#alarmMs = this.#durableAlarmMs;
  }

  /** From now on nothing may grow the database, until `free`. */
  fill(): void {
    this.#db.exec(`PRAGMA max_page_count = ${this.#pragma("page_count")}`);
  }

  free(): void {
    this.#db.exec(`PRAGMA max_page_count = ${PAGES_MAX}`);
  }

  /** Bytes of all pages. */
  get size(): number {
    return this.#pragma("page_count") * this.#pragma("page_size");
  }

  close(): void {
    this.#db.close();
  }

  #pageLimit(): number {
    return this.#pragma("max_page_count");
  }

  #pragma(name: string): number {
    return Number((this.#db.prepare(`PRAGMA ${name}`).get() as Row)[name]);
  }

  #begin(): void {
    if (this.#inTransaction) return;
    this.#db.exec("BEGIN");
    this.#inTransaction = true;
  }

  #note(write: Write): void {
    this.#writes.push(write);
    this.#open ??= { end: 0, isDurable: [] };
  }

  #prepare(query: string): Prepared {
    let prepared = this.#prepared.get(query);
    if (prepared === undefined) {
      // Only the first statement would run.
      if (/;\s*\S/.test(query)) throw new Error("one statement at a time");
      const reads = /^\s*(?:SELECT|PRAGMA|WITH|EXPLAIN)\b/i.test(query);
      prepared = {
        statement: this.#db.prepare(query),
        writes: !reads,
        answers: reads || /\bRETURNING\b/i.test(query),
      };
      this.#prepared.set(query, prepared);
    }
    return prepared;
  }
}

/** SQLite's own limit. */
const PAGES_MAX = 4_294_967_294;

/** A statement failed so badly that everything since the last commit is gone: the platform resets the object. */
export class TransactionLost extends Error {
  override readonly name = "TransactionLost";
}

/** Blobs are copied: the writes may be done again after their buffer was used for something else. */
function bindable(binding: unknown): Value {
  if (binding instanceof ArrayBuffer) return new Uint8Array(binding.slice(0));
  if (ArrayBuffer.isView(binding))
    return new Uint8Array(binding.buffer, binding.byteOffset, binding.byteLength).slice();
  if (typeof binding === "boolean") return binding ? 1 : 0;
  if (binding === undefined) throw new TypeError("undefined cannot be bound");
  return binding as Value;
}

/** Blobs come as ArrayBuffer on the platform. */
function platformRow(row: Row): Row {
  const made: Row = {};
  for (const key of Object.keys(row)) {
    const value = row[key];
    made[key] = value instanceof Uint8Array ? value.slice().buffer : value;
  }
  return made;
}
