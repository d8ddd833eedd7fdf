/** Rows that storage bills for a million observations: the largest part of what the objects cost. */
import type { Benchmark } from "../scripts/lib/bench/benchmark.ts";
import { runScript } from "../scripts/lib/bench/processes.ts";
import type { Bill, BillInput } from "./processes/bill.ts";

const SHARDS = 4;
/** Of observations at 1,000/s on four shards. */
const ROWS_MAX = 10_000;

export const rows: Benchmark = {
  name: "rows",
  about: "rows written a million observations, on the simulator's platform in virtual time",
  open: async ({ quick }) => {
    const input: BillInput = {
      ...{ shards: SHARDS, requestsPerSecond: 1_000, fingerprints: 1_000 },
      ...(quick
        ? { isolates: 50, warmSeconds: 0, seconds: 10 }
        : { isolates: 500, warmSeconds: 0, seconds: 300 }),
    };
    const figure = (label: string, metric: string) => ({ label, metric, unit: "rows", variant: "objects" });
    return {
      series: [
        {
          name: `${input.requestsPerSecond} requests/s over ${input.isolates} isolates, ${SHARDS} shards, ${input.seconds} s`,
          // Virtual time from a seed: every run counts the same.
          rounds: 1,
          variants: [{ name: "objects", run: () => runScript<Bill>("bench/processes/bill.ts", input) }],
          figures: [
            figure("a million observations, alarms included", "billed_per_million"),
            figure("in all, by SQL", "rows"),
            figure("in all, by alarms", "alarms"),
            { label: "observations", metric: "observations", unit: "", variant: "objects" },
          ],
          check: (samples) =>
            (samples.get("objects") ?? []).flatMap((sample) => {
              const { made, accepted, billed_per_million: billed = 0 } = sample;
              return [
                ...(made === accepted ? [] : [`${made} sent, ${accepted} accepted`]),
                ...(quick || billed <= ROWS_MAX ? [] : [`${billed} rows a million`]),
              ];
            }),
        },
      ],
      close: async () => undefined,
    };
  },
};
