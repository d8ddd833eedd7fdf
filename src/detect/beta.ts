/**
 * The beta distribution. Sources: continued fraction of the incomplete beta function, DLMF §8.17(v)
 * https://dlmf.nist.gov/8.17#v, by Lentz's method; first guess of a quantile, Abramowitz & Stegun 26.5.22.
 */
import { logGamma } from "./tail.ts";

const TINY = 1e-300;
const TERMS_MAX = 20_000;
const TERM_EPSILON = 1e-12;
const STEPS_MAX = 60;
/** Quantiles are good to this, absolutely. */
const QUANTILE_EPSILON = 1e-7;
/** From here on both ends are so nearly normal that the first guess is good to that by itself. */
const GUESS_FROM = 1e5;

/** I_x(a, b) = P(X ≤ x) of X ~ Beta(a, b); a, b > 0, 0 ≤ x ≤ 1. */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const logFront = a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b);
  // The fraction converges fast only below the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - Math.exp(logFront - Math.log(b)) * fraction(1 - x, b, a);
  return Math.exp(logFront - Math.log(a)) * fraction(x, a, b);
}

function fraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= TERMS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < TERM_EPSILON) break;
  }
  return value;
}

function awayFromZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}

/** x with P(X ≤ x) = Φ(z), X ~ Beta(a, b); within 1e-7. `z`: point of the standard normal, `p`: its Φ. */
export function betaQuantile(z: number, p: number, a: number, b: number): number {
  let x = guess(z, a, b);
  if (Math.min(a, b) > GUESS_FROM) return x;
  const logScale = logGamma(a + b) - logGamma(a) - logGamma(b);
  let low = 0;
  let high = 1;
  for (let step = 0; step < STEPS_MAX && high - low > QUANTILE_EPSILON; step++) {
    const miss = betaCdf(x, a, b) - p;
    if (miss > 0) high = x;
    else low = x;
    const density = Math.exp(logScale + (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x));
    const next = x - miss / density;
    // Newton, unless it leaves what is known to hold the quantile.
    const moved = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(moved - x) < QUANTILE_EPSILON) return moved;
    x = moved;
  }
  return x;
}

function guess(z: number, a: number, b: number): number {
  if (a <= 1 || b <= 1) return a / (a + b);
  const [h1, h2] = [1 / (2 * a - 1), 1 / (2 * b - 1)];
  const lambda = (z * z - 3) / 6;
  const h = 2 / (h1 + h2);
  // A&S count from the upper end.
  const w = (-z * Math.sqrt(h + lambda)) / h - (h2 - h1) * (lambda + 5 / 6 - 2 / (3 * h));
  return Math.min(Math.max(a / (a + b * Math.exp(2 * w)), QUANTILE_EPSILON), 1 - QUANTILE_EPSILON);
}
