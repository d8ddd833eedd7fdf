/** The command line of `npm start`. */
import { parseDuration } from "../../../src/base/time.ts";
import type { Scenario } from "../../../src/simulate/scenario.ts";
import { SCENARIOS } from "../../../src/simulate/show.ts";
import { type Environment, readServeArgs, type ServeArgs } from "../args.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../flags.ts";

export interface StartArgs {
  readonly serve: ServeArgs;
  /** The user named a port, so another one would be wrong. */
  readonly portGiven: boolean;
  /** Absent = the one that the folder's last demo had, or SEED_DEFAULT. */
  readonly seed: number | undefined;
  readonly scenarios: readonly Scenario[];
  /** From one scene's start to the next. */
  readonly everyMs: number;
  readonly once: boolean;
}

export const SITE = "shop";
export const SEED_DEFAULT = 1;
const SEED_MAX = 2 ** 32 - 1;
const EVERY_DEFAULT = "55s";

export const START_USAGE = `Usage: npm start -- [flags]

Runs HelloTide on this machine and shows it at work: an hour of a shop's background traffic, then live traffic with
attacks in it, each printed beside what the anomaly feed says of it. Until Ctrl-C. All of the traffic is made up.

  --port 8787         port to listen on; when it is taken and not given here, any free one   (HELLOTIDE_PORT)
  --persist DIR       folder of the data, .hellotide; a demo goes on where it stopped        (HELLOTIDE_PERSIST)
  --seed N            another world: other volumes, actors, addresses; ${SEED_DEFAULT}
  --scenes a,b        only these, in this order: ${SCENARIOS.map(({ name }) => name).join(", ")}
  --every ${EVERY_DEFAULT}         from one scene to the next
  --once              end after the last scene, with a table of what was injected and what was raised
  --help              this text
`;

const OPTIONS = {
  port: { type: "string" },
  persist: { type: "string" },
  seed: { type: "string" },
  scenes: { type: "string" },
  every: { type: "string" },
  once: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export function readStartArgs(argv: readonly string[], environment: Environment): StartArgs | "help" {
  const { values } = parseFlags(argv, OPTIONS, false);
  if (values.help === true) return "help";
  // Loopback only: anybody who reaches the port could read what the terminal shows anyway, but nobody should.
  const flags = ["--host", "127.0.0.1", "--sites", SITE];
  if (values.port !== undefined) flags.push("--port", values.port);
  if (values.persist !== undefined) flags.push("--persist", values.persist);
  const serve = readServeArgs(flags, environment);
  if (serve === "help") return "help";
  return {
    serve,
    portGiven: values.port !== undefined || Boolean(environment.HELLOTIDE_PORT),
    seed: readSeed(values.seed),
    scenarios: readScenes(values.scenes),
    everyMs: readEvery(values.every ?? EVERY_DEFAULT),
    once: values.once === true,
  };
}

function readSeed(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed <= SEED_MAX)) throw new Failure(`--seed: not a whole number up to ${SEED_MAX}: ${text}`, 2);
  return seed;
}

function readScenes(text: string | undefined): readonly Scenario[] {
  if (text === undefined) return SCENARIOS;
  return text.split(",").map((name) => {
    const known = SCENARIOS.find((scenario) => scenario.name === name.trim());
    if (known === undefined)
      throw new Failure(`--scenes: no scene ${name.trim() || '""'} (--help lists them)`, 2);
    return known;
  });
}

function readEvery(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1_000)
    throw new Failure(`--every: not a duration such as 55s or 2m: ${text}`, 2);
  return ms;
}
