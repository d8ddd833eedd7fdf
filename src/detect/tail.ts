/**
 * Tails of the distributions that every test here ends in, accurate far out and never 0, NaN or infinite.
 *
 * Sources: erfc by Numerical Recipes §6.2 (Chebyshev fit with a relative error under 1.2e-7 for every argument,
 * so its logarithm needs no separate expansion far out); log-gamma by Lanczos (g = 7, 9 terms); signed root of
 * the negative-binomial deviance, and beta-binomial moments, after McCullagh & Nelder, Generalized Linear Models.
 */

/** A score is −log10 p and stops here: beyond it no tail is believable. */
export const SCORE_MAX = 30;
/** The p that belongs to SCORE_MAX. */
export const P_MIN = 1e-30;
/** Two-sided 95 % point of the normal distribution. */
export const Z95 = 1.959963984540054;

/** The exact negative-binomial quantile is summed up to this mean; above it e^−mean nears the smallest double. */
const EXACT_MEAN_MAX = 500;
/** Terms of the beta-binomial sum. A larger n is scaled down to it, which only weakens the evidence. */
const TRIALS_MAX = 2_000;

const ERFC = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
] as const;

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

/** ln P(Z > z) of a standard normal Z. */
export function logUpperTail(z: number): number {
  if (z < 0) return Math.log1p(-Math.exp(logUpperTail(-z)));
  const x = z / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  let fit = 0;
  for (let i = ERFC.length - 1; i >= 0; i--) fit = fit * t + ERFC[i]!;
  return Math.min(Math.log(t) - x * x + fit - Math.LN2, 0);
}

/** −log10 of a probability given as a natural logarithm, between 0 and SCORE_MAX. */
function scoreOfLog(logP: number): number {
  return Number.isNaN(logP) ? 0 : Math.min(Math.max(-logP / Math.LN10, 0), SCORE_MAX);
}

/** −log10 P(Z > z), 0 … SCORE_MAX. */
export function scoreOfZ(z: number): number {
  return scoreOfLog(logUpperTail(z));
}

/** −log10 P(|Z| > |z|), 0 … SCORE_MAX. */
export function scoreOfZTwoSided(z: number): number {
  return scoreOfLog(Math.LN2 + logUpperTail(Math.abs(z)));
}

/** The p of a score: finite, above 0, at most 1. */
export function pOfScore(score: number): number {
  return Math.min(Math.max(10 ** -score, P_MIN), 1);
}

/**
 * Signed root of the negative-binomial deviance of x against mean mu and size r (variance mu + mu²/r):
 * about standard normal when x comes from that distribution. 0 when there is nothing to compare with.
 */
export function negativeBinomialZ(x: number, mu: number, r: number): number {
  if (!(mu > 0) || !(r > 0)) return 0;
  const rise = x > 0 ? x * Math.log(x / mu) : 0;
  const deviance = 2 * (rise - (x + r) * Math.log((x + r) / (mu + r)));
  return Math.sign(x - mu) * Math.sqrt(Math.max(deviance, 0));
}

/** z of k yes among n at rate pi, where rates scatter like a Beta with pi·s and (1 − pi)·s. */
export function betaBinomialZ(k: number, n: number, pi: number, s: number): number {
  const variance = n * pi * (1 - pi) * ((s + n) / (s + 1));
  return variance > 0 ? (k - n * pi) / Math.sqrt(variance) : 0;
}

/** Central 95 % interval of the share k/n of the same, by its normal approximation, within 0 … 1. */
export function betaBinomialInterval(n: number, pi: number, s: number): { low: number; high: number } {
  const sd = Math.sqrt((pi * (1 - pi) * (s + n)) / ((s + 1) * n));
  return { low: Math.max(pi - Z95 * sd, 0), high: Math.min(pi + Z95 * sd, 1) };
}

/** ln Γ(x), x > 0. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const base = x + 6.5;
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/**
 * −log10 P(X ≥ k) of a beta-binomial X, summed term by term. The z above is far too sure at a small rate, where
 * this distribution is very skewed (rate 0.02, n = 50, s = 20, k = 10: z says 3e-7, the sum 6e-3).
 */
export function betaBinomialScore(k: number, n: number, pi: number, s: number): number {
  if (n > TRIALS_MAX) return betaBinomialScore((k * TRIALS_MAX) / n, TRIALS_MAX, pi, s);
  const from = Math.floor(Math.min(k, n));
  if (from <= 0 || !(pi > 0 && pi < 1) || !(s > 0)) return 0;
  const a = pi * s;
  const b = (1 - pi) * s;
  const logChoose = -Math.log(n + 1) - logBeta(from + 1, n - from + 1);
  const logFirst = logChoose + logBeta(from + a, n - from + b) - logBeta(a, b);
  let term = 1;
  let sum = 1;
  for (let j = from; j < n; j++) {
    term *= ((n - j) / (j + 1)) * ((j + a) / (n - j - 1 + b));
    sum += term;
    if (term < sum * 1e-12 && b >= 1) break;
  }
  return scoreOfLog(Math.min(logFirst + Math.log(sum), 0));
}

/**
 * Central 95 % interval of a negative binomial: exact by summing up to EXACT_MEAN_MAX, above it by the
 * Wilson–Hilferty cube root of a gamma with the same mean and variance (within 3 % there for r ≥ 1).
 */
export function negativeBinomialInterval(mu: number, r: number): { low: number; high: number } {
  if (!(mu > 0) || !(r > 0)) return { low: 0, high: 0 };
  if (mu > EXACT_MEAN_MAX) {
    const shape = 1 / (1 / mu + 1 / r);
    const at = (z: number) => mu * Math.max(1 - 1 / (9 * shape) + z / (3 * Math.sqrt(shape)), 0) ** 3;
    return { low: Math.floor(at(-Z95)), high: Math.ceil(at(Z95)) };
  }
  const odds = mu / (mu + r);
  let mass = Math.exp(-r * Math.log1p(mu / r));
  let below = mass;
  let x = 0;
  let low = -1;
  // The bound holds for r ≥ 0.01; it keeps a strange r from looping for ever.
  const last = 10_000 + 20 * mu * (1 + 1 / r);
  while (x < last) {
    if (low < 0 && below >= 0.025) low = x;
    if (below >= 0.975) break;
    mass *= odds * ((x + r) / (x + 1));
    below += mass;
    x++;
  }
  return { low: Math.max(low, 0), high: x };
}
