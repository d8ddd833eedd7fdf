/** Tails against reference values (Python's math.erfc, math.lgamma and a plain sum over them) and exact sums. */
import { describe, expect, it } from "vitest";
import {
  betaBinomialScore,
  betaBinomialZ,
  logGamma,
  logUpperTail,
  negativeBinomialInterval,
  negativeBinomialZ,
  pOfScore,
  scoreOfZ,
  scoreOfZTwoSided,
} from "../../src/detect/tail.ts";

describe("normal tail", () => {
  const reference = [
    [0, 0.5],
    [1, 0.15865525393145707],
    [3, 1.3498980316300957e-3],
    [5.612001244174789, 1e-8],
    [8, 6.220960574271819e-16],
    [10, 7.61985302416047e-24],
  ] as const;
  for (const [z, p] of reference) {
    it(`DET-18: P(Z > ${z}) = ${p}`, () => {
      expect(Math.abs(Math.exp(logUpperTail(z)) / p - 1)).toBeLessThan(1e-6);
      expect(scoreOfZ(z)).toBeCloseTo(-Math.log10(p), 5);
    });
  }
  it("DET-18: stays finite and stops at 30 far out", () => {
    expect(logUpperTail(40)).toBeCloseTo(-804.608442, 3);
    for (const z of [12, 40, 1e3, 1e160, Number.POSITIVE_INFINITY]) expect(scoreOfZ(z)).toBe(30);
    for (const z of [-1, -40, -1e9]) expect(scoreOfZ(z)).toBeLessThan(0.1);
    expect(scoreOfZ(-1)).toBeCloseTo(-Math.log10(0.8413447460685429), 6);
    expect(scoreOfZ(Number.NaN)).toBe(0);
    expect(scoreOfZTwoSided(-1.959963984540054)).toBeCloseTo(-Math.log10(0.05), 6);
    expect([pOfScore(0), pOfScore(30), pOfScore(400), pOfScore(-3)]).toEqual([1, 1e-30, 1e-30, 1]);
  });
});

describe("negative binomial", () => {
  /** P(X ≥ x) by summing. */
  function upper(x: number, mu: number, r: number): number {
    let mass = Math.exp(-r * Math.log1p(mu / r));
    let below = 0;
    for (let i = 0; i < x; i++) {
      below += mass;
      mass *= (mu / (mu + r)) * ((i + r) / (i + 1));
    }
    return 1 - below;
  }
  it("DET-19: its signed root has the tail of the exact sum within a factor of 2.5, and the sign of the rise", () => {
    for (const [mu, r] of [
      [10, 5],
      [100, 10],
      [3, 2],
      [300, 100],
    ] as const) {
      const sd = Math.sqrt(mu + (mu * mu) / r);
      for (const sigmas of [2, 3, 4]) {
        const x = Math.ceil(mu + sigmas * sd);
        const ratio = 10 ** -scoreOfZ(negativeBinomialZ(x, mu, r)) / upper(x, mu, r);
        expect(ratio).toBeGreaterThan(0.4);
        expect(ratio).toBeLessThan(2.5);
      }
    }
    expect(negativeBinomialZ(5, 10, 3)).toBeLessThan(0);
    expect(negativeBinomialZ(10, 10, 3)).toBe(0);
    expect(negativeBinomialZ(0, 10, 3)).toBeLessThan(0);
    expect(negativeBinomialZ(5, 0, 3)).toBe(0);
  });

  it("DET-20: its interval is the exact 95 % one up to a mean of 500", () => {
    for (const [mu, r] of [
      [0.02, 0.5],
      [1, 1],
      [12, 8],
      [110, 40],
      [499, 5],
    ] as const) {
      const { low, high } = negativeBinomialInterval(mu, r);
      expect(1 - upper(low, mu, r)).toBeLessThanOrEqual(0.025 + 1e-9);
      expect(1 - upper(low + 1, mu, r)).toBeGreaterThanOrEqual(0.025 - 1e-9);
      expect(1 - upper(high + 1, mu, r)).toBeGreaterThanOrEqual(0.975 - 1e-9);
      if (high > 0) expect(1 - upper(high, mu, r)).toBeLessThan(0.975);
    }
  });

  it("DET-20: and its interval covers 95 % within one point above that", () => {
    for (const [mu, r] of [
      [501, 2],
      [501, 20],
      [2000, 8],
      [5000, 100],
    ] as const) {
      const { low, high } = negativeBinomialInterval(mu, r);
      // Sum in steps that do not underflow: start at the mode's neighbourhood through log-gamma.
      let inside = 0;
      for (let x = low; x <= high; x++) {
        const log =
          logGamma(x + r) -
          logGamma(r) -
          logGamma(x + 1) +
          r * Math.log(r / (mu + r)) +
          x * Math.log(mu / (mu + r));
        inside += Math.exp(log);
      }
      expect(inside).toBeGreaterThan(0.94);
      expect(inside).toBeLessThan(0.965);
    }
  });
});

