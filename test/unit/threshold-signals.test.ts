/** What thresholds compare beyond windows, for the whole site, what contradicts itself, and dry runs. */
import { describe, expect, it } from "vitest";
import { validate } from "../../src/api/validate.ts";
import { Problem } from "../../src/base/problem.ts";
import { MINUTE_MS } from "../../src/config.ts";
import { summary } from "../../src/schemas/summary.ts";
import { compileThreshold, thresholdInput } from "../../src/schemas/threshold.ts";
import { dryRun, mergeDryRuns, siteDryRun, siteMinutes } from "../../src/thresholds/dry-run.ts";
import {
  evaluateSiteThresholds,
  evaluateThresholds,
  type ThresholdStates,
} from "../../src/thresholds/evaluate.ts";
import { type Knowledge, NOTHING_KNOWN, Readings } from "../../src/thresholds/readings.ts";
import type { Threshold } from "../../src/thresholds/rule.ts";
import { FORM_SIGNALS, SITE_COUNTERS, THRESHOLD_SIGNALS } from "../../src/thresholds/signals.ts";
import { type ShardTotals, siteNumbers } from "../../src/thresholds/site.ts";
import { Window } from "../../src/window/window.ts";
import { factBits } from "../../src/wire/flags.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOW = 1_763_899_200_000;
const TIMES = { created_at: "2026-11-23T12:00:00.000Z", updated_at: "2026-11-23T12:00:00.000Z" };
const BASE = { on_missing: "skip" };

function rule(body: Record<string, unknown>): Threshold {
  return compileThreshold({ ...validate(thresholdInput, { ...BASE, ...body }), id: "t", ...TIMES });
}

function faults(body: unknown): string[] {
  try {
    validate(thresholdInput, body);
  } catch (error) {
    if (error instanceof Problem) return (error.more.errors ?? []).map(({ pointer }) => pointer);
    throw error;
  }
  return [];
}

/** `count` requests of a fingerprint in a minute that ended so many minutes before now. */
function visits(fp: number, minutesAgo: number, count: number, over: Partial<Observed> = {}): Observed[] {
  return Array.from({ length: count }, (_, i) => ({
    at: NOW - minutesAgo * MINUTE_MS - MINUTE_MS / 2 - i,
    ja4: ja4Of(fp),
    facts: factBits("error", false),
    ...over,
  }));
}

function windowOf(...rows: Observed[]): Window {
  const window = new Window(1);
  rows.sort((a, b) => a.at - b.at);
  for (let i = 0; i < rows.length; i += 1_000) window.apply(frameOf(rows.slice(i, i + 1_000)), NOW);
  return window;
}

const knowledge: Knowledge = {
  ranksOf: (ja4) => (ja4 === ja4Of(1) ? { reqs_rank_1h: 1, reqs_quantile_1h: 0.5, population: 2 } : {}),
  scored: () => [
    { ja4: ja4Of(1), kind: "surge", score: 7 },
    { ja4: ja4Of(1), kind: "newcomer", score: 9 },
  ],
};

