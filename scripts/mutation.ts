/**
 * `npm run mutation`: changes `src/sketch`, `src/window` and `src/wire` in thousands of small ways, and tells which changes
 * no test notices. With arguments (`src/wire/key.ts`, `src/wire/key.ts:20-40`) only there. Exit code 1 below LEAST_SCORE.
 * Mutants whose code and tests are as in the last run keep their result (reports/mutation/incremental.json).
 */
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import type { MutantResult } from "@stryker-mutator/api/core";
import { Stryker } from "@stryker-mutator/core";
import { scoresOf, survivorsOf } from "./lib/mutation/report.ts";

const FOLDERS = ["src/sketch", "src/window", "src/wire"];
/** Percent of the mutants that a test must notice. */
const LEAST_SCORE = 85;

const mutate = argv.slice(2);
const stryker = new Stryker({
  configFile: "none",
  plugins: [fileURLToPath(new URL("./lib/mutation/runner.ts", import.meta.url))],
  testRunner: "pure",
  // Every mutant's modules stay in memory: about 100 MB after so many.
  maxTestRunnerReuse: 200,
  concurrency: 2,
  mutate: mutate.length > 0 ? mutate : FOLDERS.map((folder) => `${folder}/**/*.ts`),
  coverageAnalysis: "perTest",
  incremental: true,
  incrementalFile: "reports/mutation/incremental.json",
  tempDirName: "reports/mutation/sandbox",
  // Stryker would rewrite it with a compiler API that TypeScript 7 does not have.
  tsconfigFile: "none",
  reporters: ["json", "progress-append-only"],
  jsonReporter: { fileName: "reports/mutation/mutation.json" },
});
const results: MutantResult[] = await stryker.runMutationTest();

for (const line of survivorsOf(results)) console.log(line);
const scores = scoresOf(results, FOLDERS);
for (const { name, noticed, mutants, ignored, score } of scores)
  console.log(
    `${name.padEnd(12)} ${score.toFixed(1)} %: ${noticed} of ${mutants} noticed, ${ignored} ignored with a reason`,
  );
if (scores.some(({ score }) => score < LEAST_SCORE)) process.exitCode = 1;
