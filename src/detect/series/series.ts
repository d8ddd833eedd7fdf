/**
 * The surge detector over one series of counts in regular bins, for trying it on past data: one pass, a bin at a time, without a
 * look ahead. What a shard keeps of thousands of fingerprints for an hour, and pools, is here kept of one for as long as it
 * lasts; the predictive distribution is the same (`../baseline.ts`): three gamma-Poisson levels weighed by how well they
 * predicted, and a negative binomial whose scatter is learned, here for each hour of the day as well.
 *
 * Differences, each of which a series of weeks asks for: rises and drops are tested separately, each with a tail of its own;
 * and a novelty bar cuts repeats: in S = √(−log10 p) it jumps to the last peak, halves in twelve hours, and three quarters of it
 * are taken off.
 */
import { HOUR_MS } from "../../config.ts";
import { negativeBinomialInterval, negativeBinomialZ, pOfScore, SCORE_MAX } from "../tail.ts";
import { SeriesTail } from "./tail.ts";

const HALF_LIVES_BINS = [2, 8, 32] as const;
const DECAYS = HALF_LIVES_BINS.map((half) => 2 ** (-1 / half));
const FIT_DECAY = 2 ** (-1 / 64);
const PHI_DECAY = 2 ** (-1 / 64);
const PHI_PRIOR = 0.1;
const PHI_PRIOR_BINS = 5;
const PHI_BIN_MAX = 10;
/** An hour of the day has a scatter of its own, shrunk to that of all hours as if this many bins had said so. */
const HOURS = 24;
const HOUR_PRIOR_BINS = 20;
const HOUR_DECAY = 0.98;
const CLIP_SIGMAS = 4;
/** With fewer bins before it a bin is not judged. */
const BINS_MIN = 10;
/** A value with decimals is measured in units of this share of the usual level: NB counts something. */
const UNIT_SHARE = 1 / 500;
const BAR_HALF_LIFE_MS = 12 * HOUR_MS;
const BAR_SHARE = 0.75;
const DAY_MS = 24 * HOUR_MS;
/** Scores above are candidates for an alert; how many a day and how far beyond, before any was seen. */
const CANDIDATE_SCORE = 0.5;
const EXCESS_PRIOR = 1 / Math.LN10;
const EXCESS_PRIOR_WEIGHT = 10;
const PRIOR_DAYS = 1;
const PRIOR_TIMES_BUDGET = 3;

export interface Judged {
  /** What was expected, in the series' own unit, with its 95 % interval; absent while too little is known. */
  expected?: number;
  low?: number;
  high?: number;
  /** Calibrated probability of a bin at least as strange on its side, before the novelty bar. */
  p: number;
  /** −log10 of what the novelty bar leaves of it: 0 … 30. */
  score: number;
  alert: boolean;
}

interface Level {
  decay: number;
  sum: number;
  exposure: number;
  misfit: number;
  misfitWeight: number;
}

