/** What a part of the evaluation has to tell: tables and plots, printed to a terminal or written as a page. */

export interface Table {
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface Section {
  title: string;
  /** Paragraphs above the tables. */
  notes: readonly string[];
  tables: readonly Table[];
  plots?: readonly { name: string; alt: string; svg: string }[];
}

export interface PartContext {
  seeds: {
    quiet: readonly number[];
    attacks: readonly number[];
    controls: readonly number[];
    power: readonly number[];
    calibration: readonly number[];
  };
  quick: boolean;
  /** Sizes that take many hours, where a part has them. */
  long: boolean;
  log(line: string): void;
}

export interface Part {
  name: string;
  about: string;
  run(context: PartContext): Section[];
}

export function plainText({ title, notes, tables }: Section): string {
  return [`\n${title}`, ...notes, ...tables.map(plainTable)].join("\n");
}

function plainTable({ head, rows }: Table): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return ["", line(head), ...rows.map(line)].join("\n");
}

export function markdown({ title, notes, tables, plots = [] }: Section): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `## ${title}`,
    ...notes,
    ...plots.map(({ name, alt }) => `![${alt}](${name}.svg)`),
    ...tables.map(({ head, rows }) => [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")),
  ].join("\n\n");
}

export function percent(value: number | undefined, digits = 1): string {
  return value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`;
}

/** `97.5 % (90.1–99.6)` of a share and its interval. */
export function withInterval({
  value,
  low,
  high,
  n,
}: {
  value?: number;
  low: number;
  high: number;
  n: number;
}): string {
  return n === 0 ? "–" : `${percent(value)} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)}) of ${n}`;
}

export function seconds(ms: number | undefined): string {
  return ms === undefined ? "–" : `${(ms / 1_000).toFixed(0)} s`;
}
