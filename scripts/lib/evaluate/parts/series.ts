/** Labelled series of real counts: what `npm run backtest` finds of them, beside the usual rule of a z-score over six hours. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HOUR_MS } from "../../../../src/config.ts";
import { Series } from "../../../../src/detect/series/series.ts";
import { timeOf } from "../../backtest/rows.ts";
import { ROOT } from "../../paths.ts";
import { type Part, type Section, withInterval } from "../section.ts";
import { shareOf } from "../stats.ts";

const DATA = join(ROOT, "..", "shared", "data", "count-series");
const WEEK_MS = 7 * 24 * HOUR_MS;
/** The first part of a series is not judged: nothing is known yet. */
const PROBATION = 0.1;
/** Bins about a label in which an alarm is neither right nor wrong; alarms so near to each other are one. */
const NEAR_BINS = 2;
const EPISODE_MS = 6 * HOUR_MS;
const RULE_WINDOW_MS = 6 * HOUR_MS;
const RULE_Z = 3.5;
const PER_WEEK = 1;

interface Row {
  atMs: number;
  value: number | undefined;
  isLabelled: boolean;
}

export const series: Part = {
  name: "series",
  about: "labelled series of real counts, against z > 3.5 over six hours",
  run({ log }): Section[] {
    if (!existsSync(DATA)) {
      log(`series: skipped, there are none in ${DATA}`);
      return [];
    }
    const all = readdirSync(DATA)
      .filter((file) => file.endsWith(".csv"))
      .sort()
      .map((file) => readRows(join(DATA, file)));
    const methods: readonly [string, number[][], number?][] = [
      ["backtest's score", all.map(scoresOf)],
      ["z over 6 h", all.map(ruleOf)],
      ["z over 6 h > 3.5, as the rule is", all.map(ruleOf), RULE_Z],
    ];
    const rows = methods.map(([name, scores, fixed]) => {
      const threshold = fixed ?? strictest(all, scores);
      const { found, segments, falsely, weeks } = judge(all, scores, threshold);
      return [
        name,
        threshold.toPrecision(3),
        withInterval(shareOf(found, segments)),
        `${falsely} (${(falsely / weeks).toFixed(2)} a week)`,
      ];
    });
    return [
      {
        title: "Labelled series of counts",
        notes: [
          `${all.length} series. A labelled segment is found when any of its bins is past the threshold. One threshold for all series, the lowest with at most ${PER_WEEK} false episode a week (alarms within ${EPISODE_MS / HOUR_MS} h are one); the last row is the rule at its usual 3.5. Its constants were set with these series in view, so what it finds of others is better judged elsewhere.`,
        ],
        tables: [{ head: ["method", "threshold", "segments found", "false episodes"], rows }],
      },
    ];
  },
};

function readRows(path: string): Row[] {
  return readFileSync(path, "utf8")
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => {
      const [time = "", value = "", label = ""] = line.replaceAll('"', "").split(",");
      return {
        atMs: timeOf(time) ?? Number.NaN,
        value: value === "" ? undefined : Number(value),
        isLabelled: Number(label) === 1,
      };
    });
}

function scoresOf(rows: readonly Row[]): number[] {
  const detector = new Series(1);
  let lastMs = Number.NEGATIVE_INFINITY;
  return rows.map(({ atMs, value }) => {
    if (value === undefined) return 0;
    lastMs = Math.max(lastMs, atMs);
    return detector.next(lastMs, value).score;
  });
}

/** Standard deviations above the mean of the six hours before. */
function ruleOf(rows: readonly Row[]): number[] {
  return rows.map(({ atMs, value }, at) => {
    if (value === undefined) return 0;
    const before: number[] = [];
    for (let i = at - 1; i >= 0 && rows[i]!.atMs >= atMs - RULE_WINDOW_MS; i--)
      if (rows[i]!.value !== undefined) before.push(rows[i]!.value!);
    if (before.length < 5) return 0;
    const mean = before.reduce((a, b) => a + b, 0) / before.length;
    const variance = before.reduce((sum, x) => sum + (x - mean) ** 2, 0) / before.length;
    return (value - mean) / Math.max(Math.sqrt(variance), 1e-3);
  });
}

function judge(all: readonly Row[][], scores: readonly number[][], threshold: number) {
  let [found, segments, falsely, weeks] = [0, 0, 0, 0];
  for (const [i, rows] of all.entries()) {
    weeks += (rows.at(-1)!.atMs - rows[0]!.atMs) / WEEK_MS;
    let isFound = false;
    let falseMs = Number.NEGATIVE_INFINITY;
    for (const [at, { atMs, isLabelled }] of rows.entries()) {
      const isPast = scores[i]![at]! >= threshold;
      if (isLabelled) {
        if (rows[at - 1]?.isLabelled !== true) {
          segments++;
          isFound = false;
        }
        if (isPast && !isFound) {
          isFound = true;
          found++;
        }
        continue;
      }
      if (!isPast || at < PROBATION * rows.length) continue;
      if (rows.slice(Math.max(at - NEAR_BINS, 0), at + NEAR_BINS + 1).some((row) => row.isLabelled)) continue;
      if (atMs - falseMs > EPISODE_MS) falsely++;
      falseMs = atMs;
    }
  }
  return { found, segments, falsely, weeks };
}

/** The lowest threshold that is past falsely at most so often. */
function strictest(all: readonly Row[][], scores: readonly number[][]): number {
  const tried = [...new Set(scores.flat().filter((score) => score > 0))].sort((a, b) => a - b);
  let [low, high] = [0, tried.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { falsely, weeks } = judge(all, scores, tried[middle]!);
    if (falsely / weeks <= PER_WEEK) high = middle;
    else low = middle + 1;
  }
  return tried[low] ?? Number.POSITIVE_INFINITY;
}
