/** `npm run evaluate`: how right, early and few the detectors' anomalies are, on traffic whose truth is known. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SEEDS } from "../evaluation/parameters.ts";
import { log, run } from "./lib/command.ts";
import { ablations } from "./lib/evaluate/parts/ablations.ts";
import { attacks } from "./lib/evaluate/parts/attacks.ts";
import { calibration } from "./lib/evaluate/parts/calibration.ts";
import { controls } from "./lib/evaluate/parts/controls.ts";
import { logs } from "./lib/evaluate/parts/logs.ts";
import { power } from "./lib/evaluate/parts/power.ts";
import { quiet } from "./lib/evaluate/parts/quiet.ts";
import { series } from "./lib/evaluate/parts/series.ts";
import { slow } from "./lib/evaluate/parts/slow.ts";
import { readRealCounts } from "./lib/evaluate/real-counts.ts";
import { markdown, type Part, plainText, type Section } from "./lib/evaluate/section.ts";
import { Failure } from "./lib/failure.ts";
import { parseFlags } from "./lib/flags.ts";
import { ROOT } from "./lib/paths.ts";

const PARTS: readonly Part[] = [attacks, controls, quiet, power, slow, calibration, series, logs, ablations];
const DATA_DEFAULT = join(ROOT, "..", "shared", "data", "count-series");
const OPTIONS = {
  quick: { type: "boolean" },
  long: { type: "boolean" },
  train: { type: "boolean" },
  write: { type: "boolean" },
  data: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const USAGE = `Usage: npm run evaluate -- [flags] [part …]

How right, early and few the anomalies are, on made traffic whose truth is known: the engine is the shard's own.
What is tried, and the seeds, stand in evaluation/parameters.ts.

${PARTS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join("\n")}

  --quick      small worlds, seconds instead of minutes; the figures say little
  --long       the sizes that some promises ask for: many hours
  --train      the seeds that tuning may look at
  --data DIR   real counts for half of the background: CSV files with TimeStamp,Value,Label
  --write      a page and plots of each part into docs/evaluation
  --help       this text
`;

async function main(): Promise<number> {
  const { values, positionals } = parseFlags(process.argv.slice(2), OPTIONS, true);
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const names: readonly string[] = positionals;
  const unknown = names.find((name) => !PARTS.some((part) => part.name === name));
  if (unknown !== undefined) throw new Failure(`no part of that name: ${unknown} (--help lists them)`, 2);
  const folder = values.data ?? DATA_DEFAULT;
  const isReal = readRealCounts(folder);
  if (!isReal && values.data !== undefined) throw new Failure(`--data: no series of counts in ${folder}`, 2);
  const background = isReal
    ? "Background: half made by the simulator's rules, half drawn in blocks from real counts."
    : "Background: made by the simulator's rules alone; the half from real counts is skipped, --data names none.";
  log(background);
  const context = {
    seeds: values.train === true ? SEEDS.train : SEEDS.test,
    quick: values.quick === true,
    long: values.long === true,
    log,
  };
  for (const part of PARTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const sections = part.run(context);
    for (const section of sections) console.log(plainText(section));
    if (values.write === true) write(part, sections, background);
  }
  return 0;
}

/** A part's page; docs/evaluation.md, written by hand, says what they add up to. */
function write({ name }: Part, sections: readonly Section[], background: string): void {
  const folder = join(ROOT, "docs", "evaluation");
  mkdirSync(folder, { recursive: true });
  for (const { plots = [] } of sections)
    for (const { name: plot, svg } of plots) writeFileSync(join(folder, `${plot}.svg`), svg);
  const head = `Made by \`npm run evaluate -- --write ${name}\` with the test seeds of [evaluation/parameters.ts](../../evaluation/parameters.ts). ${background}`;
  writeFileSync(join(folder, `${name}.md`), `${[head, ...sections.map(markdown)].join("\n\n")}\n`);
  log(`docs/evaluation/${name}.md`);
}

await run("evaluate", main);
