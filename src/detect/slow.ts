/**
 * A lasting rise that no single minute shows: ten-minute bins of a busy fingerprint against its own level, with the site's
 * shape divided out, gathered by three cumulative sums (Page 1954) of negative-binomial log-likelihood ratios, one for each
 * size of rise c: S = max(0, S + x·ln c − (x + r)·ln((r + cμ) / (r + μ))).
 *
 * The site's shape g of a bin is the weighted median of x/level over its busy fingerprints: night and day, weekends and a
 * flash crowd move it, one attacker does not. A level is learned from x/g with a half-life of a day, and not at all while
 * there is evidence of a rise, or a slow enough rise would be its own norm. r comes from the scatter of the same bins, so a
 * fingerprint that wanders by itself needs more.
 */

import { REQS } from "../window/tally.ts";
import { minuteOf } from "../window/time.ts";
import { COLUMNS, type Habits } from "./habits.ts";
import { weightedMedian } from "./median.ts";
import type { Site, Subject } from "./types.ts";

export const BIN_MINUTES = 10;
const HOUR_BINS = 6;
/** Sizes of rise that are looked for. */
const RISES = [1.2, 2, 5] as const;
const SUMS = [COLUMNS.sum0, COLUMNS.sum1, COLUMNS.sum2] as const;
const HALF_LIFE_BINS = 144;
const ALPHA_MIN = 1 - 2 ** (-1 / HALF_LIFE_BINS);
/** A level follows faster, as nobody's day has quite the shape of the site's. */
const LEVEL_ALPHA_MIN = 1 - 2 ** (-1 / 36);
/** A level is believed from this many bins on; a small rise asks for a day of it. */
const BINS_MIN = 12;
const BINS_MIN_SMALL = 48;
const SMALL_RISE = 1.5;
/** Real clients' ten minutes scatter by about a quarter before anything is known of them. */
const PHI_PRIOR = 0.06;
const PHI_PRIOR_BINS = 12;
const PHI_BIN_MAX = 4;
const AWAY_MAX = 2;
/** Of successive bins, before anything is known. */
const PRIOR_CORRELATION = 0.4;
const CORRELATION_MAX = 0.95;
const PHI_TIMES = 1.2;
const CLIP_SIGMAS = 3;
/** From so much evidence (nats) on the level stands still … */
const FROZEN_SUM = 5;
/** … and its bins tell so much of its scatter, or a rise would excuse itself. */
const FROZEN_SHARE = 0.25;
/** … for half a day: then it is the norm. */
const FROZEN_BINS_MAX = 72;
/** One bin says at most this much: a burst is no lasting rise. */
const GAIN_MAX = 6;
/** Evidence that counts for nothing more: what is over must not linger for days. */
const SUM_MAX = 80;
/** Of what a fingerprint reached before without being told, so much is taken off its evidence. */
const TOP_SHARE = 0.75;
/** The hour that a fingerprint must be busy in to have a level. */
const SLOW_MIN_REQS = 50;
/** Of the hour, that must be usual: less comes in clumps that look like a rise. */
export const SLOW_MIN_USUAL = 120;
/** The site's shape: fingerprints that must tell, the least level of one that does, what one counts at most. */
const SHAPE_SUBJECTS_MIN = 8;
const SHAPE_LEVEL_MIN = 10;
const SHAPE_WEIGHT_MAX = 200;
const SHAPE_MIN = 0.05;
const SHAPE_MAX = 20;

/** What is known of a fingerprint's lasting level. */
export interface SlowView {
  /** Strongest evidence, nats, and the rise that it is for. */
  sum: number;
  rise: number;
  /** Minutes since the evidence began. */
  minutes: number;
  /** Requests that the last hour, and the last half of it, should hold; size of the hour's negative binomial. */
  hour: number;
  half: number;
  r: number;
}

/** Of a shard. */
export class SlowLevels {
  readonly #habits: Habits;
  /** The site's shape in the last bins, the newest last. */
  shapes: number[];
  bin: number;

  constructor(habits: Habits, state: { shapes: number[]; bin: number } = { shapes: [], bin: 0 }) {
    this.#habits = habits;
    this.shapes = state.shapes;
    this.bin = state.bin;
  }

  /** Takes in the bins that ended by `minute`, the first one after the last; `isAnomalous`: does not learn. */
  close(site: Site, minute: number, isAnomalous: (ja4: string) => boolean): void {
    const newest = Math.floor(minute / BIN_MINUTES) - 1;
    const first = Math.ceil((minuteOf(site.firstDataMs) + 1) / BIN_MINUTES);
    const from = Math.max(this.bin + 1, newest - HOUR_BINS + 2, first);
    for (let bin = from; bin <= newest; bin++) this.#close(site, bin, isAnomalous);
    this.bin = Math.max(newest, this.bin);
  }

