/** One run of visitors against one Worker: a fresh engine, warm-up, a closed loop, a steady rate, and what it all cost. */
import type { ChildProcess } from "node:child_process";
import type { Context, Sample } from "../../scripts/lib/bench/benchmark.ts";
import { runScript, startScript } from "../../scripts/lib/bench/processes.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import type { SettingTexts } from "../../scripts/lib/settings.ts";
import type { LoadInput, LoadResult } from "../processes/load.ts";
import { type RunningEngine, Workshop } from "./engine.ts";
import { HOST } from "./traffic.ts";

export interface Load {
  readonly connections: number;
  readonly warmUp: number;
  /** Requests as fast as answers come. */
  readonly closed: number;
  /** … and at a steady rate. */
  readonly steady: number;
  /** Of the steady part, requests a second. */
  readonly rate: number;
}

/** The Worker of a variant and how it is set. */
export interface Setup {
  readonly entry: string;
  readonly settings?: SettingTexts;
  /** A line that the engine must have printed: shows that the variant was what it claims to be. */
  readonly mustPrint?: string;
}

/** Everything that series against raw workerd share: bundles and the origin. */
export class Visitors {
  readonly #workshop = new Workshop();
  readonly #origin: ChildProcess;
  readonly #originPort: number;

  private constructor(origin: ChildProcess, port: number) {
    this.#origin = origin;
    this.#originPort = port;
  }

  static async open(entries: Iterable<string>): Promise<Visitors> {
    const origin = startScript("bench/processes/origin.ts", {});
    const port = await new Promise<number>((resolve, reject) => {
      origin.once("exit", () => reject(new Failure("the origin did not start")));
      origin.stdout?.once("data", (line: Buffer) => resolve(Number(line.toString())));
    });
    const visitors = new Visitors(origin, port);
    for (const entry of new Set(entries)) await visitors.#workshop.prepare(nameOf(entry), entry);
    return visitors;
  }

  async close(): Promise<void> {
    this.#origin.kill("SIGKILL");
    this.#workshop.close();
  }

  /** Sends the load through a fresh engine. `closed_…`: as fast as answers come; `steady_…`: at a steady rate. */
  async run(setup: Setup, load: Load): Promise<Sample> {
    const engine = await this.#workshop.start(nameOf(setup.entry), {
      SITES: JSON.stringify({ shop: [HOST] }),
      ORIGIN_URL: `http://127.0.0.1:${this.#originPort}`,
      ...setup.settings,
    });
    try {
      return await measure(engine, setup, load);
    } finally {
      await engine.stop();
    }
  }
}

async function measure(engine: RunningEngine, { entry, mustPrint }: Setup, load: Load): Promise<Sample> {
  const { port } = engine;
  const { connections, rate } = load;
  const send = (input: Omit<LoadInput, "port" | "connections">) =>
    runScript<LoadResult>("bench/processes/load.ts", { port, connections, ...input });

  const warm = await send({ requests: load.warmUp });
  const rssBefore = engine.rssMb();
  const cpuBefore = engine.cpuMs();
  const closed = await send({ requests: load.closed });
  const cpuAfter = engine.cpuMs();
  const steady = await send({ requests: load.steady, rate });
  const rssAfter = engine.rssMb();
  if (mustPrint !== undefined && !engine.printed(mustPrint)) {
    throw new Failure(`${entry}: the engine did not print "${mustPrint}", so the run shows nothing`);
  }
  const reasons = [...warm.reasons, ...closed.reasons, ...steady.reasons];
  if (reasons.length > 0) process.stderr.write(`${entry}: failed requests: ${reasons.join("; ")}\n`);
  return {
    requests: load.warmUp + load.closed + load.steady,
    failed: warm.failed + closed.failed + steady.failed,
    closed_rps: closed.rps,
    closed_p50_ms: closed.p50_ms,
    closed_p99_ms: closed.p99_ms,
    steady_p50_ms: steady.p50_ms,
    steady_p99_ms: steady.p99_ms,
    ...(cpuBefore === undefined || cpuAfter === undefined
      ? {}
      : { cpu_us: ((cpuAfter - cpuBefore) * 1_000) / load.closed }),
    ...(rssBefore === undefined || rssAfter === undefined
      ? {}
      : { rss_mb: rssAfter, rss_growth_mb: rssAfter - rssBefore }),
    log_lines: engine.lines(),
  };
}

function nameOf(entry: string): string {
  return entry.replaceAll("/", "-");
}

/** Of a full run and of a smoke run. */
export function loadOf({ quick }: Context, full: Load): Load {
  if (!quick) return full;
  return { connections: 8, warmUp: 100, closed: 600, steady: 100, rate: 500 };
}

/** One line when a visitor did not get what the origin sent. */
export function failedRequests(variant: string, runs: readonly Sample[]): string[] {
  const failed = runs.reduce((sum, run) => sum + (run.failed ?? 0), 0);
  return failed === 0 ? [] : [`${variant}: ${failed} visitor requests failed`];
}
