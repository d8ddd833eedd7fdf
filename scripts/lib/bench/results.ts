/** `bench/results.json`: every run of every round, and the machine that they ran on. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { ROOT } from "../paths.ts";
import type { BenchmarkResult } from "./run.ts";

export interface Machine {
  readonly node: string;
  readonly workerd: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
}

export function machine(): Machine {
  const { version } = createRequire(import.meta.url)("workerd/package.json") as { readonly version: string };
  const cores = cpus();
  return {
    node: process.version,
    workerd: version,
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
  };
}

/** A smoke run has a file of its own: its numbers must not pass for measured ones. Answers the file's project path. */
export function writeResults(benchmarks: readonly BenchmarkResult[], dateMs: number, quick: boolean): string {
  const path = quick ? "bench/results.quick.json" : "bench/results.json";
  const text = JSON.stringify(
    { date: new Date(dateMs).toISOString(), quick, machine: machine(), benchmarks },
    null,
    1,
  );
  writeFileSync(join(ROOT, path), `${text}\n`);
  return path;
}
