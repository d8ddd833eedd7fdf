/** What the commands share that run some named things and print one table. */
import { errorText, Failure } from "./failure.ts";
import { parseFlags } from "./flags.ts";

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
  try {
    return process.exit(await main());
  } catch (error) {
    const expected = error instanceof Failure;
    log(
      `${command}: ${error instanceof Error && !expected ? (error.stack ?? error.message) : errorText(error)}`,
    );
    return process.exit(expected ? error.exitCode : 1);
  }
}
