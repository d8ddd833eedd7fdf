/** Runs series: alternating order, every run kept. */
import type { Benchmark, Context, Sample, Series } from "./benchmark.ts";
import { type FigureResult, figureResult } from "./stats.ts";

export interface SeriesResult {
  readonly name: string;
  readonly figures: readonly FigureResult[];
  /** What did not hold. */
  readonly faults: readonly string[];
  /** Every run in the order in which it ran. */
  readonly raw: readonly { readonly round: number; readonly variant: string; readonly sample: Sample }[];
}

export interface BenchmarkResult {
  readonly name: string;
  readonly series: readonly SeriesResult[];
}

export async function runBenchmark(
  benchmark: Benchmark,
  context: Context,
  progress: (line: string) => void,
): Promise<BenchmarkResult> {
  const opened = await benchmark.open(context);
  try {
    const results: SeriesResult[] = [];
    for (const series of opened.series) {
      results.push(await runSeries(series, context, (line) => progress(`${benchmark.name}: ${line}`)));
    }
    return { name: benchmark.name, series: results };
  } finally {
    await opened.close();
  }
}

async function runSeries(
  series: Series,
  { quick }: Context,
  progress: (line: string) => void,
): Promise<SeriesResult> {
  const rounds = quick ? 1 : series.rounds;
  const samples = new Map<string, Sample[]>(series.variants.map(({ name }) => [name, []]));
  const raw: { round: number; variant: string; sample: Sample }[] = [];
  for (let round = 0; round < rounds; round++) {
    // The one that runs first finds another machine than the one that runs last (clock, cache, neighbours).
    const order = round % 2 === 0 ? series.variants : series.variants.toReversed();
    for (const { name, run } of order) {
      progress(`${series.name}, round ${round + 1} of ${rounds}, ${name}`);
      const sample = await run();
      samples.get(name)?.push(sample);
      raw.push({ round: round + 1, variant: name, sample });
    }
  }
  const figures = series.figures.flatMap((figure) => figureResult(figure, samples) ?? []);
  return { name: series.name, figures, faults: series.check?.(samples) ?? [], raw };
}