describe("numbers of the full form", () => {
  it("RULE-10: each name reads the number of that name; what is not known is absent", () => {
    const window = windowOf(
      ...visits(1, 0, 8, { ip: 5 }),
      ...visits(2, 0, 3, { facts: factBits("error", true) }),
    );
    const readings = new Readings(window, knowledge);
    const seen = (fp: number, signal: string) => {
      readings.moveTo(window.fingerprints.id(ja4Of(fp))!);
      return readings.value(readings.column({ signal }));
    };
    const told = (fp: number) =>
      Object.fromEntries(
        FORM_SIGNALS.map((signal) => [signal, seen(fp, signal)]).filter(([, value]) => value !== undefined),
      );
    expect(told(1)).toEqual({
      "local.error_ratio_1h": 0,
      "local.reqs_rank_1h": 1,
      "local.reqs_quantile_1h": 0.5,
      "local.population": 2,
      score: 9,
      "score.surge": 7,
      "score.newcomer": 9,
    });
    expect(told(2)).toEqual({ "local.error_ratio_1h": 1 });
  });

  it("RULE-10: global signals are the newest ones, and a divergence is its score", () => {
    const window = windowOf(...visits(1, 0, 60, { facts: factBits("h2h3", false), signal: 0.9 }));
    const readings = new Readings(window, NOTHING_KNOWN);
    readings.moveTo(window.fingerprints.id(ja4Of(1))!);
    const seen = (signal: string) => readings.value(readings.column({ signal }));
    expect(seen("global.h2h3_ratio_1h")).toBe(0.9);
    expect(seen("divergence.h2h3_ratio_1h")).toBeGreaterThan(0);
    for (const name of ["global.population", "divergence.cache_ratio_1h", "combined.cache_ratio_1h"])
      expect(seen(name)).toBeUndefined();
  });

  it("CMB-4: a combined ratio is its value, between what is seen here and worldwide; absent where the world is silent", () => {
    const window = windowOf(
      ...visits(1, 0, 60, { facts: factBits("h2h3", false), signal: 0.9 }),
      ...visits(2, 0, 60, { facts: factBits("h2h3", false) }),
    );
    const readings = new Readings(window, NOTHING_KNOWN);
    const seen = (fp: number) => {
      readings.moveTo(window.fingerprints.id(ja4Of(fp))!);
      return readings.value(readings.column({ signal: "combined.h2h3_ratio_1h" }));
    };
    expect(seen(1)).toBeGreaterThan(0);
    expect(seen(1)).toBeLessThan(0.9);
    expect(seen(2)).toBeUndefined();
  });

  it("RULE-11: every name is accepted with or without a window as it needs, and refused the other way round", () => {
    for (const signal of THRESHOLD_SIGNALS) {
      const scope = FORM_SIGNALS.includes(signal) ? undefined : "site";
      const bare = { signal, op: ">=", value: 1 };
      const timed = { ...bare, window: "5m" };
      const needs = !signal.includes(".") && !signal.startsWith("score");
      // Some window names are a fingerprint's only.
      const of =
        ["ips", "uas", "paths", "asns", "hosts"].includes(signal) || signal.endsWith("_ratio")
          ? undefined
          : scope;
      expect([signal, faults({ ...BASE, scope: of, when: needs ? timed : bare })]).toEqual([signal, []]);
      expect([signal, faults({ ...BASE, scope: of, when: needs ? bare : timed })]).toEqual([
        signal,
        ["/when/window"],
      ]);
    }
    expect(faults({ ...BASE, when: { all: [{ signal: "moon", op: ">", value: 1 }] } })).toEqual([
      "/when/all/0/signal",
    ]);
  });

  it("RULE-12: a rule on scores is raised by the anomaly's score", () => {
    const window = windowOf(...visits(1, 0, 8), ...visits(2, 0, 8));
    const states: ThresholdStates = new Map();
    const threshold = rule({ when: { signal: "score.newcomer", op: ">", value: 8 } });
    const { changes } = evaluateThresholds([threshold], window, states, NOW, () => "id", knowledge);
    expect(changes.map(({ ja4, observed }) => [ja4, observed])).toEqual([[ja4Of(1), 9]]);
  });
});

const totals = (reqs: number, shed: number): ShardTotals => {
  const of = { reqs, fingerprints: 2, without_ja4: 1, without_signals: 0 };
  return { windows: { "1m": of, "5m": of, "1h": of }, sinceStart: { shed } };
};

