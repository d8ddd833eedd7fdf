/** `npm run cost`: what a million observations cost on Cloudflare, counted on the real edge and objects. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bill } from "../bench/processes/bill.ts";
import { runScript } from "./lib/bench/processes.ts";
import { log, run } from "./lib/command.ts";
import { type Case, casesOf } from "./lib/cost/cases.ts";
import { type Counted, report } from "./lib/cost/report.ts";
import { Failure } from "./lib/failure.ts";
import { parseFlags } from "./lib/flags.ts";
import { ROOT } from "./lib/paths.ts";

const USAGE = `Usage: npm run cost [-- --quick]

Counts calls, rows, bytes and GB-s of simulated sites, applies Cloudflare's list prices, and writes docs/cost.md.
Takes some ten minutes, and 4 GB for 5,000 isolates.

  --quick      two small sites in seconds, printed and not written; the figures mean nothing
  --help       this text
`;
const TIMEOUT_MS = 30 * 60_000;
/** Five thousand isolates, each with modules of its own. */
const HEAP = "--max-old-space-size=6144";

async function main(): Promise<number> {
  const options = { quick: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  const { values } = parseFlags(process.argv.slice(2), options, false);
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const quick = values.quick === true;
  const counted: Counted[] = [];
  for (const one of casesOf(quick)) counted.push({ ...one, bill: await billOf(one) });
  const page = report(counted);
  process.stdout.write(page);
  if (!quick) writeFileSync(join(ROOT, "docs", "cost.md"), page);
  return 0;
}

async function billOf({ input }: Case): Promise<Bill> {
  const { requestsPerSecond, isolates, shards } = input;
  const what = `${requestsPerSecond} requests/s over ${isolates} isolates, ${shards} ${shards === 1 ? "shard" : "shards"}`;
  log(what);
  const bill = await runScript<Bill>("bench/processes/bill.ts", input, [HEAP], TIMEOUT_MS);
  if (bill.made !== bill.accepted) throw new Failure(`${what}: ${bill.made} sent, ${bill.accepted} accepted`);
  return bill;
}

await run("cost", main);
