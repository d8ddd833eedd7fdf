/** Chance of the evaluation: the simulator's streams with the distributions that counts are made of. */
import { Draw } from "../../../src/simulate/random.ts";

/** Above it a binomial with so many of either outcome is drawn as a normal one. */
const NORMAL_MIN = 30;

export class Dice extends Draw {
  /** Successes among n trials. Exact for small n or few of either outcome, else the normal approximation, rounded. */
  binomial(n: number, share: number): number {
    if (n <= 0 || share <= 0) return 0;
    if (share >= 1) return n;
    if (n * share > NORMAL_MIN && n * (1 - share) > NORMAL_MIN) {
      const value = Math.round(n * share + Math.sqrt(n * share * (1 - share)) * this.normal());
      return Math.min(Math.max(value, 0), n);
    }
    if (share > 0.5) return n - this.binomial(n, 1 - share);
    // Gaps between successes are geometric: as many draws as there are successes (Devroye 1986, X.4).
    const step = Math.log1p(-share);
    let successes = 0;
    for (let at = Math.floor(Math.log(1 - this.uniform()) / step); at < n; successes++)
      at += 1 + Math.floor(Math.log(1 - this.uniform()) / step);
    return successes;
  }

  /** Beta with this mean and size (a + b). */
  beta(mean: number, size: number): number {
    const a = this.gamma(Math.max(mean * size, 1e-6));
    const b = this.gamma(Math.max((1 - mean) * size, 1e-6));
    return a + b > 0 ? a / (a + b) : mean;
  }

  /** A whole number with this mean, the next below or above. */
  round(mean: number): number {
    return Math.floor(mean) + (this.uniform() < mean % 1 ? 1 : 0);
  }
}
