/**
 * Trains the model: `node examples/model-worker/train.ts FEATURES.ndjson LABELS.txt "what it is" > model.json`. Features are an
 * export (`GET …/features?format=ndjson`), labels a fingerprint a line: those that the model shall find. Logistic regression by
 * full-batch gradient descent with an L2 penalty, from zero: the same files always give the same model.
 */
import { readFileSync } from "node:fs";
import { type Feature, type FeatureRow, type Model, numberOf, predict } from "./model.ts";

const COLUMNS: readonly Pick<Feature, "name" | "log">[] = [
  { name: "windows_5m_reqs", log: true },
  { name: "windows_5m_ips", log: true },
  { name: "windows_5m_uas", log: true },
  { name: "windows_5m_paths", log: true },
  { name: "windows_5m_error_ratio", log: false },
  { name: "windows_5m_browser_ratio", log: false },
  { name: "windows_5m_h2h3_ratio", log: false },
  { name: "windows_5m_cache_ratio", log: false },
  { name: "global_browser_ratio_1h", log: false },
  { name: "global_reqs_quantile_1h", log: false },
  { name: "local_reqs_quantile_1h", log: false },
];
const STEPS = 2_000;
const RATE = 0.3;
const PENALTY = 0.01;

export function train(rows: readonly FeatureRow[], labels: ReadonlySet<string>, trainedOn: string): Model {
  const truth = rows.map(({ ja4 }) => (labels.has(`${ja4}`) ? 1 : 0));
  const positives = truth.filter((label) => label === 1).length;
  if (positives === 0 || positives === rows.length)
    throw new RangeError("labelled and other rows are needed");
  // Both kinds count as much, however rare the labelled ones are.
  const weights = truth.map((label) => 0.5 / (label === 1 ? positives : rows.length - positives));
  const features = COLUMNS.map((column) => {
    const known = rows.flatMap((row) => numberOf(row, column) ?? []);
    const mean = known.reduce((a, b) => a + b, 0) / Math.max(known.length, 1);
    const variance = known.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(known.length, 1);
    return { ...column, mean: tidy(mean), scale: tidy(Math.sqrt(variance) || 1), weight: 0 };
  });
  const model = { trained_on: trainedOn, bias: 0, features };
  const inputs = rows.map((row) =>
    features.map((feature) => ((numberOf(row, feature) ?? feature.mean) - feature.mean) / feature.scale),
  );
  for (let step = 0; step < STEPS; step++) {
    let biasSlope = 0;
    const slopes = features.map(({ weight }) => PENALTY * weight);
    for (const [i, row] of rows.entries()) {
      const miss = weights[i]! * (predict(model, row) - truth[i]!);
      biasSlope += miss;
      for (const [j, x] of inputs[i]!.entries()) slopes[j]! += miss * x;
    }
    model.bias -= RATE * biasSlope;
    for (const [j, feature] of features.entries()) feature.weight -= RATE * slopes[j]!;
  }
  model.bias = tidy(model.bias);
  for (const feature of features) feature.weight = tidy(feature.weight);
  return model;
}

function tidy(value: number): number {
  return Number(value.toPrecision(5));
}

if (import.meta.main) {
  const [featuresFile = "", labelsFile = "", trainedOn = ""] = process.argv.slice(2);
  const lines = (file: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
  const rows = lines(featuresFile).map((line) => JSON.parse(line) as FeatureRow);
  const model = train(rows, new Set(lines(labelsFile).map((line) => line.trim())), trainedOn);
  process.stdout.write(`${JSON.stringify(model, null, 2)}\n`);
}