  #close(site: Site, bin: number, isAnomalous: (ja4: string) => boolean): void {
    const minute = (bin + 1) * BIN_MINUTES;
    const habits = this.#habits;
    const seen: { slot: number; reqs: number; ja4: string }[] = [];
    for (const subject of site.subjects()) {
      const reqs = binReqs(subject, minute);
      // Silent bins count too, of whoever has a level; most have none and never will.
      if (habits.size === 0 && reqs * HOUR_BINS < SLOW_MIN_REQS) continue;
      const { ja4 } = subject;
      let slot = habits.slot(ja4);
      if (slot === undefined && reqs * HOUR_BINS >= SLOW_MIN_REQS && subject.hour[REQS]! >= SLOW_MIN_REQS)
        slot = habits.claim(ja4, minute - 1);
      if (slot !== undefined) seen.push({ slot, reqs, ja4 });
    }
    const shape = this.#shapeOf(seen);
    // A silent bin of the whole site is missing, not a night.
    if (seen.length === 0) return;
    this.shapes = [...this.shapes, shape].slice(-HOUR_BINS);
    for (const { slot, reqs, ja4 } of seen) this.#learn(slot, reqs, shape, isAnomalous(ja4));
  }

  #shapeOf(seen: readonly { slot: number; reqs: number }[]): number {
    const points: { value: number; weight: number }[] = [];
    for (const { slot, reqs } of seen) {
      const level = this.#habits.get(slot, COLUMNS.slowLevel);
      if (this.#habits.get(slot, COLUMNS.slowBins) < BINS_MIN || level < SHAPE_LEVEL_MIN) continue;
      points.push({ value: reqs / level, weight: Math.min(level, SHAPE_WEIGHT_MAX) });
    }
    if (points.length < SHAPE_SUBJECTS_MIN) return 1;
    return Math.min(Math.max(weightedMedian(points) ?? 1, SHAPE_MIN), SHAPE_MAX);
  }

  #learn(slot: number, reqs: number, shape: number, anomalous: boolean): void {
    const habits = this.#habits;
    const bins = habits.get(slot, COLUMNS.slowBins);
    const level = habits.get(slot, COLUMNS.slowLevel);
    if (bins === 0) {
      habits.set(slot, COLUMNS.slowBins, 1);
      habits.set(slot, COLUMNS.slowLevel, reqs / shape);
      return;
    }
    const mean = Math.max(level * shape, 0.5);
    const r = this.#size(slot);
    const independent = this.#independence(slot);
    let most = 0;
    if (bins >= BINS_MIN && !anomalous) {
      for (let i = 0; i < RISES.length; i++) {
        const rise = RISES[i]!;
        if (rise < SMALL_RISE && bins < BINS_MIN_SMALL) continue;
        const ratio = reqs * Math.log(rise) - (reqs + r) * Math.log((r + rise * mean) / (r + mean));
        const gain = Math.min(independent * ratio, GAIN_MAX);
        const sum = Math.min(Math.max(habits.get(slot, SUMS[i]!) + gain, 0), SUM_MAX);
        habits.set(slot, SUMS[i]!, sum);
        most = Math.max(most, sum);
      }
      const since = habits.get(slot, COLUMNS.sumSince);
      habits.set(slot, COLUMNS.sumSince, most > 0 ? since + 1 : 0);
      const run = Math.max(habits.get(slot, COLUMNS.sumRun), most);
      const top = habits.get(slot, COLUMNS.sumTop) * (1 - ALPHA_MIN);
      // What went up and came down by itself is what this fingerprint does.
      habits.set(slot, COLUMNS.sumTop, most > 0 ? top : Math.max(top, run));
      habits.set(slot, COLUMNS.sumRun, most > 0 ? run : 0);
    }
    if (anomalous) return;
    const sigma = Math.sqrt(mean + (mean * mean) / r);
    const w =
      bins < BINS_MIN
        ? reqs
        : Math.min(Math.max(reqs, mean - CLIP_SIGMAS * sigma), mean + CLIP_SIGMAS * sigma);
    this.#learnScatter(slot, reqs, mean, most >= FROZEN_SUM ? FROZEN_SHARE : 1);
    if (most >= FROZEN_SUM) {
      if (habits.get(slot, COLUMNS.sumSince) >= FROZEN_BINS_MAX) {
        habits.set(slot, COLUMNS.sumTop, Math.max(habits.get(slot, COLUMNS.sumTop), most));
        this.#accept(slot, reqs / shape);
      }
      return;
    }
    const alpha = Math.max(1 / (bins + 1), LEVEL_ALPHA_MIN);
    habits.set(slot, COLUMNS.slowLevel, level + alpha * (w / shape - level));
    habits.set(slot, COLUMNS.slowBins, bins + 1);
  }

  /** Also while the level stands still: one that changes its level by itself must need more each time. */
  #learnScatter(slot: number, reqs: number, mean: number, counts: number): void {
    const habits = this.#habits;
    const share = counts * (mean / (1 + mean)) ** 2;
    const miss = Math.min(((reqs - mean) ** 2 - mean) / (1 + mean) ** 2, PHI_BIN_MAX);
    const weight = habits.get(slot, COLUMNS.slowPhiWeight);
    const phiAlpha = Math.max(share / (weight + share), ALPHA_MIN * share);
    habits.set(
      slot,
      COLUMNS.slowPhi,
      habits.get(slot, COLUMNS.slowPhi) + phiAlpha * (miss - habits.get(slot, COLUMNS.slowPhi)),
    );
    habits.set(slot, COLUMNS.slowPhiWeight, Math.min(weight + share, HALF_LIFE_BINS));
    const away = Math.min((reqs - mean) / (1 + mean), AWAY_MAX);
    const square = habits.get(slot, COLUMNS.slowSquare);
    const cross = habits.get(slot, COLUMNS.slowCross);
    habits.set(slot, COLUMNS.slowSquare, square + phiAlpha * (away * away - square));
    habits.set(
      slot,
      COLUMNS.slowCross,
      cross + phiAlpha * (away * habits.get(slot, COLUMNS.slowMiss) - cross),
    );
    habits.set(slot, COLUMNS.slowMiss, away);
  }

  /**
   * How much a bin tells beyond the one before: (1 − a) / (1 + a) of the misses' autocorrelation a, since the variance of a
   * sum of them is larger by the inverse (AR(1)). One that stays up for hours by itself gathers no evidence by it.
   */
  #independence(slot: number): number {
    const habits = this.#habits;
    const weight = habits.get(slot, COLUMNS.slowPhiWeight);
    const cross =
      habits.get(slot, COLUMNS.slowCross) * weight + PRIOR_CORRELATION * PHI_PRIOR * PHI_PRIOR_BINS;
    const square = habits.get(slot, COLUMNS.slowSquare) * weight + PHI_PRIOR * PHI_PRIOR_BINS;
    const a = Math.min(Math.max(cross / square, 0), CORRELATION_MAX);
    return (1 - a) / (1 + a);
  }

  /** Size of a bin's negative binomial. */
  #size(slot: number): number {
    const weight = this.#habits.get(slot, COLUMNS.slowPhiWeight);
    const phi =
      (this.#habits.get(slot, COLUMNS.slowPhi) * weight + PHI_PRIOR * PHI_PRIOR_BINS) /
      (weight + PHI_PRIOR_BINS);
    const bins = Math.min(this.#habits.get(slot, COLUMNS.slowBins), HALF_LIFE_BINS);
    return 1 / (PHI_TIMES * Math.max(phi, 0) + 1 / (bins + 1));
  }

  /** The level as it is now is the norm from here on. */
  #accept(slot: number, level: number): void {
    const habits = this.#habits;
    habits.set(slot, COLUMNS.slowLevel, level);
    habits.set(slot, COLUMNS.slowBins, BINS_MIN);
    this.forget(slot);
  }

  /** What spoke for a rise is over, or told. */
  forget(slot: number): void {
    for (const column of SUMS) this.#habits.set(slot, column, 0);
    this.#habits.set(slot, COLUMNS.sumSince, 0);
    this.#habits.set(slot, COLUMNS.sumRun, 0);
  }

  /** A rise that lasted is no rise any more: so many requests an hour are the norm. */
  accept(slot: number, hourReqs: number): void {
    const shapes = this.shapes.reduce((total, shape) => total + shape, 0);
    if (shapes > 0) this.#accept(slot, hourReqs / shapes);
  }

  view(slot: number): SlowView | undefined {
    const habits = this.#habits;
    let best = 0;
    for (let i = 1; i < RISES.length; i++)
      if (habits.get(slot, SUMS[i]!) > habits.get(slot, SUMS[best]!)) best = i;
    const sum = habits.get(slot, SUMS[best]!) - TOP_SHARE * habits.get(slot, COLUMNS.sumTop);
    if (sum <= 0 || this.shapes.length < HOUR_BINS) return undefined;
    const level = habits.get(slot, COLUMNS.slowLevel);
    const shapes = (count: number) => this.shapes.slice(-count).reduce((total, shape) => total + shape, 0);
    return {
      sum,
      rise: RISES[best]!,
      minutes: habits.get(slot, COLUMNS.sumSince) * BIN_MINUTES,
      hour: level * shapes(HOUR_BINS),
      half: level * shapes(HOUR_BINS / 2),
      // Bins of an hour scatter together more often than not.
      r: this.#size(slot) * 2,
    };
  }
}

function binReqs(subject: Subject, minute: number): number {
  let reqs = 0;
  for (let at = minute - BIN_MINUTES; at < minute; at++) reqs += subject.reqs(at);
  return reqs;
}
