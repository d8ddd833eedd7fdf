/**
 * A small logistic model over HelloTide's feature rows: p = σ(bias + Σ weight · (x − mean) / scale). Plain TypeScript, no
 * dependencies; a prediction is a handful of multiplications. A feature that a row does not have counts as its mean, so what is
 * not known speaks neither way.
 */

/** A feature row as `signals()` and the export of features give it. */
export type FeatureRow = Readonly<Record<string, number | string>>;

export interface Model {
  /** What it was trained on, in words. */
  trained_on: string;
  bias: number;
  features: readonly Feature[];
}

export interface Feature {
  /** Column of docs/features.md. */
  name: string;
  /** Counts are taken as ln(1 + x): they spread over orders of magnitude. */
  log: boolean;
  mean: number;
  scale: number;
  weight: number;
}

/** The column's number as the model takes it; `undefined` = not known. */
export function numberOf(row: FeatureRow, { name, log }: Pick<Feature, "name" | "log">): number | undefined {
  const value = row[name];
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return log ? Math.log1p(Math.max(value, 0)) : value;
}

/** Probability that a fingerprint belongs to the labelled ones, 0 … 1. */
export function predict(model: Model, row: FeatureRow): number {
  let sum = model.bias;
  for (const feature of model.features) {
    const value = numberOf(row, feature);
    if (value !== undefined) sum += (feature.weight * (value - feature.mean)) / feature.scale;
  }
  return 1 / (1 + Math.exp(-sum));
}
