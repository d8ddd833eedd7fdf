/**
 * What the pure tests import as "vitest" while they run once a mutant (runner.ts): Vitest's own `expect`, and a `describe`
 * and `it` that only collect. Starting a Vitest worker takes longer than most mutants need.
 */
import { format } from "node:util";

export { expect } from "vitest";

/** One collected test; `name` holds those of its suites, and is unique in its file. */
export interface Collected {
  name: string;
  run: (() => unknown) | undefined;
}

type Body = (...args: never[]) => unknown;

let tests: Collected[] = [];
let suites: string[] = [];
const seen = new Map<string, number>();

/** The tests that `load` collects, which imports a file of them. */
export async function collect(load: () => Promise<unknown>): Promise<Collected[]> {
  tests = [];
  suites = [];
  seen.clear();
  await load();
  return tests;
}

function add(name: string, run: (() => unknown) | undefined): void {
  const full = [...suites, name].join(" > ");
  const times = (seen.get(full) ?? 0) + 1;
  seen.set(full, times);
  tests.push({ name: times === 1 ? full : `${full} (${times})`, run });
}

/** Arguments of one case: an array is spread, as Vitest does. */
function argumentsOf(row: unknown): unknown[] {
  return Array.isArray(row) ? row : [row];
}

/** Options, where there are any, come before the body. */
function bodyOf(rest: readonly unknown[]): Body {
  return rest.at(-1) as Body;
}

export function it(name: string, ...rest: unknown[]): void {
  add(name, bodyOf(rest) as () => unknown);
}
it.each =
  (rows: readonly unknown[]) =>
  (name: string, ...rest: unknown[]): void => {
    for (const row of rows) {
      const values = argumentsOf(row);
      const shown = values.slice(0, name.match(/%[sdijfo]/g)?.length ?? 0);
      add(format(name, ...shown), () => bodyOf(rest)(...(values as never[])));
    }
  };
it.skipIf =
  (skip: boolean) =>
  (name: string, ...rest: unknown[]): void =>
    add(name, skip ? undefined : (bodyOf(rest) as () => unknown));

export function describe(name: string, body: () => void): void {
  suites.push(name);
  body();
  suites.pop();
}
describe.each =
  (rows: readonly unknown[]) =>
  (name: string, body: Body): void => {
    for (const row of rows) {
      const values = argumentsOf(row);
      describe(format(name, ...values), () => void body(...(values as never[])));
    }
  };