export class Series {
  readonly #budgetPerDay: number;
  readonly #levels: Level[] = DECAYS.map((decay) => ({
    ...{ decay, sum: 0, exposure: 0, misfit: 0.5, misfitWeight: 2 },
  }));
  readonly #rises = new SeriesTail();
  readonly #drops = new SeriesTail();
  readonly #hourPhi = new Float64Array(HOURS);
  readonly #hourWeight = new Float64Array(HOURS);
  #phiSum = PHI_PRIOR * PHI_PRIOR_BINS;
  #phiWeight = PHI_PRIOR_BINS;
  #bins = 0;
  #unit = 1;
  /** Added to every value, so that none is below 0. */
  #shift = 0;
  #bar = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #firstMs = Number.NaN;
  #candidates = 0;
  #excess = 0;

  /** `budgetPerDay`: alerts that a quiet day should have at most, on average. */
  constructor(budgetPerDay: number) {
    this.#budgetPerDay = budgetPerDay;
  }

  /** Judges the next bin, then learns it. Times must not fall. A missing bin is left out: unknown is not zero. */
  next(atMs: number, value: number): Judged {
    const passedMs = atMs - this.#lastMs;
    if (!Number.isFinite(passedMs)) this.#firstMs = atMs;
    this.#lastMs = atMs;
    this.#measure(value);
    const x = value + this.#shift;
    if (this.#bins === 0) {
      this.#learn(x, x, undefined);
      return { p: 1, score: 0, alert: false };
    }
    const { mean, shape } = this.#predict();
    const hour = Math.floor(atMs / HOUR_MS) % HOURS;
    const phi = this.#phiAt(hour);
    const r = 1 / (phi + 1 / (shape + 1));
    const units = mean / this.#unit;
    const z = negativeBinomialZ(x / this.#unit, units, r);
    const told = this.#judge(z, passedMs, atMs);
    const sigma = Math.sqrt(mean * this.#unit + (mean * mean) / r);
    const w = Math.min(Math.max(x, mean - CLIP_SIGMAS * sigma, 0), mean + CLIP_SIGMAS * sigma);
    this.#learn(this.#bins < BINS_MIN ? x : w, mean, hour);
    if (this.#bins <= BINS_MIN) return { p: 1, score: 0, alert: false };
    this.#rises.learn(Math.max(z, 0));
    this.#drops.learn(Math.max(-z, 0));
    const { low, high } = negativeBinomialInterval(units, r);
    const own = (count: number) => count * this.#unit - this.#shift;
    return { ...told, expected: mean - this.#shift, low: own(low), high: own(high) };
  }

  #judge(z: number, passedMs: number, atMs: number): Pick<Judged, "p" | "score" | "alert"> {
    const raw = Math.min(z >= 0 ? this.#rises.score(z) : this.#drops.score(-z), SCORE_MAX);
    const s = Math.sqrt(raw);
    const bar = this.#bar * 2 ** (-passedMs / BAR_HALF_LIFE_MS);
    const left = Math.max(s - BAR_SHARE * bar, 0);
    if (this.#bins >= BINS_MIN) this.#bar = Math.max(bar, s);
    const score = left * left;
    const threshold = this.#threshold(atMs);
    const alert = this.#bins >= BINS_MIN && score >= threshold;
    if (score > CANDIDATE_SCORE && this.#bins >= BINS_MIN) {
      this.#candidates++;
      // Of an alert no more is made than the model expects beyond the threshold: it may be true.
      this.#excess += Math.min(score, threshold + EXCESS_PRIOR) - CANDIDATE_SCORE;
    }
    return { p: pOfScore(raw), score, alert };
  }

  /** The score from which on candidates are as rare as the budget says: λ·exp(−(T − from)/σ) a day, as in `../budget.ts`. */
  #threshold(atMs: number): number {
    const days = (atMs - this.#firstMs) / DAY_MS;
    const prior = PRIOR_DAYS * PRIOR_TIMES_BUDGET * this.#budgetPerDay;
    const perDay = (this.#candidates + prior) / (days + PRIOR_DAYS);
    const sigma =
      (this.#excess + EXCESS_PRIOR_WEIGHT * EXCESS_PRIOR) / (this.#candidates + EXCESS_PRIOR_WEIGHT);
    return CANDIDATE_SCORE + Math.max(sigma * Math.log(perDay / Math.max(this.#budgetPerDay, 1e-6)), 0);
  }

  #predict(): { mean: number; shape: number } {
    let best = Number.POSITIVE_INFINITY;
    for (const level of this.#levels) best = Math.min(best, level.misfit / level.misfitWeight);
    let total = 0;
    let mean = 0;
    let exposure = 0;
    for (const level of this.#levels) {
      const weight = ((best + 0.02) / (level.misfit / level.misfitWeight + 0.02)) ** 3;
      total += weight;
      mean += weight * ((level.sum + 0.5 * this.#unit) / level.exposure);
      exposure += weight * level.exposure;
    }
    mean /= total;
    return { mean, shape: (mean / this.#unit) * (exposure / total) };
  }

  #phiAt(hour: number): number {
    const phi = this.#phiSum / this.#phiWeight;
    const weight = this.#hourWeight[hour]!;
    return Math.max((this.#hourPhi[hour]! + HOUR_PRIOR_BINS * phi) / (weight + HOUR_PRIOR_BINS), 0);
  }

  #learn(w: number, mean: number, hour: number | undefined): void {
    this.#bins++;
    if (hour !== undefined) {
      const count = mean / this.#unit;
      const share = (count / (1 + count)) ** 2;
      const miss = ((w - mean) / this.#unit) ** 2 - count;
      const phi = Math.min(miss / (1 + count) ** 2, PHI_BIN_MAX);
      this.#phiSum = this.#phiSum * PHI_DECAY + phi + (1 - PHI_DECAY) * PHI_PRIOR * PHI_PRIOR_BINS;
      this.#phiWeight = this.#phiWeight * PHI_DECAY + share + (1 - PHI_DECAY) * PHI_PRIOR_BINS;
      this.#hourPhi[hour] = this.#hourPhi[hour]! * HOUR_DECAY + phi;
      this.#hourWeight[hour] = this.#hourWeight[hour]! * HOUR_DECAY + share;
      for (const level of this.#levels) {
        const own = (level.sum + 0.5 * this.#unit) / level.exposure / this.#unit;
        const gap = (Math.sqrt(w / this.#unit + 0.375) - Math.sqrt(own + 0.375)) ** 2;
        level.misfit = level.misfit * FIT_DECAY + gap;
        level.misfitWeight = level.misfitWeight * FIT_DECAY + 1;
      }
    }
    for (const level of this.#levels) {
      level.sum = level.sum * level.decay + w;
      level.exposure = level.exposure * level.decay + 1;
    }
  }

  /** Decimals are counted in small units; a value below 0 shifts everything, what is known as well. */
  #measure(value: number): void {
    if (value + this.#shift < 0) {
      const more = -value - this.#shift;
      this.#shift += more;
      for (const level of this.#levels) level.sum += more * level.exposure;
    }
    if (this.#unit === 1 && !Number.isInteger(value)) {
      const usual = this.#bins === 0 ? Math.abs(value) : this.#predict().mean;
      if (usual > 0) this.#unit = Math.min(usual * UNIT_SHARE, 1);
    }
  }
}
