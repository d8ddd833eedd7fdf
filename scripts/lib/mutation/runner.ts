/**
 * Runs the pure tests for Stryker, in its process: for every mutant the sources and the tests that cover it are loaded anew,
 * so no mutant sees what another one left behind, and constants of a module can be mutated too.
 *
 * Stryker's own runner for Vitest cannot do it: it asks for tests by a name that Vitest 5 writes differently (so every test
 * in a `describe` is skipped and every mutant survives), and starts a worker a file and mutant.
 */
import { globSync, readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { env } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { INSTRUMENTER_CONSTANTS, type InstrumenterContext } from "@stryker-mutator/api/core";
import { declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import {
  type DryRunResult,
  DryRunStatus,
  determineHitLimitReached,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  TestStatus,
  toMutantRunResult,
} from "@stryker-mutator/api/test-runner";
import fc from "fast-check";
import { collect } from "./harness.ts";

/** The tests of `src/sketch`, `src/window` and `src/wire`; quick ones first, since the first that fails is the last that runs. */
export const TESTS = [
  "test/unit/{event,frame,ja4,key,observation,records,samples}.test.ts",
  "test/unit/{sketch,window,wire}-*.test.ts",
  "test/unit/frame-builder.test.ts",
  "test/property/{arena,window-parts,distincts-error,ranks,distincts,window,window-capacity,door}.test.ts",
];
/** Cases a property. They are always the same: a mutant that dies by luck says nothing about the tests. */
const RUNS = 40;
const SEED = 20_261_123;

const HARNESS = new URL("./harness.ts", import.meta.url).href;

export class PureTestRunner implements TestRunner {
  static readonly inject = [] as const;
  readonly #root = pathToFileURL(`${process.cwd()}/`).href;
  /** Plain JavaScript of the files loaded so far. */
  readonly #sources = new Map<string, string>();
  /** Where the mutated code and Stryker meet. */
  readonly #shared: InstrumenterContext = {};
  #generation = 0;

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init(): Promise<void> {
    Object.assign(globalThis, { [INSTRUMENTER_CONSTANTS.NAMESPACE]: this.#shared });
    env.PROPERTY_RUNS = `${RUNS}`;
    // No search for a smaller case: that one fails is all there is to know.
    fc.configureGlobal({ seed: SEED, numRuns: RUNS, endOnFailure: true });
    registerHooks({
      resolve: (specifier, context, next) => {
        if (specifier === "vitest" && context.parentURL !== HARNESS)
          return { url: HARNESS, shortCircuit: true };
        const found = next(specifier, context);
        if (!this.#isOurs(found.url)) return found;
        return { url: `${found.url}?${this.#generation}`, format: "module", shortCircuit: true };
      },
      load: (url, context, next) =>
        this.#isOurs(url)
          ? { format: "module", source: this.#source(url), shortCircuit: true }
          : next(url, context),
    });
  }

  async dryRun(): Promise<DryRunResult> {
    const tests = await this.#run(undefined, false);
    return { status: DryRunStatus.Complete, tests, mutantCoverage: this.#shared.mutantCoverage! };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const shared = this.#shared;
    shared.hitCount = 0;
    if (options.hitLimit === undefined) delete shared.hitLimit;
    else shared.hitLimit = options.hitLimit;
    shared.activeMutant = options.activeMutant.id;
    try {
      const tests = await this.#run(options.testFilter && new Set(options.testFilter), !options.disableBail);
      const endless = determineHitLimitReached(shared.hitCount, options.hitLimit);
      return toMutantRunResult(endless ?? { status: DryRunStatus.Complete, tests });
    } finally {
      delete shared.activeMutant;
    }
  }

  /** Runs the tests that are asked for, up to the first that fails when `bail`. */
  async #run(wanted: ReadonlySet<string> | undefined, bail: boolean): Promise<TestResult[]> {
    this.#generation++;
    const results: TestResult[] = [];
    for (const path of TESTS.flatMap((pattern) => globSync(pattern).sort())) {
      if (wanted !== undefined && ![...wanted].some((id) => id.startsWith(`${path}#`))) continue;
      for (const result of await this.#runFile(path, wanted, bail)) {
        results.push(result);
        if (bail && result.status === TestStatus.Failed) return results;
      }
    }
    return results;
  }

  async #runFile(
    path: string,
    wanted: ReadonlySet<string> | undefined,
    bail: boolean,
  ): Promise<TestResult[]> {
    const fileName = join(process.cwd(), path);
    const results: TestResult[] = [];
    try {
      const url = `${pathToFileURL(fileName).href}`;
      for (const { name, run } of await collect(() => import(url))) {
        const id = `${path}#${name}`;
        if (wanted !== undefined && !wanted.has(id)) continue;
        const base = { id, name, fileName, timeSpentMs: 0 };
        if (run === undefined) {
          results.push({ ...base, status: TestStatus.Skipped });
          continue;
        }
        const failure = await this.#attempt(id, run, base);
        results.push(
          failure === undefined
            ? { ...base, status: TestStatus.Success }
            : { ...base, status: TestStatus.Failed, failureMessage: failure },
        );
        if (bail && failure !== undefined) return results;
      }
    } catch (error) {
      const base = { id: `${path}#`, name: path, fileName, timeSpentMs: 0 };
      results.push({ ...base, status: TestStatus.Failed, failureMessage: String(error) });
    }
    return results;
  }

  /** What the test fails with; `undefined` when it passes. */
  async #attempt(
    id: string,
    run: () => unknown,
    timed: { timeSpentMs: number },
  ): Promise<string | undefined> {
    this.#shared.currentTestId = id;
    const start = performance.now();
    try {
      await run();
      return undefined;
    } catch (error) {
      return String(error);
    } finally {
      timed.timeSpentMs = performance.now() - start;
      delete this.#shared.currentTestId;
    }
  }

  /** Whether a module is part of the sandbox, and so is loaded anew for every mutant. */
  #isOurs(url: string): boolean {
    return url.startsWith(this.#root) && !url.includes("/node_modules/") && url !== HARNESS;
  }

  #source(url: string): string {
    const path = fileURLToPath(url);
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const source = stripTypeScriptTypes(readFileSync(path, "utf8"));
    this.#sources.set(path, source);
    return source;
  }
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, "pure", PureTestRunner)];
