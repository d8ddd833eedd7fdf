/** What the observer costs a visitor's request: its own work in Node, and the whole on raw workerd. */
import type { Benchmark, Context, Figure, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import { Failure } from "../scripts/lib/failure.ts";
import { Workshop } from "./lib/engine.ts";
import { failedRequests, type Load, loadOf } from "./lib/load.ts";
import { type Setup, Visitors } from "./lib/visitors.ts";
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
    const workshop = new Workshop();
    await workshop.prepare("loop", LOOP);
    return {
      series: [
        ...[inNode(context, "ready"), inNode(context, "just made")],
        ...[inEngine(workshop, context), onWorkerd(visitors, context)],
      ],
      close: async () => {
        workshop.close();
        await visitors.close();
      },
    };
  },
};

type Ready = EdgeCpuInput["requestsAre"];

function inNode({ quick }: Context, requestsAre: Ready): Series {
  const variant = (name: string, which: EdgeCpuInput["variant"], shards = 1) => ({
    name,
    run: async () => {
      const input: EdgeCpuInput = {
        ...{ variant: which, requestsAre, shards },
        requests: quick ? 5_000 : 100_000,
      };
      return { ...(await runScript<EdgeCpuResult>("bench/processes/edge-cpu.ts", input)) };
    },
  });
  const against = (peer: string, name = "observe"): Figure[] => [
    { label: "request to frame bytes", metric: "total_ns", unit: "ns", variant: name, against: peer },
    { label: "  request to held row", metric: "request_ns", unit: "ns", variant: name, against: peer },
    {
      label: "  encoding, batches of 500",
      metric: "encode_ns",
      unit: "ns a row",
      variant: name,
      against: peer,
    },
    {
      label: "allocated, request to held row",
      metric: "request_bytes",
      unit: "bytes",
      variant: name,
      against: peer,
    },
    { label: "  encoding", metric: "encode_bytes", unit: "bytes a row", variant: name, against: peer },
    { label: "on the wire a request", metric: "wire_bytes", unit: "bytes", variant: name, against: peer },
  ];
  return {
    name: `the observer's own work, in Node, requests ${requestsAre}`,
    rounds: 7,
    variants: [
      variant("observe", "observe"),
      variant("observe, 4 shards", "observe", 4),
      variant("read only", "read only"),
      variant("JSON of facts", "JSON of facts"),
    ],
    figures: [
      // The floor: what reading the same members costs. It sends nothing.
      ...against("read only").filter(({ metric }) => metric === "request_ns" || metric === "request_bytes"),
      ...against("JSON of facts"),
      ...against("JSON of facts", "observe, 4 shards"),
    ],
  };
}

const LOOP = "bench/workers/edge-loop.ts";

/** The same work in the engine, on the platform's own objects. */
function inEngine(workshop: Workshop, { quick }: Context): Series {
  const count = quick ? 20_000 : 400_000;
  const variant = (name: string, which: string) => ({
    name,
    run: async () => {
      const engine = await workshop.start("loop", {});
      try {
        const turn = (requests: number) =>
          fetch(`http://127.0.0.1:${engine.port}/?variant=${which}&count=${requests}`).then(
            async (answer) => {
              if (!answer.ok) throw new Failure(`${LOOP} answered ${answer.status}`);
              await answer.text();
            },
          );
        await turn(count / 4);
        const before = engine.cpuMs();
        await turn(count);
        const after = engine.cpuMs();
        return before === undefined || after === undefined
          ? {}
          : { request_ns: ((after - before) * 1e6) / count };
      } finally {
        await engine.stop();
      }
    },
  });
  return {
    name: "the same on workerd, with its Request and Response",
    rounds: 5,
    variants: [variant("observe", "observe"), variant("read only", "read")],
    figures: [
      {
        label: "CPU, request to frame bytes",
        metric: "request_ns",
        unit: "ns",
        variant: "observe",
        against: "read only",
      },
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
