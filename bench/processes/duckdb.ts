/**
 * DuckDB on one thread: loads observations from a CSV file into a table in memory, then groups them by fingerprint with a
 * count and five approximate distinct counts. Prints a DuckDbResult.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/paths.ts";

export interface DuckDbInput {
  readonly csv: string;
  readonly rows: number;
}

export interface DuckDbResult {
  /** Observations a second of load and grouping together … */
  readonly durable_per_s: number;
  /** … and of the grouping alone. */
  readonly grouped_per_s: number;
  readonly wrong: number;
}

/** The slice of @duckdb/node-api that is used here; it is installed apart from the project's own packages. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string, options: Record<string, string>): Promise<{ connect(): Promise<Connection> }>;
  };
}
interface Connection {
  runAndReadAll(sql: string): Promise<{ getRowObjects(): Record<string, unknown>[] }>;
}

const { csv, rows } = JSON.parse(process.argv[2] ?? "") as DuckDbInput;
const { DuckDBInstance } = createRequire(join(ROOT, "bench/peers/package.json"))(
  "@duckdb/node-api",
) as DuckDb;
const database = await DuckDBInstance.create(":memory:", { threads: "1" });
const connection = await database.connect();

const from = performance.now();
await connection.runAndReadAll(`CREATE TABLE observations AS SELECT * FROM read_csv('${csv}', header = true,
  columns = {ja4: 'VARCHAR', ip: 'UINTEGER', ua: 'UINTEGER', path: 'UINTEGER', host: 'UINTEGER', asn: 'UINTEGER'})`);
const loadedAt = performance.now();
const answer = await connection.runAndReadAll(
  `SELECT ja4, count(*) AS reqs, approx_count_distinct(ip) AS ips, approx_count_distinct(ua) AS uas,
    approx_count_distinct(path) AS paths, approx_count_distinct(host) AS hosts, approx_count_distinct(asn) AS asns
  FROM observations GROUP BY ja4`,
);
const groups = answer.getRowObjects();
const end = performance.now();

const counted = groups.reduce((sum, { reqs }) => sum + Number(reqs), 0);
const result: DuckDbResult = {
  durable_per_s: (rows * 1_000) / (end - from),
  grouped_per_s: (rows * 1_000) / (end - loadedAt),
  wrong: counted === rows ? 0 : 1,
};
process.stdout.write(JSON.stringify(result));
