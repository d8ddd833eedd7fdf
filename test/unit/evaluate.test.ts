/** The evaluation's own arithmetic, and that it sees what it should. */
import { describe, expect, it } from "vitest";
import { attacks } from "../../scripts/lib/evaluate/parts/attacks.ts";
import { curves } from "../../scripts/lib/evaluate/plot.ts";
import { covers, type Label } from "../../scripts/lib/evaluate/scenarios.ts";
import { markdown, plainText, type Section } from "../../scripts/lib/evaluate/section.ts";
import { poissonInterval, quantile, shareOf } from "../../scripts/lib/evaluate/stats.ts";

describe("intervals", () => {
  it.each([
    [0, 10, 0, 0.2775],
    [10, 10, 0.7225, 1],
    [50, 100, 0.4038, 0.5962],
  ])("EVAL-3: Wilson's interval of %i of %i", (k, n, low, high) => {
    const share = shareOf(k, n);
    expect(share.low).toBeCloseTo(low, 3);
    expect(share.high).toBeCloseTo(high, 3);
  });

  it.each([
    [0, 0, 3.6889],
    [1, 0.0253, 5.5716],
    [10, 4.7954, 18.3904],
  ])("EVAL-3: Garwood's interval of %i events", (count, low, high) => {
    const interval = poissonInterval(count);
    expect(interval.low).toBeCloseTo(low, 3);
    expect(interval.high).toBeCloseTo(high, 3);
  });

  it("EVAL-3: of nothing everything is possible, and there is no quantile", () => {
    expect(shareOf(0, 0)).toEqual({ k: 0, n: 0, low: 0, high: 1 });
    expect(quantile([], 0.5)).toBeUndefined();
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
  });
});

describe("what belongs to an attack", () => {
  const label: Label = { scenario: "flood", ja4: "t13d1516h2_a_b", startMs: 1_000, endMs: 2_000 };

  it("EVAL-4: a raise of its fingerprint from the start to a while after the end", () => {
    expect(covers(label, "t13d1516h2_a_b", 1_000)).toBe(true);
    expect(covers(label, "t13d1516h2_a_b", 999)).toBe(false);
    expect(covers(label, "t13d1516h2_a_b", 2_000 + 120_000)).toBe(true);
    expect(covers(label, "t13d1516h2_a_b", 2_000 + 120_001)).toBe(false);
    expect(covers(label, "t13d1516h2_a_c", 1_500)).toBe(false);
    expect(covers({ ...label, ja4: "t13d*" }, "t13d1516h2_a_c", 1_500)).toBe(true);
  });
});

describe("a short evaluation", () => {
  const context = {
    seeds: { quiet: [], attacks: [111, 112], controls: [], power: [], calibration: [] },
    quick: true,
    long: false,
    log: () => undefined,
  };
  const [section] = attacks.run(context) as [Section];
  const recall = new Map(
    section.tables[0]!.rows.map(([attack, kind, value]) => [`${attack} ${kind}`, value]),
  );

  it("EVAL-5: finds loud attacks, and says of none that did not happen that it was found", () => {
    expect(recall.get("stuffing_loud error_burst")).toMatch(/^100\.0 %/);
    expect([...recall.values()].filter((value) => value === "–").length).toBeGreaterThan(0);
  });

  it("EVAL-5: the same seeds give the same report, others another one", () => {
    expect(plainText(attacks.run(context)[0]!)).toBe(plainText(section));
    const other = { ...context, seeds: { ...context.seeds, attacks: [113, 114] } };
    expect(plainText(attacks.run(other)[0]!)).not.toBe(plainText(section));
  });

  it("EVAL-6: is printed as tables and written as Markdown; plots are SVG with their text escaped", () => {
    expect(markdown(section)).toContain("| attack | expected kind |");
    const svg = curves({
      title: "p < α & co",
      x: { label: "α", values: [1e-2, 1e-4], isLog: true },
      series: [{ name: "a<b", y: [1e-2, 0] }],
      isLogY: true,
      format: (value) => `${value}`,
    });
    expect(svg).toContain("p &lt; α &amp; co");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});
