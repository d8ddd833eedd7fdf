/**
 * What a benchmark declares. A benchmark is a list of series; a series runs its variants in turn, every run in fresh
 * processes, and compares their figures with a peer that ran in the same round: what disturbs the machine disturbs both.
 */

/** What one run of one variant measured, by name of the metric. */
export type Sample = Readonly<Record<string, number>>;

export interface Variant {
  readonly name: string;
  /** One run, in fresh processes of its own. */
  run(): Promise<Sample>;
}

/** One line of the table. */
export interface Figure {
  readonly label: string;
  readonly metric: string;
  readonly unit: string;
  readonly variant: string;
  /** The peer; absent = a figure without one. */
  readonly against?: string;
}

export interface Series {
  readonly name: string;
  readonly rounds: number;
  /** In the order of the first round; every other round runs them backwards. */
  readonly variants: readonly Variant[];
  readonly figures: readonly Figure[];
  /** What must hold whatever the machine's speed; answers one line a fault. */
  check?(samples: Samples): string[];
}

/** Every run of a series, by variant, in the order of rounds. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

export interface Context {
  /** A smoke run: seconds, one round, and its numbers mean nothing. */
  readonly quick: boolean;
}

export interface Benchmark {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Prepares what all series share; `close` takes it away. */
  open(context: Context): Promise<{ readonly series: readonly Series[]; close(): Promise<void> }>;
}
