/** The intervals of the report. Sources beside each. */
import { Z95 } from "../../../src/detect/tail.ts";

export interface Share {
  k: number;
  n: number;
  /** k / n; absent of nothing. */
  value?: number;
  low: number;
  high: number;
}

/** A share with its 95 % interval (Wilson 1927); of nothing, everything is possible. */
export function shareOf(k: number, n: number): Share {
  if (n === 0) return { k, n, low: 0, high: 1 };
  const z2 = Z95 * Z95;
  const middle = (k + z2 / 2) / (n + z2);
  const half = (Z95 / (n + z2)) * Math.sqrt((k * (n - k)) / n + z2 / 4);
  return { k, n, value: k / n, low: Math.max(middle - half, 0), high: Math.min(middle + half, 1) };
}

/** ln P(X ≤ count) of a Poisson variable of this mean. */
function logCumulative(count: number, mean: number): number {
  if (mean === 0) return 0;
  let term = -mean;
  let most = term;
  const terms = [term];
  for (let i = 1; i <= count; i++) {
    term += Math.log(mean / i);
    terms.push(term);
    most = Math.max(most, term);
  }
  return most + Math.log(terms.reduce((sum, one) => sum + Math.exp(one - most), 0));
}

/** Exact two-sided 95 % interval of a Poisson mean of which `count` events were seen (Garwood 1936). */
export function poissonInterval(count: number): { low: number; high: number } {
  const solve = (isTooLow: (mean: number) => boolean): number => {
    let low = 0;
    let high = count + 10 * Math.sqrt(count + 1) + 10;
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (isTooLow(middle)) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  const high = solve((mean) => logCumulative(count, mean) > Math.log(0.025));
  const low = count === 0 ? 0 : solve((mean) => logCumulative(count - 1, mean) > Math.log(0.975));
  return { low, high };
}

/** The q-quantile by the nearest rank; absent of nothing. */
export function quantile(values: readonly number[], q: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.max(Math.ceil(q * sorted.length) - 1, 0), sorted.length - 1)];
}
