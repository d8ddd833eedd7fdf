/**
 * `npm run mutation`: changes `src/sketch`, `src/window` and `src/wire` in thousands of small ways, and tells which changes
 * no test notices. With arguments (`src/wire/key.ts`, `src/wire`) only there. Exit code 1 below LEAST_SCORE.
 */
import { globSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import type { LogLevel, MutantResult } from "@stryker-mutator/api/core";
import { Stryker } from "@stryker-mutator/core";
import { scoresOf, survivorsOf } from "./lib/mutation/report.ts";

const FOLDERS = ["src/sketch", "src/window", "src/wire"];
/** Percent of the mutants that a test must notice. */
const LEAST_SCORE = 85;

/** Mutates one file: every place that could be mutated slows the code down, so the others stay as they are. */
async function mutate(file: string): Promise<MutantResult[]> {
  const stryker = new Stryker({
    plugins: [fileURLToPath(new URL("./lib/mutation/runner.ts", import.meta.url))],
    testRunner: "pure",
    // Every mutant's modules stay in memory: about 100 MB after so many.
    maxTestRunnerReuse: 200,
    concurrency: 2,
    mutate: [file],
    coverageAnalysis: "perTest",
    tempDirName: "reports/mutation/sandbox",
    // Stryker would rewrite it with a compiler API that TypeScript 7 does not have.
    tsconfigFile: "none",
    reporters: [],
    logLevel: "error" as LogLevel,
    warnings: false,
  });
  return await stryker.runMutationTest();
}

const wanted = argv.length > 2 ? argv.slice(2) : FOLDERS;
const files = wanted.flatMap((path) => (path.endsWith(".ts") ? [path] : globSync(`${path}/*.ts`).sort()));
const results: MutantResult[] = [];
for (const file of files) {
  const found = (await mutate(file)).map((mutant) => ({ ...mutant, fileName: file }));
  results.push(...found);
  for (const line of survivorsOf(found)) console.log(line);
  for (const { noticed, mutants, score } of scoresOf(found, []))
    console.log(`${file}: ${noticed} of ${mutants}, ${score.toFixed(1)} %`);
}
const scores = scoresOf(results, FOLDERS);
for (const { name, noticed, mutants, ignored, score } of scores)
  console.log(
    `${name.padEnd(12)} ${score.toFixed(1)} %: ${noticed} of ${mutants} noticed, ${ignored} ignored with a reason`,
  );
if (scores.some(({ score }) => score < LEAST_SCORE)) process.exitCode = 1;
