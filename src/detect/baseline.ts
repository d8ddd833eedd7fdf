/**
 * How many requests a fingerprint sends in a minute, as a predictive negative binomial.
 *
 * Three gamma-Poisson levels (discounted conjugate updates, West & Harrison 1997 §10.8) with half-lives of 2, 8 and
 * 32 minutes; each weighs in by how well it predicted so far: ((min m + .02) / (m_e + .02))³, with m_e the
 * exponentially weighted mean of (√(w + ⅜) − √(μ_e + ⅜))² (Anscombe). Overdispersion φ: weighted mean of
 * ((w − μ)² − μ) / μ² with a prior, r = 1 / (φ + 1 / (a + 1)).
 *
 * Deviations: a minute's φ weighs (μ / (1 + μ))², as at small μ the plain mean is all noise; φ is taken one
 * standard error high, since a φ that is too small is what false alarms are made of. What is far out is learned as
 * μ ± 4σ; a flood of its own past is not learned at all for half an hour, so that it neither hides itself nor ends its
 * own anomaly.
 */
import { minuteOf } from "../window/time.ts";
import { HISTORY_MIN_MINUTES, historyMinutes, NEWBORN_MINUTES } from "./history.ts";
import { negativeBinomialInterval, negativeBinomialZ } from "./tail.ts";
import type { Site, Subject } from "./types.ts";

const HALF_LIVES_MINUTES = [2, 8, 32] as const;
const DECAYS = HALF_LIVES_MINUTES.map((half) => 2 ** (-1 / half));
/** φ forgets as slowly as the slowest level. */
const PHI_DECAY = DECAYS[2]!;
/** Rates of real clients scatter by about a third from minute to minute before anything is known of them. */
const PHI_PRIOR = 0.1;
const PHI_PRIOR_MINUTES = 5;
/** One minute says at most this of φ: a client that starts or stops is no noise, and would blind us for an hour. */
const PHI_MINUTE_MAX = 10;
/** Standard errors that φ is raised by. */
const PHI_MARGIN = 1;
/** Jeffreys' prior of a Poisson rate, so that a level of zeros still expects a little. */
const RATE_PRIOR = 0.5;
/** Variance of √(Poisson): what m_e starts from, worth two minutes. */
const FIT_PRIOR = 0.25;
const FIT_PRIOR_MINUTES = 2;
/** What lies further out is learned as if it lay here, so a flood does not become the norm at once. */
const CLIP_SIGMAS = 4;
/** A minute this strange (p ≤ 1e-8), large and far out is not learned at all … */
const FREEZE_Z = 5.612;
const FREEZE_MIN_REQS = 50;
const FREEZE_MIN_EFFECT = 2;
/** … for this long: half an hour of it is the new norm. */
const FREEZE_MAX_MINUTES = 30;

/** What is expected of a whole minute: negative binomial with this mean and size. */
export interface Baseline {
  mean: number;
  r: number;
  /** Minutes that it was learned from. */
  minutes: number;
}

interface Level {
  decay: number;
  shape: number;
  exposure: number;
  misfit: number;
  misfitWeight: number;
}

function levelMean(level: Level): number {
  return (level.shape + RATE_PRIOR) / level.exposure;
}

