/** `npm run bench [-- NAME…]`: benchmarks, one table on standard output, every round in `bench/results.json`. */
import { BENCHMARKS } from "../bench/index.ts";
import { machine, writeResults } from "./lib/bench/results.ts";
import { type BenchmarkResult, runBenchmark } from "./lib/bench/run.ts";
import { table } from "./lib/bench/table.ts";
import { choose, log, run } from "./lib/command.ts";

const USAGE = `Usage: npm run bench [-- [--quick] NAME...]

Runs all benchmarks, or those named:

${BENCHMARKS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}\n`).join("")}
  --quick      one short round of each: shows that they work; the numbers mean nothing
  --help       this text
`;

async function main(): Promise<number> {
  const asked = choose(BENCHMARKS, "benchmark", USAGE);
  if (asked === undefined) return 0;
  const { chosen, quick } = asked;
  const dateMs = Date.now();
  const results: BenchmarkResult[] = [];
  for (const benchmark of chosen) results.push(await runBenchmark(benchmark, { quick }, log));

  const { node, workerd, cpu, cores } = machine();
  process.stdout.write(
    `${new Date(dateMs).toISOString()}, node ${node}, workerd ${workerd}, ${cores} × ${cpu}\n\n`,
  );
  process.stdout.write(`${table(results)}\n`);
  log(`every round is in ${writeResults(results, dateMs, quick)}`);
  const faults = results.flatMap(({ name, series }) =>
    series.flatMap((one) => one.faults.map((fault) => `${name}: ${one.name}: ${fault}`)),
  );
  for (const fault of faults) log(`FAILED ${fault}`);
  return faults.length === 0 ? 0 : 1;
}

await run("bench", main);
