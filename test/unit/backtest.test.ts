import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readBacktestArgs } from "../../scripts/lib/backtest/args.ts";
import { seriesPlot } from "../../scripts/lib/backtest/plot.ts";
import { Backtest, fieldsOf, type Point, timeOf } from "../../scripts/lib/backtest/rows.ts";
import { Series } from "../../src/detect/series/series.ts";

const MINUTES_5 = 300_000;
const START_MS = Date.parse("2026-01-05T00:00:00Z");

/** A small generator, so that a seed gives the same series everywhere (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Counts about a mean, with the scatter of a sum of uniforms. */
function counts(seed: number, bins: number, mean = 100): number[] {
  const next = random(seed);
  return Array.from({ length: bins }, () => {
    const sum = Array.from({ length: 12 }, next).reduce((a, b) => a + b, 0) - 6;
    return Math.max(Math.round(mean + sum * Math.sqrt(mean) * 1.5), 0);
  });
}

function judge(values: readonly number[], budget = 1) {
  const series = new Series(budget);
  return values.map((value, i) => series.next(START_MS + i * MINUTES_5, value));
}

const alertsOf = (told: ReturnType<typeof judge>) => told.flatMap(({ alert }, i) => (alert ? [i] : []));

describe("a series", () => {
  it("BT-1: a rise and a drop are found when they come, and expected is what came before", () => {
    const values = counts(1, 1_000);
    values[600] = 400;
    for (let at = 800; at < 806; at++) values[at] = 5;
    const told = judge(values);
    expect(told[600]?.alert).toBe(true);
    expect(told[800]?.alert).toBe(true);
    expect(told[600]?.expected).toBeGreaterThan(80);
    expect(told[600]?.expected).toBeLessThan(120);
    expect(told[600]!.score).toBeGreaterThan(Math.max(...told.slice(300, 600).map(({ score }) => score)));
  });

  it("BT-2: quiet series alert about as often as the budget says (seeds 1 to 20)", () => {
    let alerts = 0;
    const bins = 288 * 14;
    for (let seed = 1; seed <= 20; seed++) alerts += alertsOf(judge(counts(seed, bins))).length;
    // 20 fortnights at one a day: at most twice the budget.
    expect(alerts).toBeLessThanOrEqual(2 * 280);
    let few = 0;
    for (let seed = 1; seed <= 20; seed++) few += alertsOf(judge(counts(seed, bins), 1 / 7)).length;
    expect(few).toBeLessThan(alerts);
    expect(few).toBeLessThanOrEqual(2 * 40);
  });

  it("BT-3: no look ahead: what comes later changes nothing that was said", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 2, maxLength: 80 }),
        fc.nat(),
        (values, cut) => {
          const at = 1 + (cut % (values.length - 1));
          expect(judge(values).slice(0, at)).toEqual(judge(values.slice(0, at)));
        },
      ),
      { seed: 20261124, numRuns: 100 },
    );
  });

  it("BT-4: whatever the values, every number is finite and in its range", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), { maxLength: 60 }),
        (values) => {
          for (const { expected = 0, low = 0, high = 0, p, score } of judge(values)) {
            for (const number of [expected, low, high, p, score]) expect(Number.isFinite(number)).toBe(true);
            expect(p).toBeGreaterThan(0);
            expect(p).toBeLessThanOrEqual(1);
            expect(score).toBeGreaterThanOrEqual(0);
            expect(score).toBeLessThanOrEqual(30);
          }
        },
      ),
      { seed: 20261125, numRuns: 200 },
    );
  });

  it("BT-5: decimals and values below zero are judged like counts of the same shape", () => {
    const values = counts(3, 1_000);
    values[700] = 600;
    expect(judge(values.map((value) => value * 0.013))[700]?.alert).toBe(true);
    expect(judge(values.map((value) => value - 200))[700]?.alert).toBe(true);
  });

  it("BT-6: what repeats within hours is no news: the second burst scores lower", () => {
    const values = counts(4, 1_200);
    values[600] = 400;
    values[640] = 400;
    const told = judge(values);
    expect(told[640]!.score).toBeLessThan(told[600]!.score / 2);
  });
});

