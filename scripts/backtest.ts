/** `npm run backtest`: the surge detector over a series of the user's own. Rows on standard output, the rest on standard error. */
import { createReadStream, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { BACKTEST_USAGE, readBacktestArgs } from "./lib/backtest/args.ts";
import { seriesPlot } from "./lib/backtest/plot.ts";
import { Backtest, HEADER, type Point } from "./lib/backtest/rows.ts";
import { log, report } from "./lib/command.ts";
import { errorText, Failure } from "./lib/failure.ts";

/** Errors that are told one by one. */
const ERRORS_TOLD = 10;
/** Rows that are written at once. */
const BATCH_ROWS = 1_000;

async function main(): Promise<number> {
  const args = readBacktestArgs(process.argv.slice(2));
  if (args === "help") {
    process.stdout.write(BACKTEST_USAGE);
    return 0;
  }
  const input = args.file === "-" ? process.stdin : createReadStream(args.file);
  const backtest = new Backtest(args.budgetPerDay);
  const points: Point[] = [];
  let [number, rows, errors, alerts] = [0, 0, 0, 0];
  let batch = [HEADER];
  const flush = async () => {
    const text = batch.length === 0 ? "" : `${batch.join("\n")}\n`;
    batch = [];
    if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  };
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      const { row, error, point } = backtest.line(line);
      if (row !== undefined) {
        rows++;
        batch.push(row);
      }
      if (error !== undefined && ++errors <= ERRORS_TOLD) log(`backtest: line ${number}: ${error}`);
      if (point?.alert === true) alerts++;
      if (point !== undefined && args.plot !== undefined) points.push(point);
      if (batch.length >= BATCH_ROWS) await flush();
    }
  } catch (error) {
    throw new Failure(`${args.file}: ${errorText(error)}`, 1);
  }
  await flush();
  if (rows === 0) throw new Failure(`${args.file}: no rows`, 1);
  if (args.plot !== undefined) writeFileSync(args.plot, seriesPlot(basename(args.file), points));
  const bad = errors === 0 ? "" : `, ${errors} line${errors === 1 ? "" : "s"} that tell nothing`;
  if (backtest.backwards > 0)
    log(`backtest: ${backtest.backwards} rows with a time not after the one before, taken as the next bin`);
  log(`backtest: ${rows} rows, ${alerts} alert${alerts === 1 ? "" : "s"}${bad}`);
  return errors === 0 ? 0 : 1;
}

// Whoever read our output is gone (`| head`): nobody is left to tell.
process.stdout.on("error", () => process.exit(0));
process.exitCode = await main().catch((error: unknown) => report("backtest", error));
