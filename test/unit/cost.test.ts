/** What a bill comes to, by hand. The counting itself is checked at every run of `npm run cost`: nothing sent may be missing. */
import { describe, expect, it } from "vitest";
import type { Bill } from "../../bench/processes/bill.ts";
import {
  dollars,
  FREE_A_DAY,
  naive,
  passed,
  quantities,
  scaled,
  totalOf,
} from "../../scripts/lib/cost/prices.ts";

const BILL: Bill = {
  ...{ observations: 1_000, made: 1_000, accepted: 1_000, rows: 7, rowsRead: 3, alarms: 2 },
  ...{ edgeCalls: 10, objectCalls: 4, bytes: 50_000, awakeSeconds: 100, billed_per_million: 9_000 },
};

describe("cost", () => {
  it("COST-1: an alarm is a row and a request; an object has 128 MB while it is awake", () => {
    expect(quantities(BILL)).toEqual({ requests: 16, gigabyteSeconds: 12.8, rowsWritten: 9, rowsRead: 3 });
  });

  it("COST-1: list prices, a million of each", () => {
    const million = { requests: 1e6, gigabyteSeconds: 1e6, rowsWritten: 1e6, rowsRead: 1e6 };
    const price = dollars(million);
    expect(price.requests).toBeCloseTo(0.15);
    expect(price.gigabyteSeconds).toBeCloseTo(12.5);
    expect(price.rowsWritten).toBeCloseTo(1);
    expect(price.rowsRead).toBeCloseTo(0.001);
    expect(totalOf(dollars(scaled(quantities(BILL), 1_000)))).toBeCloseTo(
      0.0024 + 0.16 + 0.009 + 0.000003,
      6,
    );
    // A call and two rows a request, one object awake for 1,000 s.
    expect(totalOf(dollars(naive(1_000, 1)))).toBeCloseTo(0.15 + 2 + 0.0016);
  });

  it("COST-2: names each quota of the Free plan that a day passes, and none that it just keeps", () => {
    expect(passed({ ...FREE_A_DAY })).toEqual([]);
    expect(passed({ ...FREE_A_DAY, rowsWritten: 100_001 })).toEqual(["rowsWritten"]);
    expect(passed(scaled(FREE_A_DAY, 2))).toEqual(["requests", "gigabyteSeconds", "rowsWritten", "rowsRead"]);
  });
});
