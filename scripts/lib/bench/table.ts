/** One table on standard output: the ratio first, since it is what another machine can repeat. */
import type { BenchmarkResult } from "./run.ts";
import type { FigureResult, Spread } from "./stats.ts";

const HEAD = [
  "ratio",
  "(min–max)",
  "figure",
  "variant",
  "median",
  "(min–max)",
  "peer",
  "median",
  "(min–max)",
  "unit",
];

export function table(results: readonly BenchmarkResult[]): string {
  const rows = results.flatMap(({ name, series }) =>
    series.flatMap((one) => [`${name}: ${one.name}`, ...one.figures.map(cells)]),
  );
  const widths = HEAD.map((head, i) =>
    Math.max(head.length, ...rows.map((row) => (typeof row === "string" ? 0 : (row[i] ?? "").length))),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(HEAD), ...rows.map((row) => (typeof row === "string" ? `\n${row}` : line(row)))].join("\n");
}

function cells({ ratio, label, variant, own, against, peer, unit }: FigureResult): string[] {
  return [
    ratio === undefined ? "" : number(ratio.median),
    ratio === undefined ? "" : range(ratio),
    label,
    ...[variant, number(own.median), range(own)],
    ...(peer === undefined ? ["", "", ""] : [against ?? "", number(peer.median), range(peer)]),
    unit,
  ];
}

function range({ min, max }: Spread): string {
  return `(${number(min)}–${number(max)})`;
}

/** Three significant digits, and never an exponent. */
function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value);
  if (magnitude >= 100 || Number.isInteger(value))
    return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  return value.toFixed(magnitude >= 10 ? 1 : 2);
}
