import { Failure } from "../failure.ts";
import { parseFlags } from "../flags.ts";

export const BACKTEST_USAGE = `Usage: npm run backtest -- SERIES.csv [flags]

The surge detector over a series of your own: counts in regular bins, one pass, no look ahead. Writes
timestamp,value,expected,p,score,alert to standard output, a row for each row.

  SERIES.csv      timestamp,value[,…] with or without a header; - is standard input. Times: ISO 8601 (UTC where no
                  zone is named), seconds or milliseconds since the epoch. A missing bin, or an empty value, is
                  unknown, not zero
  --budget 1/d    alerts that a quiet day should have at most: 0.1/d, 2/w, 1/h
  --plot FILE     the series with what was expected, and the alerts, as an SVG picture
  --help          this text
`;

export interface BacktestArgs {
  file: string;
  budgetPerDay: number;
  plot: string | undefined;
}

const PER_DAY = { h: 24, d: 1, w: 1 / 7 } as const;

export function readBacktestArgs(argv: readonly string[]): BacktestArgs | "help" {
  const { values, positionals } = parseFlags(
    argv,
    { budget: { type: "string" }, plot: { type: "string" }, help: { type: "boolean", short: "h" } },
    true,
  );
  if (values.help === true) return "help";
  const [file, ...more] = positionals as string[];
  if (file === undefined || more.length > 0) throw new Failure("one SERIES.csv is needed (--help)", 2);
  return { file, budgetPerDay: budgetOf(values.budget ?? "1/d"), plot: values.plot };
}

function budgetOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\/([hdw])$/.exec(text) ?? [];
  const budget = Number(number) * PER_DAY[(unit ?? "d") as keyof typeof PER_DAY];
  if (!Number.isFinite(budget) || budget <= 0)
    throw new Failure(`--budget: not alerts over a time such as 1/d, 0.5/w, 2/h: ${text}`, 2);
  return budget;
}
