/** Numbers of several rounds in a few. */
import type { Figure, Samples } from "./benchmark.ts";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface FigureResult extends Figure {
  /** Of the ratios within each round, variant / peer. */
  readonly ratio?: Spread;
  readonly own: Spread;
  readonly peer?: Spread;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** `undefined` where the machine cannot measure it (process figures outside Linux). */
export function figureResult(figure: Figure, samples: Samples): FigureResult | undefined {
  const own = column(figure.variant, figure, samples);
  if (own === undefined) return undefined;
  const result = { ...figure, own: spread(own) };
  if (figure.against === undefined) return result;
  const peer = column(figure.against, figure, samples);
  if (peer === undefined) return undefined;
  const ratios = own.map((value, round) => value / (peer[round] ?? Number.NaN));
  return { ...result, ratio: spread(ratios), peer: spread(peer) };
}

/** The metric in every round of a variant. */
function column(variant: string, { metric }: Figure, samples: Samples): number[] | undefined {
  const runs = samples.get(variant) ?? [];
  const values = runs.flatMap((sample) => sample[metric] ?? []);
  return values.length === runs.length && runs.length > 0 ? values : undefined;
}
