/** `npm run faults [-- NAME…]`: harm done to a real engine, one table on standard output, `reports/faults.json` beside it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine } from "./lib/bench/results.ts";
import { errorText, Failure } from "./lib/failure.ts";
import { FAULTS } from "./lib/faults/index.ts";
import type { FaultResult } from "./lib/faults/run.ts";
import { faultTable, holds, runFault } from "./lib/faults/run.ts";
import { parseFlags } from "./lib/flags.ts";
import { ROOT } from "./lib/paths.ts";

const USAGE = `Usage: npm run faults [-- [--quick] NAME...]

Runs all faults, or those named:

${FAULTS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}\n`).join("")}
  --quick          a short run of each: the same must hold, but times mean little
  --help           this text
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
  const unknown = names.find((name) => !FAULTS.some((one) => one.name === name));
  if (unknown !== undefined) throw new Failure(`no fault of that name: ${unknown} (--help lists them)`, 2);
  const chosen = FAULTS.filter(({ name }) => names.length === 0 || names.includes(name));

  const quick = values.quick === true;
  const dateMs = Date.now();
  const results: FaultResult[] = [];
  for (const fault of chosen) {
    log(`${fault.name}: ${fault.about}`);
    results.push(await runFault(fault, { quick, log: (line) => log(`${fault.name}: ${line}`) }));
  }
  process.stdout.write(`${faultTable(results)}\n`);
  log(`the same with the machine is in ${writeReport(results, dateMs, quick)}`);
  for (const { name, failed } of results) if (failed !== undefined) log(`\nFAILED ${name}: ${failed}`);
  return results.every(holds) ? 0 : 1;
}

/** A short run has a file of its own: its times must not pass for measured ones. */
function writeReport(faults: readonly FaultResult[], dateMs: number, quick: boolean): string {
  const path = quick ? "reports/faults.quick.json" : "reports/faults.json";
  mkdirSync(join(ROOT, "reports"), { recursive: true });
  const report = { date: new Date(dateMs).toISOString(), quick, machine: machine(), faults };
  writeFileSync(join(ROOT, path), `${JSON.stringify(report, null, 1)}\n`);
  return path;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

function report(error: unknown): number {
  const expected = error instanceof Failure;
  log(`faults: ${error instanceof Error && !expected ? (error.stack ?? error.message) : errorText(error)}`);
  return expected ? error.exitCode : 1;
}

// By way of `exit`, so that the engines of a run end as well.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(1));
process.exit(await main().catch(report));
