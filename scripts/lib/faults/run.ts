/** Runs faults one after the other and keeps what they measured. */
import { errorText } from "../failure.ts";
import { type Fault, type FaultContext, type Figure, Skipped } from "./fault.ts";

export interface FaultResult {
  readonly name: string;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  /** Why it could not run on this machine. */
  readonly skipped?: string;
  /** Why it ended before its time. */
  readonly failed?: string;
}

export async function runFault(fault: Fault, context: FaultContext): Promise<FaultResult> {
  const from = performance.now();
  const end = (rest: Omit<FaultResult, "name" | "seconds">): FaultResult => {
    return { name: fault.name, seconds: Math.round((performance.now() - from) / 100) / 10, ...rest };
  };
  try {
    return end({ figures: await fault.run(context) });
  } catch (error) {
    if (error instanceof Skipped) return end({ figures: [], skipped: error.message });
    return end({
      figures: [],
      failed: error instanceof Error ? (error.stack ?? error.message) : errorText(error),
    });
  }
}

/** Whether everything that ran holds. */
export function holds({ figures, failed }: FaultResult): boolean {
  return failed === undefined && figures.every((figure) => figure.holds);
}

/** fault, figure, measured, target, verdict. */
export function faultTable(results: readonly FaultResult[]): string {
  const rows = [["fault", "figure", "measured", "target", "verdict"]];
  for (const { name, seconds, figures, skipped, failed } of results) {
    if (skipped !== undefined) rows.push([name, "", "", "", `skipped: ${skipped}`]);
    if (failed !== undefined) rows.push([name, "", "", "", `FAILED: ${failed.split("\n")[0]}`]);
    for (const [i, one] of figures.entries()) {
      const verdict = one.target === "" ? "" : one.holds ? "ok" : "MISSED";
      rows.push([
        i === 0 ? `${name} (${seconds} s)` : "",
        one.figure,
        `${one.measured}`,
        one.target,
        verdict,
      ]);
    }
  }
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
