/** What the observer costs a visitor's request: its own work in Node, and the whole on raw workerd. */
import type { Benchmark, Context, Figure, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import { failedRequests, type Load, loadOf, type Setup, Visitors } from "./lib/visitors.ts";
import type { EdgeCpuInput, EdgeCpuResult } from "./processes/edge-cpu.ts";

const PRODUCT = "src/index.ts";

/** Each is the one before plus one thing. */
const SETUPS: Readonly<Record<string, Setup>> = {
  bare: { entry: "bench/workers/bare.ts" },
  off: { entry: PRODUCT, settings: { OBSERVE: "off" } },
  // The engine runs objects on the edge's own thread; the platform runs them elsewhere.
  "edge only": { entry: "bench/workers/acking.ts", mustPrint: "stand-in called" },
  on: { entry: PRODUCT },
};

const LOAD: Load = { connections: 32, warmUp: 2_000, closed: 10_000, steady: 2_000, rate: 500 };

export const edge: Benchmark = {
  name: "edge",
  about: "cost of the observer to a visitor's request",
  open: async (context) => {
    const visitors = await Visitors.open(Object.values(SETUPS).map(({ entry }) => entry));
    return { series: [inNode(context), onWorkerd(visitors, context)], close: () => visitors.close() };
  },
};

function inNode({ quick }: Context): Series {
  const figure = (label: string, metric: keyof EdgeCpuResult, unit: string): Figure => {
    return { label, metric, unit, variant: "observe", against: "naive" };
  };
  const variant = (name: EdgeCpuInput["variant"]) => ({
    name,
    run: async () => {
      const input: EdgeCpuInput = { variant: name, requests: quick ? 5_000 : 200_000 };
      // All that a stretch allocates stays in the young generation, so that nothing is collected in between.
      const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"];
      return { ...(await runScript<EdgeCpuResult>("bench/processes/edge-cpu.ts", input, flags)) };
    },
  });
  return {
    name: "the observer's own work, in Node",
    rounds: 7,
    variants: [variant("observe"), variant("naive")],
    figures: [
      figure("CPU a request, encoding included", "total_ns", "ns"),
      figure("  facts to held row", "request_ns", "ns"),
      figure("  encoding a batch of 500", "encode_ns", "ns a row"),
      figure("allocated a request", "request_bytes", "bytes"),
      figure("on the wire a request", "wire_bytes", "bytes"),
    ],
  };
}

function onWorkerd(visitors: Visitors, context: Context): Series {
  const load = loadOf(context, LOAD);
  const against = (peer: string, variant: string): Figure[] => [
    { label: "latency p50, 500 requests/s", metric: "steady_p50_ms", unit: "ms", variant, against: peer },
    { label: "latency p99, 500 requests/s", metric: "steady_p99_ms", unit: "ms", variant, against: peer },
    { label: "latency p50, 32 at once", metric: "closed_p50_ms", unit: "ms", variant, against: peer },
    { label: "latency p99, 32 at once", metric: "closed_p99_ms", unit: "ms", variant, against: peer },
    { label: "requests/s, 32 at once", metric: "closed_rps", unit: "1/s", variant, against: peer },
    { label: "the engine's CPU a request", metric: "cpu_us", unit: "µs", variant, against: peer },
  ];
  return {
    name: "pass-through on raw workerd",
    rounds: 5,
    variants: Object.entries(SETUPS).map(([name, setup]) => ({ name, run: () => visitors.run(setup, load) })),
    figures: [
      ...against("bare", "on"),
      ...against("off", "on"),
      ...against("bare", "edge only"),
      ...against("bare", "off"),
    ],
    check: (samples) => [...samples].flatMap(([name, runs]) => failedRequests(name, runs)),
  };
}