describe("the whole site", () => {
  const busy = rule({
    scope: "site",
    when: { signal: "reqs", window: "1m", op: ">", value: 10 },
    clear: { for: "0s" },
  });

  it("RULE-13: compares what the shards count together, once, and tells of the site", () => {
    const states: ThresholdStates = new Map();
    const tick = (...shards: ShardTotals[]) =>
      evaluateSiteThresholds([busy], siteNumbers(shards), states, NOW, () => "id").changes.map(
        ({ type, ja4, observed, reason }) => [type, ja4, observed, reason],
      );
    expect(tick(totals(6, 0), totals(4, 0))).toEqual([]);
    expect(tick(totals(6, 0), totals(5, 0))).toEqual([["raised", "site", 11, undefined]]);
    // A shard's own tick leaves it alone.
    expect(
      evaluateThresholds([busy], windowOf(...visits(1, 0, 20)), states, NOW, () => "id").changes,
    ).toEqual([]);
    expect(tick(totals(6, 0), totals(4, 0))).toEqual([["cleared", "site", 10, "recovered"]]);
  });

  it("RULE-13: deleting it clears it", () => {
    const states: ThresholdStates = new Map();
    evaluateSiteThresholds([busy], siteNumbers([totals(20, 0)]), states, NOW, () => "id");
    const { changes } = evaluateThresholds([], new Window(1), states, NOW, () => "id");
    expect(changes).toMatchObject([{ type: "cleared", ja4: "site", reason: "deleted" }]);
  });

  it("RULE-14: its numbers are the summary's", () => {
    expect(SITE_COUNTERS.map((name) => name.slice("since_start.".length)).sort()).toEqual(
      Object.keys(summary.shape.since_start.shape).sort(),
    );
    const numbers = siteNumbers([totals(6, 3), totals(4, 4)]);
    expect(numbers({ signal: "since_start.shed" })).toBe(7);
    expect(numbers({ signal: "fingerprints", window: "5m" })).toBe(4);
    expect(numbers({ signal: "since_start.rejected" })).toBeUndefined();
  });
});

describe("contradictions", () => {
  const one = (signal: string, op: string, value: number, window?: string) => ({ signal, op, value, window });
  it.each<[Record<string, unknown>, string[]]>([
    [{ when: one("error_ratio", ">", 1.5, "1m") }, ["/when/value"]],
    [{ when: one("error_ratio", ">", 1, "1m") }, ["/when/value"]],
    [{ when: one("error_ratio", ">=", 1, "1m") }, []],
    [{ when: one("reqs", "<", 0, "1m") }, ["/when/value"]],
    [{ when: one("reqs", "<=", 0, "1m") }, []],
    [{ when: one("local.reqs_rank_1h", "<", 1) }, ["/when/value"]],
    [{ when: one("score", ">", 30) }, ["/when/value"]],
    [{ when: { all: [one("reqs", ">", 10, "1m"), one("reqs", "<", 5, "1m")] } }, ["/when/all/1/value"]],
    [{ when: { all: [one("reqs", ">=", 5, "1m"), one("reqs", "<=", 5, "1m")] } }, []],
    [{ when: { all: [one("reqs", ">", 5, "1m"), one("reqs", "<=", 5, "1m")] } }, ["/when/all/1/value"]],
    [{ when: { all: [one("reqs", ">", 10, "1m"), one("reqs", "<", 5, "5m")] } }, []],
    [{ when: { any: [one("reqs", ">", 10, "1m"), one("reqs", "<", 5, "1m")] } }, []],
    [{ when: one("reqs", "<", 5, "1m"), min_reqs: 5 }, ["/min_reqs"]],
    [{ when: one("reqs", "<=", 5, "1m"), min_reqs: 5 }, []],
    [{ when: one("reqs", ">", 5, "1m"), clear: { value: 6 } }, ["/clear/value"]],
    [{ scope: "site", ja4: "t13d*", when: one("reqs", ">", 5, "1m") }, ["/ja4"]],
    [{ scope: "site", when: one("ips", ">", 5, "1m") }, ["/when/signal"]],
    [
      { when: { all: [one("reqs", ">", 5, "1m"), one("without_ja4", ">", 5, "1m")] } },
      ["/when/all/1/signal"],
    ],
    [{ scope: "planet", when: one("reqs", ">", 5, "1m") }, ["/scope"]],
  ])("RULE-15: %j: %j", (body, pointers) => {
    expect(faults({ ...BASE, ...body })).toEqual(pointers);
  });
});

