/** The sites whose bills `npm run cost` counts. */
import type { BillInput } from "../../../bench/processes/bill.ts";

export interface Case {
  readonly group: "paid" | "busy" | "free";
  readonly input: BillInput;
  /** Dollars a million observations at most. */
  readonly target?: number;
}

const ISOLATES = [100, 500, 1_000, 2_000, 5_000];
const FREE = { TICK: "60s", FLUSH: "20s" };

const thousand = (shards: number, isolates: number, seconds: number): BillInput => ({
  ...{ shards, isolates, requestsPerSecond: 1_000, warmSeconds: seconds / 3, seconds, fingerprints: 1_000 },
});

/** Virtual time from a seed: every run counts the same. */
export function casesOf(quick: boolean): Case[] {
  if (quick) {
    return [
      { group: "paid", input: thousand(1, 20, 6) },
      {
        group: "free",
        input: {
          ...{
            shards: 1,
            isolates: 2,
            requestsPerSecond: 10,
            warmSeconds: 60,
            seconds: 120,
            fingerprints: 50,
          },
          settings: FREE,
        },
      },
    ];
  }
  return [
    ...ISOLATES.map((isolates): Case => ({ group: "paid", input: thousand(1, isolates, 120), target: 0.02 })),
    ...ISOLATES.map((isolates): Case => ({ group: "paid", input: thousand(4, isolates, 120), target: 0.05 })),
    {
      group: "busy",
      input: {
        ...{
          shards: 4,
          isolates: 10,
          requestsPerSecond: 10,
          warmSeconds: 600,
          seconds: 7_200,
          fingerprints: 300,
        },
      },
    },
    {
      group: "busy",
      input: {
        ...{ shards: 4, isolates: 5_000, requestsPerSecond: 100_000, warmSeconds: 5, seconds: 10 },
        fingerprints: 5_000,
      },
    },
    ...[1, 5, 10, 20, 40].map(
      (isolates): Case => ({
        group: "free",
        input: {
          ...{
            shards: 1,
            isolates,
            requestsPerSecond: 10,
            warmSeconds: 600,
            seconds: 7_200,
            fingerprints: 300,
          },
          settings: FREE,
        },
      }),
    ),
  ];
}
