/**
 * The tail of one series' residuals on one side (rises or drops): the 98 % quantile t by stochastic approximation (Robbins &
 * Monro 1951), and beyond it a Pareto tail with one moment, P(U > u) = 0.02·(u/t)^(−1/m), m the mean of ln(u/t): the idea of SPOT
 * (Siffer et al. 2017) with a heavier, steadier tail. One series has few exceedances, so m starts from a prior and the quantile
 * moves fast; the pooled tail of many fingerprints is `../recalibration.ts`.
 */
const SHARE = 0.02;
/** 98 % point of a standard normal. */
const T_FIRST = 2.05;
const T_MIN = 0.5;
const T_STEP = 0.05;
const M_PRIOR = 0.4;
const M_PRIOR_WEIGHT = 20;
const M_MEMORY = 200;

export class SeriesTail {
  #t = T_FIRST;
  #m = M_PRIOR;
  #weight = M_PRIOR_WEIGHT;

  /** −log10 of the probability of a residual at least this large; `u` ≥ 0. */
  score(u: number): number {
    const base = -Math.log10(SHARE);
    if (u <= this.#t) return (base * u) / this.#t;
    return base + Math.log10(u / this.#t) / this.#m;
  }

  learn(u: number): void {
    if (u > this.#t) {
      this.#weight = Math.min(this.#weight + 1, M_MEMORY);
      this.#m += (Math.log(u / this.#t) - this.#m) / this.#weight;
      this.#t *= 1 + T_STEP * (1 - SHARE);
    } else this.#t = Math.max(this.#t * (1 - T_STEP * SHARE), T_MIN);
  }
}
