/** `combined`: beta quantiles against exact sums, intervals against a site of known ratios, the odd cases. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { betaCdf, betaQuantile } from "../../src/detect/beta.ts";
import { posterior } from "../../src/detect/combine.ts";
import { Z95 } from "../../src/detect/tail.ts";
import { Draw } from "../../src/simulate/random.ts";

/** P(X ≤ x) of a Beta of whole a and b: a binomial sum, DLMF 8.17.5. */
function exactCdf(x: number, a: number, b: number): number {
  const n = a + b - 1;
  let logChoose = 0;
  let sum = 0;
  for (let j = 0; j <= n; j++) {
    if (j > 0) logChoose += Math.log((n - j + 1) / j);
    if (j >= a) sum += Math.exp(logChoose + j * Math.log(x) + (n - j) * Math.log1p(-x));
  }
  return sum;
}

describe("beta distribution", () => {
  it("CMB-1: its distribution function is the binomial sum for whole parameters", () => {
    const whole = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(whole, whole, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (a, b, x) => {
        expect(betaCdf(x, a, b)).toBeCloseTo(exactCdf(x, a, b), 9);
      }),
      { seed: 31, numRuns: 500 },
    );
    // Fractions, by closed forms: the arcsine law, and a power.
    expect(betaCdf(0.3, 0.5, 0.5)).toBeCloseTo((2 / Math.PI) * Math.asin(Math.sqrt(0.3)), 9);
    expect(betaCdf(0.3, 0.25, 1)).toBeCloseTo(0.3 ** 0.25, 9);
    expect([betaCdf(-1, 2, 3), betaCdf(0, 2, 3), betaCdf(1, 2, 3), betaCdf(2, 2, 3)]).toEqual([0, 0, 1, 1]);
  });

  it("CMB-1: its 95 % points are where the distribution function says, from hundredths to millions", () => {
    const size = fc.double({ min: -1.3, max: 7, noNaN: true }).map((log) => 10 ** log);
    fc.assert(
      fc.property(size, size, fc.boolean(), (a, b, upper) => {
        const [z, p] = upper ? [Z95, 0.975] : [-Z95, 0.025];
        const x = betaQuantile(z, p, a, b);
        const [below, above] = [betaCdf(x - 2e-6, a, b), betaCdf(x + 2e-6, a, b)];
        expect(x).toBeGreaterThanOrEqual(0);
        expect(x).toBeLessThanOrEqual(1);
        expect(below).toBeLessThanOrEqual(p);
        expect(above).toBeGreaterThanOrEqual(p);
      }),
      { seed: 32, numRuns: 2_000 },
    );
  });
});

/** A draw from Beta(a, b), as the quantile of an even draw by bisection of its distribution function. */
function betaDraw(draw: Draw, a: number, b: number): number {
  const p = draw.uniform();
  let [low, high] = [0, 1];
  for (let i = 0; i < 40; i++) {
    const x = (low + high) / 2;
    if (betaCdf(x, a, b) < p) low = x;
    else high = x;
  }
  return (low + high) / 2;
}

describe("combined", () => {
  it("CMB-2: of ratios that scatter about the prior as it says, the interval holds 95 %, and the value beats both sources", () => {
    const draw = new Draw("combine", 33);
    let held = 0;
    const squares = { both: 0, here: 0, world: 0 };
    const CASES = 4_000;
    for (let i = 0; i < CASES; i++) {
      const [prior, s, n] = [0.05 + 0.9 * draw.uniform(), 2 + 60 * draw.uniform(), 1 + draw.int(200)];
      const truth = betaDraw(draw, prior * s, (1 - prior) * s);
      let k = 0;
      for (let j = 0; j < n; j++) if (draw.uniform() < truth) k++;
      const { value, low, high } = posterior(k, n, prior, s);
      if (low <= truth && truth <= high) held++;
      squares.both += (value - truth) ** 2;
      squares.here += (k / n - truth) ** 2;
      squares.world += (prior - truth) ** 2;
    }
    // Six standard errors of a share of 95 % over 4,000.
    expect(Math.abs(held / CASES - 0.95)).toBeLessThan(0.021);
    expect(squares.both).toBeLessThan(0.9 * Math.min(squares.here, squares.world));
  });

  it("CMB-3: value within its interval within 0 to 1, whatever comes; more requests make it narrower", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        share,
        share,
        fc.double({ min: 1, max: 1e4, noNaN: true }),
        (n, yes, prior, s) => {
          const k = Math.round(n * yes);
          const { value, low, high } = posterior(k, n, prior, s);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(low).toBeLessThanOrEqual(high);
          expect(high).toBeLessThanOrEqual(1);
          // A ratio that is all but 0 lies under its own mean's quantiles: by less than what is shown.
          if (k > 0 && k < n) expect(value >= low - 1e-6 && value <= high + 1e-6).toBe(true);
        },
      ),
      { seed: 34, numRuns: 1_000 },
    );
    const widths = [0, 10, 100, 1_000].map((n) => {
      const { low, high } = posterior(n / 2, n, 0.5, 10);
      return high - low;
    });
    expect(widths).toEqual([...widths].sort((a, b) => b - a));
    expect(new Set(widths).size).toBe(4);
  });

  it("CMB-3: a ratio of 0 worldwide expects 0 and is still overruled by what is seen here", () => {
    const { value, low, high } = posterior(0, 50, 0, 400);
    expect([value < 0.001, low, high < 0.002]).toEqual([true, 0, true]);
    expect(posterior(5_000, 5_000, 0, 400).low).toBeGreaterThan(0.9);
  });
});
