/**
 * The alert budget as a promise: on how high a calibrated score a kind may raise, so that a site's quiet days hold at most
 * its share of the budget. Pooled over a shard's fingerprints: how many candidates (runs of a strange kind at one
 * fingerprint, raised or not) come a day, and how far their peaks go beyond a fixed score. Peaks over a threshold are nearly
 * generalized Pareto (Pickands 1975); in a score, which is a logarithm already, the exponential one of them:
 * candidates a day above T = λ·exp(−(T − START)/σ).
 *
 * A day under attack must not make the detectors deaf, and a quiet site's false raises must count. Chance is strange in one
 * way: a candidate whose fingerprint is anomalous in another kind of way meanwhile, and one beyond any chance, are attacks and
 * are not counted; of the others no more is made than what the model expects beyond the threshold.
 */
import { HOUR_MS } from "../config.ts";
import type { KindName } from "./types.ts";

/** Calibrated scores below are no candidates. */
export const CANDIDATE_SCORE = 4;
/** A candidate is over when it was not strange for so long. */
const CANDIDATE_GAP_MS = 5 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** What is remembered fades with this half-life. */
const HALF_LIFE_DAYS = 7;
/** What is known before anything is seen counts as so many candidates, in so many days. */
const PRIOR_EXCESS_WEIGHT = 15;
const PRIOR_DAYS = 0.1;
const THOUSAND = 1_000;
/** σ is taken so many standard errors high: a promise holds with 95 %, not on average. */
const EXCESS_MARGIN = 1;
/** Ticks further apart than this are a pause: the time between them held no tests. */
const PAUSE_MS = 5 * 60_000;
/** What a kind starts from, and what it may have. */
interface Terms {
  /** Of the budget; all kinds' together at most 1. */
  share: number;
  /** Candidates a day of a thousand fingerprints (or fewer) and their mean excess, before any is seen. */
  perDay: number;
  excess: number;
  /** Never asked for more than this score: what is beyond doubt is raised on any site. */
  most: number;
  /** An excess beyond this is no chance. */
  chance: number;
}
/** By so much for each tenth of a budget below one a day. */
const STRICTER_SCORE = 3;
const TERMS: Terms = { share: 0.04, perDay: 1.5, excess: 0.65, most: 9, chance: 9 };
const TERMS_OF: Partial<Record<KindName, Partial<Terms>>> = {
  surge: { share: 0.3, excess: 1.1, most: 12 },
  // Newcomers as busy as a flood are nothing strange on a large site: there it must say so by itself.
  newcomer: { share: 0.1, perDay: 3, excess: 2, most: 28, chance: 30 },
  rank_shift: { perDay: 3, excess: 2, most: 28, chance: 30 },
  // Its evidence gathers without end: more of it can be asked for.
  slow_surge: { share: 0.2, perDay: 40, excess: 3, most: 28, chance: 30 },
};

interface Candidate {
  peak: number;
  isAttack: boolean;
  seenAtMs: number;
}

/** Of one kind. Plain numbers: stored as they are. */
export interface PoolState {
  candidates: number;
  days: number;
  /** Sum of their excesses. */
  excess: number;
}

export class EpisodePool {
  readonly state: PoolState;
  readonly #terms: Terms;
  readonly #open = new Map<string, Candidate>();
  #tickMs = 0;

  constructor(kind: KindName, state: PoolState = { candidates: 0, days: 0, excess: 0 }) {
    this.#terms = { ...TERMS, ...TERMS_OF[kind] };
    this.state = state;
  }

  /**
   * The calibrated score from which on this kind raises. `budgetPerDay`: of all kinds on this shard, which has so many
   * `fingerprints`.
   */
  threshold(budgetPerDay: number, floor: number, fingerprints = 0): number {
    const { candidates, days } = this.state;
    const expected = this.#terms.perDay * Math.max(fingerprints / THOUSAND, 1);
    const perDay = (candidates + expected * PRIOR_DAYS) / (days + PRIOR_DAYS);
    const sigma = this.#meanExcess() * (1 + EXCESS_MARGIN / Math.sqrt(candidates + PRIOR_EXCESS_WEIGHT));
    const allowed = Math.max(budgetPerDay * this.#terms.share, 1e-6);
    // Whoever wants less than one a day wants doubt ruled out further.
    const most = this.#terms.most + STRICTER_SCORE * Math.max(-Math.log10(Math.max(budgetPerDay, 1e-3)), 0);
    const threshold = CANDIDATE_SCORE + sigma * Math.log(perDay / allowed);
    return Math.min(Math.max(threshold, floor), most);
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
      state.days = state.days * keeps + days;
    }
    for (const [ja4, { peak, isAttack, seenAtMs }] of this.#open) {
      if (nowMs - seenAtMs < CANDIDATE_GAP_MS) continue;
      this.#open.delete(ja4);
      if (isAttack || peak - CANDIDATE_SCORE > this.#terms.chance) continue;
      const excess = Math.min(peak, threshold + this.#meanExcess()) - CANDIDATE_SCORE;
      this.state.candidates++;
      this.state.excess += excess;
    }
  }

  #meanExcess(): number {
    const { candidates, excess } = this.state;
    return (excess + PRIOR_EXCESS_WEIGHT * this.#terms.excess) / (candidates + PRIOR_EXCESS_WEIGHT);
  }

  /** A verdict that would raise if its calibrated score were high enough. `isAttack`: other kinds say so. */
  note(ja4: string, score: number, isAttack: boolean, nowMs: number): void {
    if (score < CANDIDATE_SCORE) return;
    const known = this.#open.get(ja4);
    if (known === undefined) this.#open.set(ja4, { peak: score, isAttack, seenAtMs: nowMs });
    else {
      known.peak = Math.max(known.peak, score);
      known.isAttack ||= isAttack;
      known.seenAtMs = nowMs;
    }
  }
}