describe("dry runs", () => {
  const over = (value: number, more: Record<string, unknown> = {}) =>
    rule({
      when: { signal: "reqs", window: "1m", op: ">", value },
      clear: { for: "0s" },
      cooldown: "0s",
      ...more,
    });

  it("RULE-16: tells what it would raise now, strongest first, and what is missing", () => {
    const window = windowOf(...visits(1, 0, 8), ...visits(2, 0, 12), ...visits(3, 40, 1));
    expect(dryRun(over(5), window, NOTHING_KNOWN)).toMatchObject({
      ...{ asOfMs: NOW, evaluated: 3, missing: 0, more: 0 },
      fired: [
        { ja4: ja4Of(2), observed: 12 },
        { ja4: ja4Of(1), observed: 8 },
      ],
    });
    const cache = { signal: "cache_ratio", window: "1m", op: ">", value: 0.5 };
    const blind = dryRun(rule({ when: cache, on_missing: "fire", ja4: ja4Of(1) }), window, NOTHING_KNOWN);
    expect(blind).toMatchObject({ evaluated: 1, missing: 1, fired: [{ ja4: ja4Of(1) }] });
    expect("observed" in blind.fired[0]!).toBe(false);
  });

  it("RULE-17: plays the hour's minutes: 1m and 5m, counts and ratios, `for`, cooldown", () => {
    const window = windowOf(
      ...visits(1, 50, 20),
      ...visits(1, 30, 20),
      ...visits(1, 29, 20),
      ...visits(2, 20, 9),
    );
    const played = (threshold: Threshold) => {
      const { episodes, fingerprints } = dryRun(threshold, window, NOTHING_KNOWN);
      return [episodes, fingerprints];
    };
    expect(played(over(10))).toEqual([2, 1]);
    expect(played(over(5))).toEqual([3, 2]);
    expect(played(over(100))).toEqual([0, 0]);
    expect(played(over(10, { for: "1m" }))).toEqual([1, 1]);
    expect(played(over(10, { cooldown: "1h" }))).toEqual([1, 1]);
    expect(played(over(30, { when: { signal: "reqs", window: "5m", op: ">", value: 30 } }))).toEqual([1, 1]);
    expect(played(over(0, { when: { signal: "error_ratio", window: "1m", op: ">=", value: 0.5 } }))).toEqual([
      0, 0,
    ]);
  });

  it("RULE-18: what has no history counts as it is now, and a disabled one is tried all the same", () => {
    const window = windowOf(...visits(1, 30, 8));
    const threshold = rule({ enabled: false, when: { signal: "score", op: ">", value: 5 } });
    expect(dryRun(threshold, window, knowledge)).toMatchObject({ episodes: 1, fingerprints: 1 });
    expect(
      dryRun(rule({ when: { signal: "reqs", window: "1h", op: ">", value: 9 } }), window, knowledge).episodes,
    ).toBe(0);
  });

  it("RULE-19: shards' parts add up, and a site's minutes are those of its shards together", () => {
    const [a, b] = [
      windowOf(...visits(1, 30, 8), ...visits(1, 0, 7)),
      windowOf(...visits(2, 30, 9), ...visits(2, 0, 9)),
    ];
    const parts = [a, b].map((window) => dryRun(over(6), window, NOTHING_KNOWN));
    expect(mergeDryRuns(over(6), parts)).toMatchObject({
      ...{ evaluated: 2, episodes: 4, fingerprints: 2 },
      fired: [
        { ja4: ja4Of(2), observed: 9 },
        { ja4: ja4Of(1), observed: 7 },
      ],
    });
    const told = [a, b].map((window) => ({ asOfMs: NOW, minutes: siteMinutes(window), ...totals(8, 0) }));
    const site = (value: number) => siteDryRun(over(value, { scope: "site" }), told);
    expect(site(15)).toMatchObject({ evaluated: 1, fired: [{ observed: 16 }], episodes: 2, fingerprints: 0 });
    expect(site(16)).toMatchObject({ fired: [], episodes: 1 });
    expect(site(17)).toMatchObject({ fired: [], episodes: 0 });
  });
});
