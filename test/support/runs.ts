/** How much work tests do: all of it, or (`PROPERTY_RUNS`, see scripts/lib/mutation/runner.ts) as little as tells mutants apart. */
import { env } from "node:process";

const MOST = Number(env.PROPERTY_RUNS ?? Number.POSITIVE_INFINITY);

/** Whether slow tests that would be run for every mutant are left out. */
export const FEW_RUNS = MOST !== Number.POSITIVE_INFINITY;

/** Cases of a property that wants `wanted` of them. */
export function runs(wanted: number): number {
  return Math.min(wanted, MOST);
}
