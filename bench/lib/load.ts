/** A load through one engine: warm-up, a closed loop, a steady rate, and what it all cost. */
import type { Context, Sample } from "../../scripts/lib/bench/benchmark.ts";
import { runScript } from "../../scripts/lib/bench/processes.ts";
import type { LoadInput, LoadResult } from "../processes/load.ts";
import type { RunningEngine } from "./engine.ts";

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

/** Of a full run and of a smoke run. */
export function loadOf({ quick }: Context, full: Load): Load {
  if (!quick) return full;
  return { connections: 8, warmUp: 100, closed: 600, steady: 100, rate: 500 };
}

/**
 * Sends the load. `closed_…`: as fast as answers come; `steady_…`: at a steady rate; CPU and memory are absent outside Linux.
 * `api`: questions to the API instead of visitors. What failed is told on standard error under the name `what`.
 */
export async function sendLoad(
  engine: RunningEngine,
  { connections, rate, ...load }: Load,
  what: string,
  api?: LoadInput["api"],
): Promise<Sample> {
  const common = { port: engine.port, connections, ...(api === undefined ? {} : { api }) };
  const send = (input: Pick<LoadInput, "requests" | "rate">) =>
    runScript<LoadResult>("bench/processes/load.ts", { ...common, ...input } satisfies LoadInput);

  const warm = await send({ requests: load.warmUp });
  const rssBefore = engine.rssMb();
  const cpuBefore = engine.cpuMs();
  const closed = await send({ requests: load.closed });
  const cpuAfter = engine.cpuMs();
  const steady = await send({ requests: load.steady, rate });
  const rssAfter = engine.rssMb();
  const reasons = [...warm.reasons, ...closed.reasons, ...steady.reasons];
  if (reasons.length > 0) process.stderr.write(`${what}: failed requests: ${reasons.join("; ")}\n`);
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
  };
}

/** One line when somebody did not get what was to come. */
export function failedRequests(variant: string, runs: readonly Sample[]): string[] {
  const failed = runs.reduce((sum, run) => sum + (run.failed ?? 0), 0);
  return failed === 0 ? [] : [`${variant}: ${failed} requests failed`];
}
