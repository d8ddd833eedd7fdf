/** What every kind says alike that tests a minute's requests against a negative binomial. */
import { negativeBinomialInterval, pOfScore } from "./tail.ts";
import type { KindSettings, Verdict } from "./types.ts";

/** Whether `x` requests in a minute, where `mean` are usual, are enough to raise by what users set. */
export function isEnough(x: number, mean: number, { minReqs, minEffect }: KindSettings): boolean {
  return x >= minReqs && x >= minEffect * mean;
}

/** The verdict's numbers for `x` requests in a minute; `r`: size of the distribution (`negativeBinomialZ`). */
export function volumeFound(
  x: number,
  { mean, r }: { readonly mean: number; readonly r: number },
  score: number,
): Omit<Verdict, "on" | "hold" | "summary"> {
  const p = pOfScore(score);
  return {
    p,
    score,
    window: "1m",
    observed: x,
    expected: mean,
    ...negativeBinomialInterval(mean, r),
    unit: "requests/min",
    because: [{ signal: "reqs", local: x, expected: mean, p }],
  };
}
