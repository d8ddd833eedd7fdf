/**
 * `x-hellotide-signals`: what this site knows of the caller's fingerprint, for the origin's own models. An RFC 9651
 * dictionary of integers: ratios and quantiles in ppm, `age` in seconds.
 */
import type { FeatureRow } from "../signals/features.ts";

export const SIGNALS_HEADER = "x-hellotide-signals";

const SIGNAL = /^local_(\w+_(?:ratio|quantile)_1h)$/;
const PPM = 1_000_000;

/** The header's value; `undefined` when there is nothing to say. */
export function signalsHeader(row: FeatureRow, ageMs: number): string | undefined {
  const members = Object.entries(row).flatMap(([name, value]) => {
    const signal = SIGNAL.exec(name)?.[1];
    return signal === undefined || typeof value !== "number"
      ? []
      : `${signal}_ppm=${Math.round(value * PPM)}`;
  });
  if (members.length === 0) return undefined;
  return [...members, `age=${Math.round(ageMs / 1_000)}`].join(", ");
}
