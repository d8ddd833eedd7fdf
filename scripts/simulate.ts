/** `npm run simulate`: worlds by seed, and what broke in them. */
import { BUGS } from "../test/simulator/bugs.ts";
import { type Bundles, bundle, load } from "../test/simulator/bundle.ts";
import { runSeeds } from "../test/simulator/pool.ts";
import { type Outcome, runSeed } from "../test/simulator/run.ts";
import { report } from "./lib/command.ts";
import { readSimulateArgs, SIMULATE_USAGE, type SimulateArgs } from "./lib/simulate/args.ts";

const PROGRESS_MS = 10_000;

function tell({ seed, faults }: Outcome): void {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  const [first = ""] = (faults[0] ?? "").split("\n");
  console.log(`seed ${seed}: ${first.slice(0, 300)}${more}\n  npm run simulate -- --seed ${seed} --trace`);
}

/** One world, with everything that broke. */
async function one(bundles: Bundles, seed: number, trace: boolean): Promise<boolean> {
  const outcome = await runSeed(
    seed,
    load(bundles),
    trace ? (line) => process.stdout.write(`${line}\n`) : undefined,
  );
  for (const fault of outcome.faults) console.log(`seed ${seed}: ${fault}`);
  console.log(
    `seed ${seed}: ${outcome.faults.length} faults, ${outcome.events} events, ${outcome.observations} observations, ` +
      `${outcome.crashes} crashes, ${outcome.evictions} evictions, hash ${outcome.hash.toString(16)}`,
  );
  return outcome.faults.length === 0;
}

async function many(bundles: Bundles, { from, seeds, jobs }: SimulateArgs): Promise<boolean> {
  const startMs = Date.now();
  let [done, failed, events, observations, crashes, saidMs] = [0, 0, 0, 0, 0, startMs];
  const seconds = () => Math.max(0.001, (Date.now() - startMs) / 1_000);
  const progress = () =>
    `${done} seeds, ${failed} failed, ${(done / seconds()).toFixed(1)} seeds/s, ${events} events, ` +
    `${observations} observations, ${crashes} crashes`;
  await runSeeds(bundles, from, from + seeds, jobs, (outcome) => {
    done++;
    events += outcome.events;
    observations += outcome.observations;
    crashes += outcome.crashes;
    if (outcome.faults.length > 0) {
      failed++;
      tell(outcome);
    }
    if (Date.now() - saidMs > PROGRESS_MS) {
      saidMs = Date.now();
      console.log(progress());
    }
    return true;
  });
  console.log(progress());
  return failed === 0;
}

/** Each bug must be found, or the simulator's silence about the product says nothing. */
async function control({ from, seeds, jobs }: SimulateArgs): Promise<boolean> {
  let missed = 0;
  for (const { name, changes } of BUGS) {
    let found: Outcome | undefined;
    let tried = 0;
    await runSeeds(await bundle(changes), from, from + seeds, jobs, (outcome) => {
      tried++;
      if (outcome.faults.length > 0) found = outcome;
      return found === undefined;
    });
    if (found === undefined) missed++;
    const what =
      found === undefined ? "NOT FOUND" : `seed ${found.seed}: ${(found.faults[0] ?? "").split("\n")[0]}`;
    console.log(`${name}: ${what.slice(0, 200)} (${tried} seeds tried)`);
  }
  console.log(`${BUGS.length - missed} of ${BUGS.length} planted bugs found`);
  return missed === 0;
}

async function main(): Promise<number> {
  const args = readSimulateArgs(process.argv.slice(2));
  if (args === "help") {
    process.stdout.write(SIMULATE_USAGE);
    return 0;
  }
  if (args.bugs) return (await control(args)) ? 0 : 1;
  const bundles = await bundle();
  const holds =
    args.seed === undefined ? await many(bundles, args) : await one(bundles, args.seed, args.trace);
  return holds ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => report("simulate", error));
