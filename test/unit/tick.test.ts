import { describe, expect, it } from "vitest";
import { nextTick } from "../../durable-objects/alarm.ts";

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
