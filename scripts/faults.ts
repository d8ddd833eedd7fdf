/** `npm run faults [-- NAME…]`: harm done to a real engine, one table on standard output, `reports/faults.json` beside it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { machine } from "./lib/bench/results.ts";
import { choose, log, run } from "./lib/command.ts";
import { FAULTS } from "./lib/faults/index.ts";
import type { FaultResult } from "./lib/faults/run.ts";
import { faultTable, holds, runFault } from "./lib/faults/run.ts";
import { ROOT } from "./lib/paths.ts";

const USAGE = `Usage: npm run faults [-- [--quick] NAME...]

Runs all faults, or those named:

${FAULTS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}\n`).join("")}
  --quick          a short run of each: the same must hold, but times mean little
  --help           this text
`;

async function main(): Promise<number> {
  const asked = choose(FAULTS, "fault", USAGE);
  if (asked === undefined) return 0;
  const { chosen, quick } = asked;
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

await run("faults", main);
