/**
 * The tail step: what a kind's tests say, recalibrated on what they said so far. A test that is right has p ≤ 0.02 once in
 * fifty; real traffic has heavier tails than any model of it. Tracked over all tests of a kind, in u = √(−log10 p) (which
 * grows like a z): the 98 % quantile t, by stochastic approximation (Robbins & Monro 1951), and the mean m of ln(u/t)
 * beyond it, so that P(U > u) = 0.02·(u/t)^(−1/m), a Pareto tail (the peaks over threshold of SPOT, Siffer et al. 2017,
 * with one moment in place of a fitted pair).
 *
 * Deviations: nothing is made more certain than the test itself was (a kind that is hardly ever strange has a quantile near
 * 0), and beyond p = 1e-4 a power law is not believed (measured: off by 2–9 times at 1e-5): from there the score grows as
 * fast, on average, as it does between the quantile and that point.
 */
import { SCORE_MAX } from "./tail.ts";

const TAIL_SHARE = 0.02;
const TAIL_SCORE = -Math.log10(TAIL_SHARE);
/** Where the power law ends. */
const BELIEVED_SCORE = 4;
/**
 * The mean of ln(u/t) is that of a power law all the way; the tails of counts bend down. Taken this much shorter, both a tail that
 * is a power law and one that is normal have their 1e-4 within three times (exact: 2.9e-4 and 7e-5).
 */
const SHORTER = 0.8;
/** What an exact test has: u at p = 0.02, and the moment with which 1e-4 is 1e-4. */
const T_EXACT = Math.sqrt(TAIL_SCORE);
const M_EXACT =
  Math.log(Math.sqrt(BELIEVED_SCORE) / T_EXACT) / ((BELIEVED_SCORE - TAIL_SCORE) * Math.LN10) / SHORTER;
/** The exact moment counts as so many exceedances, and so many are remembered. */
const M_PRIOR_WEIGHT = 60;
const M_MEMORY = 2_000;
/** A heavier tail than this is not believed: attacks that nobody was told of look like one. */
const M_MAX = 0.2;
/** The quantile moves by this share of itself at an exceedance: fast at first, slowly with many tests. */
const T_STEP_FIRST = 0.05;
const T_STEP_LAST = 0.002;
const T_SLOWS_TESTS = 500;
/** One wild test says at most this much. */
const EXCESS_MAX = Math.log(3);
/** The share of tests beyond the quantile, where that stands at its least: counted over so many tests, from so many on. */
const SHARE_MEMORY = 100_000;
const SHARE_PRIOR = 500;

/** Plain numbers: stored as they are. */
export interface TailState {
  tests: number;
  t: number;
  /** Share of tests beyond t: TAIL_SHARE, unless t stands at its least. */
  share: number;
  /** Mean of ln(u/t) beyond t, and what it weighs. */
  m: number;
  weight: number;
}

export function newTail(): TailState {
  return { tests: 0, t: T_EXACT, share: TAIL_SHARE, m: M_EXACT, weight: M_PRIOR_WEIGHT };
}

/** Takes in what one test of a quiet fingerprint said; `score` = −log10 of its p. */
export function learnTail(tail: TailState, score: number): void {
  const u = Math.sqrt(Math.max(score, 0));
  tail.tests++;
  const step = Math.max((T_STEP_FIRST * T_SLOWS_TESTS) / (T_SLOWS_TESTS + tail.tests), T_STEP_LAST);
  const beyond = u > tail.t ? 1 : 0;
  tail.share += (beyond - tail.share) / Math.min(tail.tests + SHARE_PRIOR, SHARE_MEMORY);
  if (beyond === 1) {
    const excess = Math.min(Math.log(u / tail.t), EXCESS_MAX);
    tail.weight = Math.min(tail.weight + 1, M_MEMORY);
    tail.m += (excess - tail.m) / tail.weight;
    tail.t *= 1 + step * (1 - TAIL_SHARE);
  } else tail.t = Math.max(tail.t * (1 - step * TAIL_SHARE), T_EXACT);
}

/** The calibrated score of a test's score: monotone, never above it, at most SCORE_MAX. */
export function calibrated(tail: TailState, score: number): number {
  const quantile = tail.t * tail.t;
  const least = -Math.log10(Math.min(Math.max(tail.share, 1e-4), TAIL_SHARE));
  if (score <= quantile) return Math.min(score, (score * TAIL_SCORE) / quantile);
  const m = SHORTER * Math.min(tail.m, M_MAX);
  // ln(u/t) at p = 1e-4.
  const believed = Math.max((BELIEVED_SCORE - least) * Math.LN10 * m, 0);
  const beyond = Math.log(score / quantile) / 2;
  if (beyond <= believed) return Math.min(score, least + beyond / m / Math.LN10);
  const from = quantile * Math.exp(2 * believed);
  // As steep as an exact tail between the quantile and that point would be flattened to.
  const exact = quantile * Math.exp(2 * (BELIEVED_SCORE - TAIL_SCORE) * Math.LN10 * m);
  const slope = (BELIEVED_SCORE - TAIL_SCORE) / (exact - quantile);
  return Math.min(score, BELIEVED_SCORE + slope * (score - from), SCORE_MAX);
}
