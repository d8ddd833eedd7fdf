/** How many observations a second one shard makes durable and counts, on one core, and what that is of what others can do. */
import type { Benchmark, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { CALLERS, IngestRuns } from "./lib/ingest-runs.ts";
import { INPUT } from "./lib/observations.ts";

const FRAME_ROWS = [500, 2_000];

export const ingest: Benchmark = {
  name: "ingest",
  about: "durable observations a second of one shard",
  open: async (context) => {
    const runs = await IngestRuns.open(context);
    return {
      series: FRAME_ROWS.map((rows) => againstEngine(runs, rows)),
      close: async () => runs.close(),
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

function wrongNumbers(samples: Samples): string[] {
  return [...samples].flatMap(([name, runs]) => {
    const wrong = runs.reduce((sum, run) => sum + (run.wrong ?? 0), 0);
    return wrong === 0 ? [] : [`${name}: ${wrong} numbers differ from a recount`];
  });
}
