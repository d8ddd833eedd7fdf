/** What a fault run declares and answers. A run does harm to a real engine and counts what came of it. */

/** One line of the table. `holds` says whether `measured` is within `target`. */
export interface Figure {
  readonly figure: string;
  readonly measured: string | number;
  readonly target: string;
  readonly holds: boolean;
}

export interface FaultContext {
  /** A short run: seconds, and its times mean little. What must hold, must hold here too. */
  readonly quick: boolean;
  /** Progress, a line each. */
  readonly log: (line: string) => void;
}

export interface Fault {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Throws `Skipped` where this machine cannot do it. */
  run(context: FaultContext): Promise<readonly Figure[]>;
}

/** This machine cannot do the run; the message says what is missing. */
export class Skipped extends Error {}

/** A figure that must be exactly `target`. */
export function exactly(figure: string, measured: number, target: number): Figure {
  return { figure, measured, target: `${target}`, holds: measured === target };
}

/** A figure that must stay under `limit`. */
export function under(figure: string, measured: number, limit: number, unit: string): Figure {
  const shown = Number.isInteger(measured) ? `${measured}` : measured.toFixed(1);
  return { figure, measured: `${shown} ${unit}`, target: `< ${limit} ${unit}`, holds: measured < limit };
}

/** A figure that must be at least `limit`: mostly that the run did any harm at all. */
export function atLeast(figure: string, measured: number, limit: number): Figure {
  return { figure, measured, target: `≥ ${limit}`, holds: measured >= limit };
}

/** Two sums that must be the same; both are shown. */
export function balanced(figure: string, left: [string, number], right: [string, number]): Figure {
  const measured = `${left[0]} ${left[1]}, ${right[0]} ${right[1]}`;
  return { figure, measured, target: "equal", holds: left[1] === right[1] };
}

/** A figure without a target. */
export function shown(figure: string, measured: string | number): Figure {
  return { figure, measured, target: "", holds: true };
}

/** The value that `share` (0 to 1) of `values` do not exceed; `NaN` of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
