/** What ranks over a whole site cost its shards and its Census, against moving the values themselves. */
import type { Benchmark, Context, Figure, Series } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import type { RankInput, RankResult } from "./processes/rank.ts";

export const rank: Benchmark = {
  name: "rank",
  about: "exact ranks of 100,000 fingerprints on 16 shards: time and bytes a shard and tick",
  open: async (context) => ({ series: [ticks(context)], close: async () => {} }),
};

function ticks({ quick }: Context): Series {
  const figure = (label: string, metric: keyof RankResult, unit: string): Figure => {
    return { label, metric, unit, variant: "tables", against: "values" };
  };
  const variant = (name: RankInput["variant"]) => ({
    name,
    run: async () => {
      const size = quick
        ? { fingerprints: 10_000, shards: 4, ticks: 2 }
        : { fingerprints: 100_000, shards: 16, ticks: 8 };
      const input: RankInput = { variant: name, ...size };
      return { ...(await runScript<RankResult>("bench/processes/rank.ts", input)) };
    },
  });
  return {
    name: "a tick of a shard, in Node",
    rounds: 5,
    variants: [variant("tables"), variant("values")],
    figures: [
      figure("the shard: report and what comes back", "shard_ms", "ms"),
      figure("the Census: one report", "census_ms", "ms"),
      figure("sent", "sent_bytes", "bytes"),
      figure("received", "received_bytes", "bytes"),
      figure("a fingerprint's ranks", "lookup_ns", "ns"),
      { label: "counts of 50,000 fingerprints", metric: "count_50k_ms", unit: "ms", variant: "tables" },
    ],
    check: (samples) => {
      // The same site: whatever the way, the same ranks.
      const sums = new Set([...samples.values()].flatMap((runs) => runs.map(({ rank_sum }) => rank_sum)));
      return sums.size === 1 ? [] : [`the variants disagree: sums of all ranks ${[...sums].join(", ")}`];
    },
  };
}
