/** What the commands share: how they end, and for those that run some named things what they were asked for. */
import { errorText, Failure } from "./failure.ts";
import { parseFlags } from "./flags.ts";
import { printable } from "./terminal.ts";

export interface Chosen<T> {
  readonly chosen: readonly T[];
  readonly quick: boolean;
}

/** Those of `all` that the command line names, all when it names none; `undefined` when it asked for `usage`, which is out. */
export function choose<T extends { readonly name: string }>(
  all: readonly T[],
  what: string,
  usage: string,
): Chosen<T> | undefined {
  const { values, positionals } = parseFlags(
    process.argv.slice(2),
    { quick: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    true,
  );
  if (values.help === true) {
    process.stdout.write(usage);
    return undefined;
  }
  const names: readonly string[] = positionals;
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new Failure(`no ${what} of that name: ${unknown} (--help lists them)`, 2);
  const chosen = all.filter(({ name }) => names.length === 0 || names.includes(name));
  return { chosen, quick: values.quick === true };
}

export function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs `main` to its exit code. A signal ends it by way of `exit`, so that the processes that it started end as well. */
export async function run(command: string, main: () => Promise<number>): Promise<never> {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(1));
  return process.exit(await main().catch((error: unknown) => report(command, error)));
}

/** Tells on standard error why a command ended: an expected failure by its message, anything else with its stack. Answers the exit code. */
export function report(command: string, error: unknown): number {
  if (error instanceof Failure) {
    // What others have sent may stand in it: further lines are indented, so that none looks like one of ours.
    log(`${command}: ${error.message.split("\n").map(printable).join("\n  ")}`);
    return error.exitCode;
  }
  log(`${command}: ${error instanceof Error ? (error.stack ?? error.message) : errorText(error)}`);
  return 1;
}
