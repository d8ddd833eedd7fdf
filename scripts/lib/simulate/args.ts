/** The command line of `simulate`. */
import { Failure } from "../failure.ts";
import { parseFlags } from "../flags.ts";

export interface SimulateArgs {
  readonly from: number;
  /** How many. */
  readonly seeds: number;
  readonly jobs: number;
  /** One alone. */
  readonly seed: number | undefined;
  readonly trace: boolean;
  readonly bugs: boolean;
}

export const SIMULATE_USAGE = `Usage: npm run simulate -- [flags]

Runs the real objects and the real edge on a simulated platform: virtual time, a network that loses and repeats calls, disks
that fill up, objects that crash; a world a seed. Prints a line for every seed that breaks an invariant.

  --seeds 1000        how many worlds
  --from 1            the first seed
  --jobs 2            threads
  --seed S            this one alone
  --trace             with --seed: print every event
  --bugs              plant known bugs instead, one after the other, and find each within --seeds
  --help              this text

Exit code: 0 when all seeds hold (or all bugs are found), 1 when not, 2 wrong use.
`;

const OPTIONS = {
  seeds: { type: "string" },
  from: { type: "string" },
  jobs: { type: "string" },
  seed: { type: "string" },
  trace: { type: "boolean" },
  bugs: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const SEEDS_DEFAULT = 1_000;
const JOBS_DEFAULT = 2;
const JOBS_MAX = 64;

/** `"help"` when the user asked for the usage text. */
export function readSimulateArgs(argv: readonly string[]): SimulateArgs | "help" {
  const { values } = parseFlags(argv, OPTIONS, false);
  if (values.help === true) return "help";
  const seed = values.seed === undefined ? undefined : whole("--seed", values.seed, Number.MAX_SAFE_INTEGER);
  const trace = values.trace === true;
  if (trace && seed === undefined) throw new Failure("--trace needs --seed", 2);
  return {
    from: whole("--from", values.from ?? "1", Number.MAX_SAFE_INTEGER),
    seeds: whole("--seeds", values.seeds ?? String(SEEDS_DEFAULT), Number.MAX_SAFE_INTEGER),
    jobs: whole("--jobs", values.jobs ?? String(JOBS_DEFAULT), JOBS_MAX),
    seed,
    trace,
    bugs: values.bugs === true,
  };
}

function whole(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > max)
    throw new Failure(`${flag}: a whole number from 1, not ${text}`, 2);
  return value;
}