describe("beta-binomial", () => {
  it("DET-21: log-gamma is right", () => {
    expect(logGamma(1)).toBeCloseTo(0, 12);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
    expect(logGamma(11)).toBeCloseTo(Math.log(3628800), 10);
    expect(logGamma(0.02)).toBeCloseTo(3.900804516098376, 8);
  });

  it("DET-21: the sum is the uniform distribution at rate ½ and s = 2, and the binomial for a huge s", () => {
    for (const k of [1, 3, 10]) expect(10 ** -betaBinomialScore(k, 10, 0.5, 2)).toBeCloseTo((11 - k) / 11, 9);
    // P(Binomial(10, 0.1) ≥ 5) = 0.0016349374
    expect(10 ** -betaBinomialScore(5, 10, 0.1, 1e7)).toBeCloseTo(0.0016349374, 7);
  });

  it("DET-21: agrees with a plain sum", () => {
    expect(10 ** -betaBinomialScore(10, 50, 0.02, 20)).toBeCloseTo(0.005992383727876277, 9);
    expect(10 ** -betaBinomialScore(30, 60, 0.1, 24)).toBeCloseTo(0.00011065797664129352, 11);
    expect(betaBinomialScore(50, 50, 0.02, 20)).toBeCloseTo(-Math.log10(9.299181631539531e-19), 6);
  });

  it("DET-21: is careful where the normal approximation is far too sure", () => {
    expect(scoreOfZ(betaBinomialZ(10, 50, 0.02, 20))).toBeGreaterThan(6);
    expect(betaBinomialScore(10, 50, 0.02, 20)).toBeLessThan(2.3);
    expect(betaBinomialScore(50, 50, 0.02, 20)).toBeGreaterThan(8);
  });

  it("DET-21: z has the stated variance and everything is finite at the edges", () => {
    expect(betaBinomialZ(120, 200, 0.5, 99)).toBeCloseTo(20 / Math.sqrt(50 * (299 / 100)), 12);
    expect(betaBinomialZ(1, 2, 0, 9)).toBe(0);
    for (const [k, n, pi, s] of [
      [0, 10, 0.1, 5],
      [10, 10, 1e-9, 5],
      [4e9, 4e9, 0.005, 49],
      [11, 10, 0.1, 5],
      [5, 10, 0, 5],
    ] as const) {
      const score = betaBinomialScore(k, n, pi, s);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(30);
    }
  });

  it("DET-21: more trials than it sums only weaken the evidence", () => {
    const few = betaBinomialScore(200, 2_000, 0.05, 40);
    const many = betaBinomialScore(20_000, 200_000, 0.05, 40);
    expect(many).toBeLessThanOrEqual(few + 1e-9);
    expect(many).toBeGreaterThan(few - 0.2);
  });
});
