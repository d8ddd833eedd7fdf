/** How many observations a second one shard makes durable and counts, on one core, and what that is of what others can do. */
import type { Benchmark, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { CALLERS, IngestRuns } from "./lib/ingest-runs.ts";
import { INPUT } from "./lib/observations.ts";
import {
  CsvFile,
  DUCKDB_ROWS,
  duckDbVersion,
  REDIS_BATCH,
  redisVersion,
  runDuckDb,
  runRedis,
} from "./lib/peers.ts";

const FRAME_ROWS = [500, 2_000];

export const ingest: Benchmark = {
  name: "ingest",
  about: "durable observations a second of one shard",
  open: async (context) => {
    const runs = await IngestRuns.open(context);
    const csv = new CsvFile();
    const series = FRAME_ROWS.map((rows) => againstEngine(runs, rows));
    // Peers take their time, and a smoke run shows no numbers.
    if (!context.quick) {
      const [redis, duckDb] = [redisVersion(), duckDbVersion()];
      if (redis !== undefined) series.push(againstRedis(runs, redis));
      if (duckDb !== undefined) {
        await csv.write(runs.observations.length);
        series.push(againstDuckDb(runs, csv, duckDb));
      }
    }
    return {
      series,
      close: async () => {
        csv.close();
        runs.close();
      },
    };
  },
};

/** The shard against an object that only makes the same frames durable: what the engine itself costs. */
function againstEngine(runs: IngestRuns, rows: number): Series {
  const figure = (label: string, metric: string, unit: string): Figure => {
    return { label, metric, unit, variant: "shard", against: "acking" };
  };
  return {
    name: `raw workerd, ${rows} observations a frame, ${CALLERS} callers (${INPUT})`,
    rounds: 5,
    variants: (["shard", "acking"] as const).map((name) => ({ name, run: () => runs.run(name, rows) })),
    figures: [
      figure("durable observations", "durable_per_s", "1/s"),
      figure("calls", "calls_per_s", "1/s"),
      figure("the engine's CPU an observation", "cpu_ns", "ns"),
      figure("cores that it used", "cores", ""),
      figure("its memory at the end", "rss_mb", "MB"),
    ],
    check: wrongNumbers,
  };
}

/**
 * Counts and five HyperLogLogs a fingerprint in Redis: of all time and without windows, so it does less. The server has a
 * core to itself, the client (already encoded commands over loopback) another one.
 */
function againstRedis(runs: IngestRuns, version: string): Series {
  const pool = runs.observations.length;
  const figure = (variant: string, label: string, metric: string, unit: string): Figure => {
    return { label, metric, unit, variant: "shard", against: variant };
  };
  const client = (variant: string): Figure => {
    return { label: "its client's CPU an observation", metric: "client_cpu_ns", unit: "ns", variant };
  };
  return {
    name: `Redis ${version}, HINCRBY and 5 PFADD each, pipelines of ${REDIS_BATCH} observations (${INPUT})`,
    rounds: 3,
    variants: [
      { name: "shard", run: () => runs.run("shard", REDIS_BATCH) },
      { name: "redis", run: () => runRedis(false, pool) },
      { name: "redis, log synced every second", run: () => runRedis(true, pool) },
    ],
    figures: ["redis", "redis, log synced every second"].flatMap((variant) => [
      figure(variant, "observations", "durable_per_s", "1/s"),
      figure(variant, "the server's CPU an observation", "cpu_ns", "ns"),
      client(variant),
    ]),
    check: wrongNumbers,
  };
}

/** A column store that loads and groups the observations once, on one thread: no windows, nothing durable, one answer. */
function againstDuckDb(runs: IngestRuns, csv: CsvFile, version: string): Series {
  const figure = (label: string, metric: string): Figure => {
    return { label, metric, unit: "1/s", variant: "duckdb" };
  };
  return {
    name: `DuckDB ${version}, 1 thread, ${DUCKDB_ROWS} rows of CSV, count and 5 approx_count_distinct (${INPUT})`,
    rounds: 3,
    variants: [
      { name: "shard", run: () => runs.run("shard", REDIS_BATCH) },
      { name: "duckdb", run: () => runDuckDb(csv) },
    ],
    figures: [
      {
        label: "observations, load included",
        metric: "durable_per_s",
        unit: "1/s",
        variant: "shard",
        against: "duckdb",
      },
      figure("grouping alone, of rows in memory", "grouped_per_s"),
    ],
    check: wrongNumbers,
  };
}

function wrongNumbers(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) => {
    const wrong = runs.reduce((sum, run) => sum + (run.wrong ?? 0), 0);
    return wrong === 0 ? [] : [`${name}: ${wrong} numbers differ from a recount`];
  });
}
