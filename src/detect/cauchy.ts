/**
 * One p of several that may depend on each other: T = Σ tan((½ − p_i)π) / n is about standard Cauchy under the null whatever
 * the dependence, far out in the tail (Liu and Xie 2020, Cauchy Combination Test, https://doi.org/10.1080/01621459.2018.1554485).
 */

/** A p of 1 would outweigh everything else. */
const P_MAX = 0.99;
/** Below it tan((½ − p)π) = 1 / (πp) to the last digit, while ½ − p is rounded. */
const P_SMALL = 1e-8;

/** In (0, 1]; 1 of nothing. */
export function cauchyCombination(ps: readonly number[]): number {
  if (ps.length === 0) return 1;
  let sum = 0;
  for (const p of ps) {
    const inside = Math.min(p, P_MAX);
    sum += inside < P_SMALL ? 1 / (Math.PI * inside) : Math.tan((0.5 - inside) * Math.PI);
  }
  const mean = sum / ps.length;
  return mean > 1 / P_SMALL ? 1 / (Math.PI * mean) : 0.5 - Math.atan(mean) / Math.PI;
}
