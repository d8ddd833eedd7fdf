/** How far one way of counting is off: streams whose true counts are known. Prints a Sample. */
import { WINDOWS } from "../../src/config.ts";
import { type CounterName, counterOf, NO_SET } from "../lib/distinct-counters.ts";
import { hashOf, NOW_SLOT, SINCE, STREAMS, type StreamName, slotOf } from "../lib/distinct-streams.ts";

export interface DistinctErrorInput {
  readonly variant: CounterName;
  /** Identities of a stream and how many streams of that size. */
  readonly sizes: readonly (readonly [identities: number, runs: number])[];
}

const input = JSON.parse(process.argv[2] ?? "") as DistinctErrorInput;

/** Relative errors by window of one stream. */
function errors(stream: StreamName, size: number, seed: number): number[] {
  const counter = counterOf(input.variant);
  const truth = WINDOWS.map(() => 0);
  let set = NO_SET;
  for (let i = 0; i < size; i++) {
    const slot = slotOf(stream, i, size);
    set = counter.add(set, hashOf(i + seed), slot);
    for (let w = 0; w < truth.length; w++) if (slot >= SINCE[w]!) truth[w]! += 1;
  }
  return truth.map((count, w) => counter.count(set, SINCE[w]!, NOW_SLOT) / count - 1);
}

const result: Record<string, number> = {};
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
let seed = 0;
for (const stream of STREAMS) {
  const all = WINDOWS.map((): number[] => []);
  for (const [size, runs] of input.sizes) {
    const own = WINDOWS.map((): number[] => []);
    for (let run = 0; run < runs; run++) {
      seed = (seed + 30_000_001) | 0;
      for (const [w, error] of errors(stream, size, seed).entries()) {
        own[w]!.push(error);
        all[w]!.push(error);
      }
    }
    for (const [w, name] of WINDOWS.entries())
      result[`${stream}_${size}_${name}_rms`] = 100 * Math.sqrt(mean(own[w]!.map((error) => error * error)));
  }
  for (const [w, name] of WINDOWS.entries()) result[`${stream}_${name}_bias`] = 100 * mean(all[w]!);
}
process.stdout.write(JSON.stringify(result));
