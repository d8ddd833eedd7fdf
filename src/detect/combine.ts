/**
 * Local and worldwide together (contract §4 `combined`): the worldwide ratio, passed through the site's offset, is the prior;
 * this site's requests make the posterior. What the prior weighs was fitted on this site's fingerprints (`offsets.ts`):
 * where they follow the world closely, a few requests here change little.
 */
import { betaQuantile } from "./beta.ts";
import {
  DIVERGING_RATIOS,
  type DivergingSignal,
  expectedRatio,
  knownOf,
  type OffsetFit,
  RATIO_MIN,
  signalOf,
  yesOf,
} from "./offsets.ts";
import { Z95 } from "./tail.ts";
import type { Subject } from "./types.ts";

export interface Combined {
  value: number;
  /** Central 95 % interval. */
  low: number;
  high: number;
}

/** A prior's yes and no count as at least this many requests, or a ratio of exactly 0 worldwide would rule out every 1 here. */
const PRIOR_MIN_REQS = 0.05;
const DIGITS = 1e6;

/** Every ratio that is known worldwide; one that is not known here is the prior alone. */
export function combined(subject: Subject, fit: OffsetFit): Partial<Record<DivergingSignal, Combined>> {
  const worldwide = subject.global?.values;
  const found: Partial<Record<DivergingSignal, Combined>> = {};
  if (worldwide === undefined) return found;
  const { hour } = subject;
  for (const ratio of DIVERGING_RATIOS) {
    const global = worldwide[signalOf(ratio)];
    if (global === undefined || !Number.isFinite(global)) continue;
    const { expected, s } = expectedRatio(fit[ratio], global);
    found[signalOf(ratio)] = posterior(
      yesOf(hour, ratio),
      knownOf(hour, ratio),
      unclipped(expected, global),
      s,
    );
  }
  return found;
}

/** Posterior of a share after k yes of n, from a Beta prior of mean `prior` that is worth `s` requests. */
export function posterior(k: number, n: number, prior: number, s: number): Combined {
  const a = k + Math.max(prior * s, PRIOR_MIN_REQS);
  const b = n - k + Math.max((1 - prior) * s, PRIOR_MIN_REQS);
  return {
    value: tidy(a / (a + b)),
    low: tidy(betaQuantile(-Z95, 0.025, a, b)),
    high: tidy(betaQuantile(Z95, 0.975, a, b)),
  };
}

/**
 * The offset is fitted on ratios from 1 % to 99 %, as logits have no ends. Beyond, what is left to 0 or 1 shrinks in
 * proportion: never anywhere is expected to be never here.
 */
function unclipped(expected: number, global: number): number {
  if (global < RATIO_MIN) return expected * (Math.max(global, 0) / RATIO_MIN);
  if (global > 1 - RATIO_MIN) return 1 - (1 - expected) * (Math.max(1 - global, 0) / RATIO_MIN);
  return expected;
}

function tidy(ratio: number): number {
  return Math.round(ratio * DIGITS) / DIGITS;
}
