/** Other people's engines on the observations that the shard gets. What is not installed is skipped, with a word. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sample } from "../../scripts/lib/bench/benchmark.ts";
import { adopt, runScript } from "../../scripts/lib/bench/processes.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import { ROOT } from "../../scripts/lib/paths.ts";
import { freePort } from "../../scripts/lib/port.ts";
import type { DuckDbInput, DuckDbResult } from "../processes/duckdb.ts";
import type { RedisInput, RedisResult } from "../processes/redis.ts";
import { ja4s, observations } from "./observations.ts";

const READY_TRIES = 100;
const READY_PAUSE_MS = 50;
/** Observations that a pipeline holds: as many as a frame. */
export const REDIS_BATCH = 500;
export const DUCKDB_ROWS = 1_000_000;

/** The installed version, or `undefined` and what to do to have it. */
export function redisVersion(): string | undefined {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (status === 0) return /v=(\S+)/.exec(stdout)?.[1];
  process.stderr.write(
    "ingest: Redis is not installed, so it is left out; `apt-get install redis-server` has it\n",
  );
  return undefined;
}

/** The installed version, or `undefined` and what to do to have it. */
export function duckDbVersion(): string | undefined {
  const file = join(ROOT, "bench/peers/node_modules/@duckdb/node-api/package.json");
  if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  process.stderr.write(
    "ingest: DuckDB is not installed, so it is left out; `npm ci --prefix bench/peers` has it\n",
  );
  return undefined;
}

/** One run against a fresh server. `appendOnly`: writes a log and syncs it once a second, else keeps nothing. */
export async function runRedis(appendOnly: boolean, pool: number): Promise<Sample> {
  const dir = mkdtempSync(join(tmpdir(), "hellotide-redis-"));
  const port = await freePort();
  const keep = appendOnly ? ["--appendonly", "yes", "--appendfsync", "everysec"] : ["--appendonly", "no"];
  const server = adopt(
    spawn(
      "redis-server",
      [
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        dir,
        "--daemonize",
        "no",
        ...keep,
      ],
      { stdio: "ignore" },
    ),
  );
  const ended = once(server, "exit");
  try {
    await listening(port);
    const input: RedisInput = { port, pool, batch: REDIS_BATCH, forMs: 5_000 };
    return { ...(await runScript<RedisResult>("bench/processes/redis.ts", input)) };
  } finally {
    server.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function listening(port: number): Promise<void> {
  for (let tried = 0; tried < READY_TRIES; tried++) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await sleep(READY_PAUSE_MS);
  }
  throw new Failure("redis-server did not start");
}

/** The observations as a file for DuckDB, made once. */
export class CsvFile {
  readonly #dir = mkdtempSync(join(tmpdir(), "hellotide-duckdb-"));
  readonly path = join(this.#dir, "observations.csv");

  constructor() {
    process.once("exit", () => this.close());
  }

  /** The pool over and over, until there are DUCKDB_ROWS. */
  async write(pool: number): Promise<void> {
    const names = ja4s();
    const lines = observations(pool).map(
      ({ fp, ip, ua, path, host, asn }) => `${names[fp]},${ip},${ua},${path},${host},${asn}\n`,
    );
    const file = createWriteStream(this.path);
    file.write("ja4,ip,ua,path,host,asn\n");
    const text = lines.join("");
    for (let rows = 0; rows < DUCKDB_ROWS; rows += pool) {
      if (!file.write(text)) await once(file, "drain");
    }
    file.end();
    await once(file, "finish");
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export async function runDuckDb(csv: CsvFile): Promise<Sample> {
  const input: DuckDbInput = { csv: csv.path, rows: DUCKDB_ROWS };
  return { ...(await runScript<DuckDbResult>("bench/processes/duckdb.ts", input)) };
}
