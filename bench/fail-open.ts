/** Visitors while the observer's objects are down: none may fail, none may wait, and memory stays bounded. */
import type { Benchmark, Context, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { failedRequests, type Load, loadOf } from "./lib/load.ts";
import { type Setup, Visitors } from "./lib/visitors.ts";

const PRODUCT = "src/index.ts";
const PEER = "off";
const CALLED = "stand-in called";

const SETUPS: Readonly<Record<string, Setup>> = {
  [PEER]: { entry: PRODUCT, settings: { OBSERVE: "off" } },
  on: { entry: PRODUCT },
  "all fail": { entry: "bench/workers/failing.ts", mustPrint: CALLED },
  "all hang": { entry: "bench/workers/hanging.ts", mustPrint: CALLED },
  "shards hang": { entry: "bench/workers/hanging-shards.ts", mustPrint: CALLED },
};
const BROKEN = ["all fail", "all hang", "shards hang"];

/** The steady part outlasts the time-out of a send, so that frames are sent again. */
const LOAD: Load = { connections: 32, warmUp: 1_000, closed: 10_000, steady: 10_000, rate: 1_250 };

/**
 * Memory at the end, over that of the same run without the observer: what an isolate may hold (EDGE_MAX_ROWS, frames in
 * flight) with garbage that V8 has had no reason to collect. The absolute figure says little, since the engine has no limit
 * here and its heap grows with every request, observed or not.
 */
const RSS_OVER_PEER_MAX_MB = 100;

export const failOpen: Benchmark = {
  name: "fail-open",
  about: "visitors while every object fails or hangs",
  open: async (context) => {
    const visitors = await Visitors.open(Object.values(SETUPS).map(({ entry }) => entry));
    return { series: [series(visitors, context)], close: () => visitors.close() };
  },
};

function series(visitors: Visitors, context: Context): Series {
  const load = loadOf(context, LOAD);
  const against = (variant: string): Figure[] => [
    { label: "failed requests", metric: "failed", unit: "", variant },
    { label: "latency p50, 1,250 requests/s", metric: "steady_p50_ms", unit: "ms", variant, against: PEER },
    { label: "latency p99, 1,250 requests/s", metric: "steady_p99_ms", unit: "ms", variant, against: PEER },
    { label: "latency p50, 32 at once", metric: "closed_p50_ms", unit: "ms", variant, against: PEER },
    { label: "latency p99, 32 at once", metric: "closed_p99_ms", unit: "ms", variant, against: PEER },
    { label: "the engine's CPU a request", metric: "cpu_us", unit: "µs", variant, against: PEER },
    { label: "the engine's memory at the end", metric: "rss_mb", unit: "MB", variant, against: PEER },
    { label: "its growth", metric: "rss_growth_mb", unit: "MB", variant },
    { label: "lines logged", metric: "log_lines", unit: "", variant },
  ];
  return {
    name: "pass-through on raw workerd",
    rounds: 3,
    variants: Object.entries(SETUPS).map(([name, setup]) => ({ name, run: () => visitors.run(setup, load) })),
    figures: [...BROKEN, "on"].flatMap(against),
    check: faults,
  };
}

function faults(samples: Samples): string[] {
  const peerMb = Math.max(...(samples.get(PEER) ?? []).map((run) => run.rss_mb ?? Number.NaN));
  return [...samples].flatMap(([name, runs]) => {
    const overMb = Math.max(...runs.map((run) => run.rss_mb ?? Number.NaN)) - peerMb;
    return [
      ...failedRequests(name, runs),
      // Where the system does not tell the memory, nothing can be said of it.
      ...(overMb > RSS_OVER_PEER_MAX_MB
        ? [`${name}: ${Math.round(overMb)} MB more than without the observer`]
        : []),
    ];
  });
}
