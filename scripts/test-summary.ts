/**
 * `node scripts/test-summary.ts REPORT.json...`: what failed and why, in few lines that stand at the end of a long log, and
 * the closing line `N passed, N failed`, from vitest's JSON reports.
 * Exits 1 when anything failed, or nothing ran in one of them.
 */
import { readFileSync } from "node:fs";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

function read(file: string): Report | undefined {
  try {
    // Vitest writes the report, so its form is known.
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

/** A file that could not be loaded, or whose hooks failed, has no failed test of its own but is a failure. */
function brokenFiles(report: Report): number {
  return report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
}

/** The first lines of a failure: the message, and the difference when it is short. */
const FAILURE_LINES = 12;

function tell(report: Report): void {
  for (const { name, status, message, assertionResults } of report.testResults) {
    const failures = assertionResults.filter((test) => test.status === "failed");
    for (const { fullName, failureMessages } of failures)
      print(`${name}: ${fullName}`, failureMessages.join("\n"));
    if (status === "failed" && failures.length === 0) print(name, message);
  }
}

function print(what: string, why: string): void {
  const lines = why.split("\n").slice(0, FAILURE_LINES);
  console.log([`FAILED ${what}`, ...lines.map((line) => `  ${line}`), ""].join("\n"));
}

let [passed, failed, skipped] = [0, 0, 0];
for (const file of process.argv.slice(2)) {
  const report = read(file);
  if (report !== undefined) tell(report);
  passed += report?.numPassedTests ?? 0;
  skipped += report === undefined ? 0 : report.numPendingTests + report.numTodoTests;
  const failures = report === undefined ? 0 : report.numFailedTests + brokenFiles(report);
  // Nothing ran, or there is no report: the runner itself broke down. One failure, and nothing else is known.
  failed += failures === 0 && !report?.numPassedTests ? 1 : failures;
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
