/** `npm run bench [-- NAME…]`: benchmarks, one table on standard output, every round in `bench/results.json`. */
import { BENCHMARKS } from "../bench/index.ts";
import { machine, writeResults } from "./lib/bench/results.ts";
import { type BenchmarkResult, runBenchmark } from "./lib/bench/run.ts";
import { table } from "./lib/bench/table.ts";
import { errorText, Failure } from "./lib/failure.ts";
import { parseFlags } from "./lib/flags.ts";

const USAGE = `Usage: npm run bench [-- [--quick] NAME...]

Runs all benchmarks, or those named:

${BENCHMARKS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}\n`).join("")}
  --quick      one short round of each: shows that they work; the numbers mean nothing
  --help       this text
`;

async function main(): Promise<number> {
  const { values, positionals } = parseFlags(
    process.argv.slice(2),
    { quick: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    true,
  );
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const names: readonly string[] = positionals;
  const unknown = names.find((name) => !BENCHMARKS.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new Failure(`no benchmark of that name: ${unknown} (--help lists them)`, 2);
  const chosen = BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name));

  const dateMs = Date.now();
  const quick = values.quick === true;
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

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report(error: unknown): number {
  const expected = error instanceof Failure;
  log(`bench: ${error instanceof Error && !expected ? (error.stack ?? error.message) : errorText(error)}`);
  return expected ? error.exitCode : 1;
}

// By way of `exit`, so that the processes of a benchmark end as well.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(1));
process.exit(await main().catch(report));
