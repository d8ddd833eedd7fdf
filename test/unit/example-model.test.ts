/** The example of a model of one's own: what it answers, that training is repeatable, and that the shipped one is a model. */
import { describe, expect, it } from "vitest";
import shipped from "../../examples/model-worker/model.json" with { type: "json" };
import { type FeatureRow, type Model, predict } from "../../examples/model-worker/model.ts";
import { train } from "../../examples/model-worker/train.ts";

/** Forty quiet fingerprints and five that send much and get errors. */
function rows(): FeatureRow[] {
  return Array.from({ length: 45 }, (_, i) => {
    const isBad = i % 9 === 0;
    return {
      ja4: `f${i}`,
      windows_5m_reqs: isBad ? 2_000 + i : 20 + i,
      windows_5m_error_ratio: isBad ? 0.9 : 0.02,
      ...(i % 2 === 0 ? { global_browser_ratio_1h: isBad ? 0.1 : 0.9 } : {}),
    };
  });
}
const LABELS = new Set(rows().flatMap(({ ja4 }, i) => (i % 9 === 0 ? [`${ja4}`] : [])));

describe("the model of the example", () => {
  it("MODEL-1: tells apart what it was trained on, with columns that are missing here and there", () => {
    const model = train(rows(), LABELS, "a test");
    for (const row of rows()) {
      const p = predict(model, row);
      if (LABELS.has(`${row.ja4}`)) expect(p).toBeGreaterThan(0.8);
      else expect(p).toBeLessThan(0.2);
    }
  });

  it("MODEL-2: the same rows and labels give the same model; one kind alone gives none", () => {
    expect(train(rows(), LABELS, "a test")).toEqual(train(rows(), LABELS, "a test"));
    expect(() => train(rows(), new Set(), "a test")).toThrow(RangeError);
  });

  it("MODEL-3: what is not known speaks neither way, and no row gives anything but a probability", () => {
    const model: Model = {
      ...{ trained_on: "", bias: -1 },
      features: [{ name: "windows_5m_reqs", log: true, mean: 3, scale: 1, weight: 2 }],
    };
    expect(predict(model, {})).toBeCloseTo(1 / (1 + Math.E));
    expect(predict(model, { windows_5m_reqs: Math.expm1(3) })).toBeCloseTo(predict(model, {}));
    for (const value of [-1, 0, 1e300, Number.POSITIVE_INFINITY, Number.NaN, "12"]) {
      const p = predict(model, { windows_5m_reqs: value });
      expect(p).toBeGreaterThanOrEqual(0);
      expect(p).toBeLessThanOrEqual(1);
    }
  });

  it("MODEL-4: the shipped model is one, and a flood scores above a reader", () => {
    const flood = {
      windows_5m_reqs: 5_000,
      windows_5m_ips: 800,
      windows_5m_error_ratio: 0.9,
      windows_5m_browser_ratio: 0,
    };
    const reader = {
      windows_5m_reqs: 30,
      windows_5m_ips: 4,
      windows_5m_error_ratio: 0.01,
      windows_5m_browser_ratio: 1,
    };
    expect(predict(shipped, flood)).toBeGreaterThan(predict(shipped, reader));
    expect(shipped.trained_on).toMatch(/demo/);
  });
});
