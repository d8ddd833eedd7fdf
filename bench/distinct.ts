/** Distinct counts in windows: how far off, how fast, how large, against a Map and against a HyperLogLog a minute. */
import type { Benchmark, Context, Figure, Samples, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import { WINDOWS } from "../src/config.ts";
import { COUNTERS, type CounterName } from "./lib/distinct-counters.ts";
import { STREAMS } from "./lib/distinct-streams.ts";
import type { DistinctCostInput, DistinctCostResult } from "./processes/distinct-cost.ts";
import type { DistinctErrorInput } from "./processes/distinct-error.ts";

const OURS: CounterName = "hellotide";
const PEERS = COUNTERS.filter((name) => name !== OURS);
/** Identities and streams of that size; the error of an RMS of r runs is 1 / √(2r) of it. */
const SIZES: DistinctErrorInput["sizes"] = [
  [1_000, 400],
  [10_000, 200],
  [100_000, 100],
  [1_000_000, 40],
  [10_000_000, 6],
];
/** In percent: promised; and of the mean over all streams, which has a standard error of 0.1. */
const RMS_MAX = 3;
const BIAS_MAX = 0.5;
/** Fewer runs say too little to hold an RMS to its limit. */
const RMS_RUNS_MIN = 20;

export const distinct: Benchmark = {
  name: "distinct",
  about: "distinct counts in windows: error, time, memory",
  open: async (context) => ({ series: [error(context), cost(context)], close: async () => {} }),
};

function error({ quick }: Context): Series {
  const sizes = quick ? SIZES.slice(0, 3).map(([size, runs]) => [size, runs / 2] as const) : SIZES;
  const rms = STREAMS.flatMap((stream) =>
    sizes.flatMap(([size, runs]) =>
      WINDOWS.map((window) => ({
        label: `RMS error, ${stream}, ${size.toLocaleString("en-US")}, ${window}`,
        metric: `${stream}_${size}_${window}_rms`,
        runs,
      })),
    ),
  );
  const bias = STREAMS.flatMap((stream) =>
    WINDOWS.map((window) => ({
      label: `mean error, ${stream}, ${window}`,
      metric: `${stream}_${window}_bias`,
    })),
  );
  const faults = (samples: Samples) =>
    (samples.get(OURS) ?? []).flatMap((sample) => [
      ...rms.filter(({ metric, runs }) => runs >= RMS_RUNS_MIN && !(sample[metric]! <= RMS_MAX)),
      ...bias.filter(({ metric }) => !(Math.abs(sample[metric]!) <= BIAS_MAX)),
    ]);
  return {
    name: "how far off",
    // The streams follow from seeds: every round would say the same.
    rounds: 1,
    variants: ([OURS, "panes"] as const).map((variant) => ({
      name: variant,
      run: () =>
        runScript("bench/processes/distinct-error.ts", { variant, sizes } satisfies DistinctErrorInput),
    })),
    figures: [
      ...rms.map(({ label, metric }) => ({ label, metric, unit: "%", variant: OURS, against: "panes" })),
      ...bias.map(({ label, metric }) => ({ label, metric, unit: "%", variant: OURS })),
    ],
    check: (samples) => faults(samples).map(({ label }) => `${label}: over its limit`),
  };
}

function cost({ quick }: Context): Series {
  const large = quick ? 100_000 : 1_000_000;
  const largeText = large.toLocaleString("en-US");
  const figure = (
    against: CounterName,
    label: string,
    metric: keyof DistinctCostResult,
    unit: string,
  ): Figure => {
    return { label, metric, unit, variant: OURS, against };
  };
  return {
    name: "time and memory",
    rounds: 5,
    variants: COUNTERS.map((variant) => ({
      name: variant,
      run: async () => {
        const input: DistinctCostInput = { variant, large, adds: quick ? 50_000 : 2_000_000 };
        return {
          ...(await runScript<DistinctCostResult>("bench/processes/distinct-cost.ts", input, [
            "--expose-gc",
          ])),
        };
      },
    })),
    figures: [
      ...(
        [
          ["10", "block_10"],
          ["100", "block_100"],
          ["1,000", "block_1000"],
          [largeText, "block_large"],
        ] as const
      ).map(([size, metric]) => ({ label: `a block of ${size}`, metric, unit: "bytes", variant: OURS })),
      ...PEERS.flatMap((peer) => [
        figure(peer, "an add to a large set", "add_large_ns", "ns"),
        figure(peer, "an add to a set of 100, known", "add_small_ns", "ns"),
        figure(peer, "an add on the way from nothing to 100", "add_new_ns", "ns"),
        figure(peer, "an add to each of 5,000 sets of 20 in turn", "add_spread_ns", "ns"),
        figure(peer, "a count of a large set, 1m", "estimate_1m_us", "µs"),
        figure(peer, "a count of a large set, 5m", "estimate_5m_us", "µs"),
        figure(peer, "a count of a large set, 1h", "estimate_1h_us", "µs"),
        figure(peer, "memory of a set of 10", "bytes_10", "bytes"),
        figure(peer, "memory of a set of 100", "bytes_100", "bytes"),
        figure(peer, "memory of a set of 1,000", "bytes_1000", "bytes"),
        figure(peer, `memory of a set of ${largeText}`, "bytes_large", "bytes"),
      ]),
    ],
  };
}
