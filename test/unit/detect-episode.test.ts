/** The state machine of an episode, step by step; timelines through the engine are in detect-kinds. */
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { advance, CLEAR_AFTER_MS, type Moment } from "../../src/detect/episode.ts";
import type { Episode, Verdict } from "../../src/detect/types.ts";
import { severityOf } from "../../src/detect/words.ts";

const verdict = (over: Partial<Verdict> = {}): Verdict => ({
  p: 1e-9,
  score: 9,
  on: true,
  hold: true,
  window: "1m",
  observed: 300,
  expected: 60,
  low: 40,
  high: 80,
  unit: "requests/min",
  because: [],
  summary: "",
  ...over,
});
const at = (nowMs: number, over: Partial<Moment> = {}): Moment => ({
  kind: "surge",
  ja4: "f",
  nowMs,
  seenAtMs: nowMs,
  enabled: true,
  cooldownMs: 10 * MINUTE_MS,
  cleared: undefined,
  newId: () => `id${nowMs}`,
  ...over,
});
const T = 1_000 * MINUTE_MS;
const start = (): Episode => {
  const { episode } = advance(undefined, verdict(), at(T));
  if (episode === undefined) throw new Error("not raised");
  return episode;
};

describe("advance", () => {
  it("EPI-1: starts only on a verdict that is on", () => {
    expect(advance(undefined, undefined, at(T))).toEqual({ events: [], suppressed: false });
    expect(advance(undefined, verdict({ on: false }), at(T))).toEqual({ events: [], suppressed: false });
    expect(advance(undefined, verdict(), at(T, { enabled: false }))).toEqual({
      events: [],
      suppressed: false,
    });
    expect(start()).toMatchObject({
      anomalyId: `id${T}`,
      startedAtMs: T,
      heldAtMs: T,
      peak: 9,
      severity: "warning",
    });
  });

  it("EPI-1: does not touch the episode that it is given", () => {
    const episode = Object.freeze(start());
    const moved = advance(episode, verdict({ observed: 900, score: 30 }), at(T + MINUTE_MS));
    expect(moved.episode).not.toBe(episode);
    expect(episode.last.observed).toBe(300);
  });

  it("EPI-7: updates a minute after it last spoke and only with something new to say", () => {
    const news = verdict({ observed: 900, score: 20 });
    expect(advance(start(), news, at(T + MINUTE_MS - 1)).events).toEqual([]);
    const told = advance(start(), news, at(T + MINUTE_MS));
    expect(told.events.map(({ type }) => type)).toEqual(["updated"]);
    expect(told.episode).toMatchObject({ peak: 20, updatedAtMs: T + MINUTE_MS });
    expect(told.episode?.last.observed).toBe(900);
    expect(advance(start(), verdict({ observed: 320 }), at(T + MINUTE_MS)).events).toEqual([]);
  });

  it("EPI-7: severity rises within an episode and never falls", () => {
    const grave = advance(start(), verdict({ observed: 900, score: 25 }), at(T + MINUTE_MS)).episode;
    expect(grave?.severity).toBe("critical");
    const after = advance(grave, verdict({ observed: 150 }), at(T + 2 * MINUTE_MS));
    expect(after.events[0]?.episode.severity).toBe("critical");
  });

  it("EPI-8: clears five minutes after it last held, not before", () => {
    const weak = verdict({ on: false, hold: false });
    const end = T + CLEAR_AFTER_MS;
    expect(advance(start(), weak, at(end - 1)).events).toEqual([]);
    expect(advance(start(), weak, at(end)).events).toMatchObject([{ type: "cleared", reason: "recovered" }]);
    expect(advance(start(), undefined, at(end)).events).toMatchObject([
      { type: "cleared", reason: "recovered" },
    ]);
    const held = advance(start(), verdict({ on: false }), at(end - 1)).episode;
    expect(advance(held, weak, at(end)).events).toEqual([]);
  });

  it("EPI-8: clears as quiet without requests, even while the hour's ratio still holds", () => {
    const silent = { seenAtMs: undefined };
    const end = T + CLEAR_AFTER_MS;
    expect(advance(start(), verdict(), at(end - 1, silent)).events.map(({ type }) => type)).not.toContain(
      "cleared",
    );
    expect(advance(start(), verdict(), at(end, silent)).events).toMatchObject([
      { type: "cleared", reason: "quiet" },
    ]);
  });

  it("EPI-9: holds back what returns within its cooldown, counts it once, and lets it through after", () => {
    const cleared = { atMs: T, counted: false };
    const first = advance(undefined, verdict(), at(T + MINUTE_MS, { cleared }));
    expect(first).toMatchObject({ events: [], suppressed: true, cleared: { atMs: T, counted: true } });
    const second = advance(
      undefined,
      verdict(),
      at(T + 2 * MINUTE_MS, { cleared: { atMs: T, counted: true } }),
    );
    expect(second).toMatchObject({ events: [], suppressed: false });
    const after = advance(undefined, verdict(), at(T + 10 * MINUTE_MS, { cleared }));
    expect(after.events.map(({ type }) => type)).toEqual(["raised"]);
  });
});

describe("severity", () => {
  it("EPI-10: is critical at a score of 10 and ten times the usual, info when weak, else warning", () => {
    expect(severityOf(verdict({ score: 10, observed: 600 }))).toBe("critical");
    expect(severityOf(verdict({ score: 9.9, observed: 600 }))).toBe("warning");
    expect(severityOf(verdict({ score: 10, observed: 599 }))).toBe("warning");
    expect(severityOf(verdict({ score: 7.9, observed: 179 }))).toBe("info");
    expect(severityOf(verdict({ score: 7.9, observed: 180 }))).toBe("warning");
    expect(severityOf(verdict({ score: 8, observed: 179 }))).toBe("warning");
    const share = { unit: "share of requests", score: 25, expected: 0.93 };
    expect(severityOf(verdict({ ...share, observed: 0.1 }))).toBe("critical");
    expect(severityOf(verdict({ ...share, observed: 0.5 }))).toBe("warning");
  });
});