/** One fold over a fingerprint's minutes. Private state of `baselineOf`. */
class Fold {
  readonly #levels: Level[] = DECAYS.map((decay) => ({
    decay,
    shape: 0,
    exposure: 0,
    misfit: FIT_PRIOR * FIT_PRIOR_MINUTES,
    misfitWeight: FIT_PRIOR_MINUTES,
  }));
  #phiSum = PHI_PRIOR * PHI_PRIOR_MINUTES;
  #phiWeight = PHI_PRIOR_MINUTES;
  #frozen = 0;
  #learned = 0;

  /** The predictive distribution of the next minute. */
  predict(): Baseline {
    let best = Number.POSITIVE_INFINITY;
    for (const level of this.#levels) best = Math.min(best, level.misfit / level.misfitWeight);
    let total = 0;
    let mean = 0;
    let shape = 0;
    for (const level of this.#levels) {
      const weight = ((best + 0.02) / (level.misfit / level.misfitWeight + 0.02)) ** 3;
      total += weight;
      mean += weight * levelMean(level);
      shape += weight * level.shape;
    }
    mean /= total;
    shape /= total;
    const phi = Math.max(this.#phiSum / this.#phiWeight, 0);
    const error = Math.sqrt(2 / (this.#phiWeight + 1)) * (phi + 1 / (mean + 1));
    const r = 1 / (phi + PHI_MARGIN * error + 1 / (shape + 1));
    return { mean, r, minutes: this.#learned };
  }

  /** Takes one minute in. `settled`: the fingerprint has a norm that is worth protecting. */
  learn(x: number, settled: boolean): void {
    if (this.#learned === 0) {
      this.#update(x);
      return;
    }
    const { mean, r } = this.predict();
    const sigma = Math.sqrt(mean + (mean * mean) / r);
    const protect = this.#learned >= HISTORY_MIN_MINUTES;
    if (protect && settled && x > mean + CLIP_SIGMAS * sigma && this.#isFlood(x, mean, r)) {
      this.#frozen++;
      return;
    }
    this.#frozen = 0;
    const clipped = Math.min(Math.max(x, mean - CLIP_SIGMAS * sigma), mean + CLIP_SIGMAS * sigma);
    const w = protect ? clipped : x;
    const share = (mean / (1 + mean)) ** 2;
    const phi = Math.min(((w - mean) ** 2 - mean) / (1 + mean) ** 2, PHI_MINUTE_MAX * share);
    this.#phiSum = this.#phiSum * PHI_DECAY + phi;
    this.#phiWeight = this.#phiWeight * PHI_DECAY + share;
    // The prior does not fade: it is put back each minute.
    this.#phiSum += (1 - PHI_DECAY) * PHI_PRIOR * PHI_PRIOR_MINUTES;
    this.#phiWeight += (1 - PHI_DECAY) * PHI_PRIOR_MINUTES;
    for (const level of this.#levels) {
      const miss = (Math.sqrt(w + 0.375) - Math.sqrt(levelMean(level) + 0.375)) ** 2;
      level.misfit = level.misfit * PHI_DECAY + miss;
      level.misfitWeight = level.misfitWeight * PHI_DECAY + 1;
    }
    this.#update(w);
  }

  #isFlood(x: number, mean: number, r: number): boolean {
    return (
      this.#frozen < FREEZE_MAX_MINUTES &&
      x >= FREEZE_MIN_REQS &&
      x >= FREEZE_MIN_EFFECT * mean &&
      negativeBinomialZ(x, mean, r) >= FREEZE_Z
    );
  }

  #update(w: number): void {
    this.#learned++;
    for (const level of this.#levels) {
      level.shape = level.shape * level.decay + w;
      level.exposure = level.exposure * level.decay + 1;
    }
  }
}

/**
 * The predictive distribution of the minute after `counts` (oldest first). The first `unsettled` of them are learned
 * whatever they hold: nobody has a norm to protect before it was seen for a while. `undefined` without any.
 */
export function baselineOf(counts: readonly number[], unsettled: number): Baseline | undefined {
  if (counts.length === 0) return undefined;
  const fold = new Fold();
  for (let i = 0; i < counts.length; i++) fold.learn(counts[i]!, i >= unsettled);
  return fold.predict();
}

/** A fingerprint's requests in each of the history minutes, and how many of those come before it has a norm. */
export function historyCounts(
  subject: Subject,
  minutes: readonly number[],
): { counts: number[]; unsettled: number } {
  const settledFrom = minuteOf(subject.firstSeenMs) + NEWBORN_MINUTES;
  let unsettled = 0;
  const counts = minutes.map((at) => {
    if (at < settledFrom) unsettled++;
    return subject.reqs(at);
  });
  return { counts, unsettled };
}

/** What a minute of this fingerprint should hold: mean and 95 % predictive interval (contract §4 `expected`). */
export function expectedRequests(
  subject: Subject,
  site: Site,
  minute: number,
): { mean: number; low: number; high: number } | undefined {
  const minutes = historyMinutes(site, minute);
  if (minutes.length < HISTORY_MIN_MINUTES) return undefined;
  const { counts, unsettled } = historyCounts(subject, minutes);
  const baseline = baselineOf(counts, unsettled);
  if (baseline === undefined) return undefined;
  return { mean: baseline.mean, ...negativeBinomialInterval(baseline.mean, baseline.r) };
}
