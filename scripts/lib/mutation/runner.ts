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

/** Which tests to run. */
interface Choice {
  /** Their ids; all of them where it is not known which come by a mutant: one in a constant of a module. */
  wanted?: ReadonlySet<string>;
  /** URL of the mutated module: files of tests that do not import it are left out. */
  of?: string;
  /** Stop at the first that fails. */
  bail: boolean;
}

export class PureTestRunner implements TestRunner {
  static readonly inject = [] as const;
  readonly #root = pathToFileURL(`${process.cwd()}/`).href;
  /** Plain JavaScript of the files loaded so far. */
  readonly #sources = new Map<string, string>();
  /** Where the mutated code and Stryker meet. */
  readonly #shared: InstrumenterContext = {};
  /** Module → what it imports. */
  readonly #imports = new Map<string, Set<string>>();
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
        this.#noteImport(context.parentURL, found.url);
        return { url: `${found.url}?${this.#generation}`, format: "module", shortCircuit: true };
      },
      load: (url, context, next) =>
        this.#isOurs(url)
          ? { format: "module", source: this.#source(url), shortCircuit: true }
          : next(url, context),
    });
  }

  async dryRun(): Promise<DryRunResult> {
    const tests = await this.#run({ bail: false });
    return { status: DryRunStatus.Complete, tests, mutantCoverage: this.#shared.mutantCoverage! };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const shared = this.#shared;
    shared.hitCount = 0;
    if (options.hitLimit === undefined) delete shared.hitLimit;
    else shared.hitLimit = options.hitLimit;
    shared.activeMutant = options.activeMutant.id;
    try {
      const { testFilter, sandboxFileName, disableBail } = options;
      const tests = await this.#run({
        ...(testFilter && { wanted: new Set(testFilter) }),
        ...{ of: pathToFileURL(sandboxFileName).href, bail: !disableBail },
      });
      const endless = determineHitLimitReached(shared.hitCount, options.hitLimit);
      return toMutantRunResult(endless ?? { status: DryRunStatus.Complete, tests });
    } finally {
      delete shared.activeMutant;
    }
  }

  async #run(choice: Choice): Promise<TestResult[]> {
    const { wanted, bail } = choice;
    this.#generation++;
    const results: TestResult[] = [];
    for (const path of TESTS.flatMap((pattern) => globSync(pattern).sort())) {
      if (wanted !== undefined && ![...wanted].some((id) => id.startsWith(`${path}#`))) continue;
      for (const result of await this.#runFile(path, choice)) {
        results.push(result);
        if (bail && result.status === TestStatus.Failed) return results;
      }
    }
    return results;
  }

  async #runFile(path: string, { wanted, of, bail }: Choice): Promise<TestResult[]> {
    const fileName = join(process.cwd(), path);
    const results: TestResult[] = [];
    try {
      const url = pathToFileURL(fileName).href;
      const tests = await collect(() => import(url));
      if (of !== undefined && !this.#reaches(url, of)) return [];
      for (const { name, run } of tests) {
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

  #noteImport(parent: string | undefined, module: string): void {
    const from = parent?.split("?")[0] ?? "";
    const imports = this.#imports.get(from) ?? new Set();
    this.#imports.set(from, imports.add(module));
  }

  /** Whether a module imports another one, be it through others. */
  #reaches(from: string, to: string, seen = new Set<string>()): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(this.#imports.get(from) ?? [])].some((module) => this.#reaches(module, to, seen));
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