describe("rows", () => {
  const lines = (text: string, budget = 1) => {
    const backtest = new Backtest(budget);
    return text.split("\n").map((line) => backtest.line(line));
  };

  it("BT-7: a row for each row, in its own words; headers by name or the first two columns", () => {
    const told = lines("host,value,timestamp\na,5,2026-01-01 00:00\na,6,2026-01-01 00:05\n");
    expect(told.map(({ row }) => row)).toEqual([
      undefined,
      "2026-01-01 00:00,5,,1,0,0",
      "2026-01-01 00:05,6,,1,0,0",
      undefined,
    ]);
    expect(lines("1767225600,5,x\n1767225900,6")[0]?.row).toBe("1767225600,5,,1,0,0");
    expect(lines('"2026-01-01T00:00:00Z","5"')[0]?.row).toBe("2026-01-01T00:00:00Z,5,,1,0,0");
  });

  it("BT-8: a bad line is told and costs only itself; an empty value is unknown, not zero", () => {
    const values = counts(5, 200);
    const text = (bad: string[]) =>
      [...values.map((value, i) => `${START_MS / 1_000 + i * 300},${value}`), ...bad].join("\n");
    const clean = lines(text([]));
    const told = lines(text(["never,3", `${START_MS + 1e9},`, `${START_MS + 1e9},many`]));
    expect(told.slice(0, 200)).toEqual(clean);
    expect(told.slice(200).map(({ row }) => row)).toEqual([
      "never,3,,,,0",
      `${START_MS + 1e9},,,,,0`,
      `${START_MS + 1e9},many,,,,0`,
    ]);
    expect(told.slice(200).map(({ error }) => error)).toEqual([
      'not a time: "never"',
      undefined,
      'not a number: "many"',
    ]);
  });

  it("BT-9: times are ISO, with or without a zone, or seconds or milliseconds since the epoch", () => {
    const ms = Date.parse("2026-01-01T00:05:00Z");
    for (const text of [
      "2026-01-01T00:05:00Z",
      "2026-01-01 00:05:00",
      "2026-01-01 00:05",
      "2026-01-01T01:05:00+01:00",
      "2026-01-01 00:05:00 UTC",
      `${ms}`,
      `${ms / 1_000}`,
    ])
      expect(timeOf(text), text).toBe(ms);
    expect(timeOf("2026-01-01")).toBe(Date.parse("2026-01-01T00:00:00Z"));
    for (const text of ["", "x", "2026", "01/02/2026", "2026-13-01"]) {
      const found = timeOf(text);
      // A bare year is a number of seconds.
      expect(found === undefined || text === "2026", text).toBe(true);
    }
    expect(fieldsOf('"a,""b""",2')).toEqual(['a,"b"', "2"]);
  });

  it("BT-10: budgets by hour, day and week; what is none is refused with its text", () => {
    expect(readBacktestArgs(["s.csv"])).toEqual({ file: "s.csv", budgetPerDay: 1, plot: undefined });
    expect(readBacktestArgs(["s.csv", "--budget", "7/w"])).toMatchObject({ budgetPerDay: 1 });
    expect(readBacktestArgs(["-", "--budget", "2/h"])).toMatchObject({ file: "-", budgetPerDay: 48 });
    for (const budget of ["1", "0/d", "x/d", "1/y"])
      expect(() => readBacktestArgs(["s.csv", "--budget", budget])).toThrow(budget);
    expect(() => readBacktestArgs([])).toThrow("SERIES.csv");
  });

  it("BT-11: the picture has the series, a circle for each alert, and no text of the file as markup", () => {
    const values = counts(6, 300);
    values[200] = 500;
    const points: Point[] = lines(
      values.map((value, i) => `${START_MS / 1_000 + i * 300},${value}`).join("\n"),
    ).flatMap(({ point }) => point ?? []);
    const svg = seriesPlot("<b>.csv", points);
    const alerts = points.filter(({ alert }) => alert).length;
    expect(alerts).toBeGreaterThan(0);
    expect(svg.match(/<circle /g)).toHaveLength(alerts);
    expect(svg).not.toContain("<b>");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});
