import { describe, expect, it } from "vitest";
import { nextTick } from "../../durable-objects/alarm.ts";
import { mergeReports, type ShardReport } from "../../src/signals/census.ts";
import { NO_RANK_COUNTS } from "../../src/signals/ranks.ts";

const NOW = Date.parse("2026-11-23T12:00:02Z");
const at = (ms: number | undefined) => (ms === undefined ? undefined : (ms - NOW) / 1_000);

describe("when a shard ticks next", () => {
  const state = { nowMs: NOW, tickMs: 5_000, jitter: 0, lastIngestMs: NOW, busy: false, empty: false };

  it.each([
    ["with traffic: at the next slot's edge", {}, 3],
    ["jittered", { jitter: 0.5 }, 3.25],
    ["quiet for two minutes: at the next minute", { lastIngestMs: NOW - 120_000 }, 58],
    ["quiet, but an episode runs", { lastIngestMs: NOW - 120_000, busy: true }, 3],
    ["empty: never", { empty: true }, undefined],
    ["empty, but events wait", { empty: true, busy: true }, 3],
    ["a slow tick stays slow", { tickMs: 60_000 }, 58],
    ["on the edge: the next one", { nowMs: NOW + 3_000, lastIngestMs: NOW }, 8],
  ])("TICK-4: %s", (_, over, seconds) => {
    expect(at(nextTick({ ...state, ...over }))).toBe(seconds);
  });
});

describe("how old ranks are", () => {
  const report = (over: Partial<ShardReport>): ShardReport => ({
    asOfMs: NOW,
    nextMs: NOW + 5_000,
    counts: NO_RANK_COUNTS,
    ...over,
  });
  const ageOf = (...reports: ShardReport[]) => {
    const merged = mergeReports(new Map(reports.map((each, i) => [i, each])), reports.length, NOW, 5_000);
    return (NOW - merged.asOfMs) / 1_000;
  };

  it.each([
    ["all just reported", [report({}), report({})], 0],
    ["the oldest counts", [report({}), report({ asOfMs: NOW - 4_000, nextMs: NOW + 1_000 })], 4],
    [
      "an idle shard counts as two ticks old: anything new would have woken it",
      [report({ asOfMs: NOW - 50_000, nextMs: NOW + 10_000 })],
      10,
    ],
    ["so does one that sleeps", [report({ asOfMs: NOW - 3_000_000, nextMs: undefined as never })], 10],
    [
      "one that missed its tick is as old as its report",
      [report({ asOfMs: NOW - 50_000, nextMs: NOW - 5_001 })],
      50,
    ],
  ])("CENSUS-4: %s", (_, reports, seconds) => {
    expect(ageOf(...reports)).toBe(seconds);
  });

  it("CENSUS-5: a missing shard makes the answer incomplete and is named; the oldest first data wins", () => {
    const merged = mergeReports(
      new Map([
        [1, report({ firstDataMs: 7 })],
        [2, report({ firstDataMs: 5 })],
      ]),
      4,
      NOW,
      5_000,
    );
    expect(merged).toMatchObject({ complete: false, missing: [0, 3], firstDataMs: 5 });
  });
});
