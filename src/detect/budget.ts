/**
 * The alert budget as a promise: on how high a calibrated score a kind may raise, so that a site's quiet days hold at most
 * its share of the budget. Pooled over a shard's fingerprints: how many candidates (runs of a strange kind at one
 * fingerprint, raised or not) come a day, and how far their peaks go beyond a fixed score. Peaks over a threshold are nearly
 * generalized Pareto (Pickands 1975); in a score, which is a logarithm already, the exponential one of them:
 * candidates a day above T = λ·exp(−(T − START)/σ).
 *
 * What was raised counts as at least its threshold and no more is made of it (censored): a day under attack must not make
 * the detectors deaf, and a quiet site's false raises must count.
 */
import { HOUR_MS } from "../config.ts";
import type { KindName } from "./types.ts";

/** Calibrated scores below are no candidates. */
export const CANDIDATE_SCORE = 4;
/** A candidate is over when it was not strange for so long. */
const CANDIDATE_GAP_MS = 5 * 60_000;
/** Never asked for more than this: what is beyond any doubt is raised on any site. */
const THRESHOLD_MAX = 20;
const DAY_MS = 24 * HOUR_MS;
/** What is remembered fades with this half-life. */
const HALF_LIFE_DAYS = 7;
/** Before anything is known: so many candidates in so many days, their mean excess, worth so many of them. */
const PRIOR_CANDIDATES = 0.3;
const PRIOR_DAYS = 0.1;
const PRIOR_EXCESS = 0.65;
const PRIOR_EXCESS_WEIGHT = 10;
/** σ is taken so many standard errors high: a promise holds with 95 %, not on average. */
const EXCESS_MARGIN = 1;
/** Ticks further apart than this are a pause: the time between them held no tests. */
const PAUSE_MS = 5 * 60_000;
/** Of the budget; what is left over from 1 is divided among the other kinds. */
const SHARES: Partial<Record<KindName, number>> = { surge: 0.3, slow_surge: 0.2, newcomer: 0.1 };
const OTHER_SHARE = 0.04;

interface Candidate {
  peak: number;
  raised: boolean;
  seenAtMs: number;
}

/** Of one kind. Plain numbers: stored as they are. */
export interface PoolState {
  candidates: number;
  days: number;
  /** Sum of excesses, cut at the threshold of their time, and how many were not cut. */
  excess: number;
  whole: number;
}

export class EpisodePool {
  readonly state: PoolState;
  readonly #share: number;
  readonly #open = new Map<string, Candidate>();
  #tickMs = 0;

  constructor(kind: KindName, state: PoolState = { candidates: 0, days: 0, excess: 0, whole: 0 }) {
    this.#share = SHARES[kind] ?? OTHER_SHARE;
    this.state = state;
  }

  /** The calibrated score from which on this kind raises; `budgetPerDay`: of all kinds on this shard. */
  threshold(budgetPerDay: number, floor: number): number {
    const { candidates, days, excess, whole } = this.state;
    const perDay = (candidates + PRIOR_CANDIDATES) / (days + PRIOR_DAYS);
    const weight = whole + PRIOR_EXCESS_WEIGHT;
    const sigma =
      ((excess + PRIOR_EXCESS_WEIGHT * PRIOR_EXCESS) / weight) * (1 + EXCESS_MARGIN / Math.sqrt(weight));
    const allowed = Math.max(budgetPerDay * this.#share, 1e-6);
    const threshold = CANDIDATE_SCORE + sigma * Math.log(perDay / allowed);
    return Math.min(Math.max(threshold, floor), THRESHOLD_MAX);
  }

  /** Time goes on; candidates that are over are counted. `threshold`: what holds now. */
  tick(nowMs: number, threshold: number): void {
    const passedMs = nowMs - this.#tickMs;
    this.#tickMs = Math.max(nowMs, this.#tickMs);
    if (passedMs > 0 && passedMs <= PAUSE_MS) {
      const { state } = this;
      const days = passedMs / DAY_MS;
      const keeps = 2 ** (-days / HALF_LIFE_DAYS);
      state.candidates *= keeps;
      state.excess *= keeps;
      state.whole *= keeps;
      state.days = state.days * keeps + days;
    }
    for (const [ja4, { peak, raised, seenAtMs }] of this.#open) {
      if (nowMs - seenAtMs < CANDIDATE_GAP_MS) continue;
      this.#open.delete(ja4);
      this.state.candidates++;
      this.state.excess += Math.min(peak, threshold) - CANDIDATE_SCORE;
      if (!raised && peak < threshold) this.state.whole++;
    }
  }

  /** A verdict that would raise if its calibrated score were high enough. */
  note(ja4: string, score: number, raised: boolean, nowMs: number): void {
    if (score < CANDIDATE_SCORE) return;
    const known = this.#open.get(ja4);
    if (known === undefined) this.#open.set(ja4, { peak: score, raised, seenAtMs: nowMs });
    else {
      known.peak = Math.max(known.peak, score);
      known.raised ||= raised;
      known.seenAtMs = nowMs;
    }
  }
}
