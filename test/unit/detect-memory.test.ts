/** What detection learns between ticks: tails, candidates, days, levels, new norms, and that it outlives a start. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../../scripts/lib/evaluate/dice.ts";
import { Engine } from "../../scripts/lib/evaluate/engine.ts";
import { type Member, memberOf } from "../../scripts/lib/evaluate/members.ts";
import { START_MINUTE } from "../../scripts/lib/evaluate/places.ts";
import { QuietSite, type Weather } from "../../scripts/lib/evaluate/quiet.ts";
import { ImageError, readImage, writeImage } from "../../src/base/image.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/config.ts";
import { CANDIDATE_SCORE, EpisodePool } from "../../src/detect/budget.ts";
import { advance, type Cleared } from "../../src/detect/episode.ts";
import { Memory } from "../../src/detect/memory.ts";
import { calibrated, learnTail, newTail } from "../../src/detect/recalibration.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import type { Episode, Verdict } from "../../src/detect/types.ts";
import { raisedBy, ScriptedSite } from "../support/scripted-site.ts";

const DAY_MS = 24 * HOUR_MS;
const NOTHING = { episodes: new Map(), cleared: new Map() };

describe("recalibration", () => {
  it("RECAL-1: before anything is learned a score is believed as it is", () => {
    for (const score of [0, 0.5, 1.7, 3, 4, 8, 30])
      expect(calibrated(newTail(), score)).toBeCloseTo(score, 9);
  });

  it("RECAL-2: whatever was learned, the calibrated score rises with the test's and is never above it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 30, noNaN: true }), { maxLength: 2_000 }),
        fc.double({ min: 0, max: 30, noNaN: true }),
        fc.double({ min: 0, max: 30, noNaN: true }),
        (learned, a, b) => {
          const tail = newTail();
          for (const score of learned) learnTail(tail, score);
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          expect(calibrated(tail, low)).toBeLessThanOrEqual(calibrated(tail, high) + 1e-9);
          expect(calibrated(tail, high)).toBeLessThanOrEqual(high);
          expect(calibrated(tail, low)).toBeGreaterThanOrEqual(0);
        },
      ),
      { seed: 20261124, numRuns: 100 },
    );
  });

  for (const seed of [1, 2, 3])
    it(`RECAL-3: of tests that are too sure, p ≤ 1e-4 comes about once in 10,000 after a while (seed ${seed})`, () => {
      const dice = new Dice(seed, "tail");
      const tail = newTail();
      let below = 0;
      let raw = 0;
      const tests = 400_000;
      for (let i = 0; i < tests + 50_000; i++) {
        // Twice as sure as it may be: the score of what it says is double that of what is true.
        const score = -2 * Math.log10(Math.max(dice.uniform(), 1e-12));
        if (i >= 50_000) {
          if (calibrated(tail, score) >= 4) below++;
          if (score >= 4) raw++;
        }
        learnTail(tail, score);
      }
      // The control: without it a hundred times too often.
      expect(raw / tests).toBeGreaterThan(5e-3);
      expect(below / tests).toBeGreaterThan(1e-4 / 3);
      expect(below / tests).toBeLessThan(3e-4);
    });
});

describe("the budget", () => {
  const MINUTES = 24 * 60;

  /** Plays days of candidates whose peaks are exponential; answers raises a day after the first two days. */
  function raisesPerDay(budget: number, perDay: number, mean: number, seed: number): number {
    const dice = new Dice(seed, "budget");
    const pool = new EpisodePool("surge");
    const days = 16;
    let raised = 0;
    for (let minute = 0; minute < days * MINUTES; minute++) {
      const nowMs = minute * MINUTE_MS;
      const threshold = pool.threshold(budget, 0);
      for (let i = dice.poisson(perDay / MINUTES); i > 0; i--) {
        const score = CANDIDATE_SCORE - mean * Math.log(Math.max(dice.uniform(), 1e-12));
        pool.note(`f${minute}-${i}`, score, false, nowMs);
        if (score >= threshold && minute >= 2 * MINUTES) raised++;
      }
      pool.tick(nowMs, threshold);
    }
    return raised / (days - 2);
  }

  it("BUD-1: quiet days raise at most twice a kind's share, however many candidates they hold", () => {
    for (const budget of [1, 10])
      for (const perDay of [20, 200]) {
        const mean = [1, 2, 3].reduce((sum, seed) => sum + raisesPerDay(budget, perDay, 0.7, seed) / 3, 0);
        expect(mean, `budget ${budget}, ${perDay} candidates a day`).toBeLessThanOrEqual(2 * 0.3 * budget);
      }
  });

  it("BUD-2: less budget asks for more, up to what is beyond doubt", () => {
    const pool = new EpisodePool("surge");
    const of = [10, 1, 0.1].map((budget) => pool.threshold(budget, 0));
    expect(of[1]).toBeGreaterThan(of[0]!);
    expect(of[2]).toBeGreaterThan(of[1]!);
    expect(pool.threshold(0, 0)).toBeLessThanOrEqual(30);
    expect(pool.threshold(10, 7)).toBe(7);
  });

  it("BUD-3: days of attacks that other kinds see, or that are beyond chance, make nothing harder to raise", () => {
    const threshold = (score: number, isAttack: boolean) => {
      const pool = new EpisodePool("surge");
      for (let minute = 0; minute < 3 * MINUTES; minute++) {
        if (minute % 20 === 0) pool.note(`f${minute}`, score, isAttack, minute * MINUTE_MS);
        pool.tick(minute * MINUTE_MS, pool.threshold(5, 7));
      }
      return pool.threshold(5, 0);
    };
    const quiet = new EpisodePool("surge").threshold(5, 0);
    expect(threshold(8, true)).toBeLessThanOrEqual(quiet);
    expect(threshold(25, false)).toBeLessThanOrEqual(quiet);
    // The control: the same without either is chance that keeps coming.
    expect(threshold(8, false)).toBeGreaterThan(quiet + 1);
  });
});

describe("a day of a fingerprint", () => {
  /** A steady crowd, and a client that comes with 300 requests for two minutes every three hours. */
  function bursts(hours: number): ScriptedSite {
    const site = new ScriptedSite();
    for (let i = 0; i < 4; i++) site.steady(`b${i}`, 0, hours * 60 + 2, { reqs: 60 });
    for (let minute = 0; minute < hours * 60; minute++)
      site.put("job", minute, { reqs: minute % 180 < 2 ? 300 : 3 });
    return site;
  }

  it("DAY-1: what comes every three hours is a surge for who knows the hour alone, and none for who knows the day", () => {
    const hours = 15;
    const site = bursts(hours);
    const at = hours * 60;
    site.put("job", at, { reqs: 300 });
    expect(raisedBy(site.tick(at))).toEqual(["surge job"]);
    // Twice it is told; the third time it is a habit.
    const memory = new Memory();
    let running = NOTHING as Parameters<ScriptedSite["tick"]>[1];
    let raised: string[] = [];
    for (let minute = 90; minute <= at; minute++) {
      const output = site.tick(minute, running, DEFAULT_KIND_SETTINGS, memory);
      running = output;
      if (minute >= 11 * 60) raised = [...raised, ...raisedBy(output)];
    }
    expect(raised).toEqual([]);
    // Ten times its bursts is one.
    site.put("job", at + 1, { reqs: 6_000 });
    expect(raisedBy(site.tick(at + 1, running, DEFAULT_KIND_SETTINGS, memory))).toEqual(["surge job"]);
  });
});

describe("lasting rises", () => {
  const options = { seed: 7, fingerprints: 60 };
  const WARM_MINUTES = 25 * 60;

  function live(weather: (test: Member) => Weather, minutes: number) {
    const test = memberOf(new Dice(7, "slow"), "app", 120, options);
    Object.assign(test, { isSteady: true, drift: 0 });
    const site = new QuietSite(options, START_MINUTE, weather(test), [test]);
    const engine = new Engine();
    const told: string[] = [];
    for (let age = 0; age < minutes; age++) {
      site.step(START_MINUTE + age);
      for (const event of engine.tick(site.readings.site())) {
        const { kind, ja4, last } = event.episode;
        if (ja4 === test.ja4) told.push(`${event.type} ${kind}`);
        if (kind === "slow_surge" && ja4 === test.ja4) expect(last.observed).toBeGreaterThan(last.expected);
      }
    }
    return told;
  }
  const risen = (minute: number) =>
    minute >= START_MINUTE + WARM_MINUTES && minute < START_MINUTE + WARM_MINUTES + 240;

  it("SLOW-1: three times the usual for hours raises once and clears when it is over", () => {
    const told = live(
      (test) => ({ level: (member, minute) => (member === test && risen(minute) ? 3 : 1) }),
      WARM_MINUTES + 360,
    );
    expect(told.filter((what) => what === "raised slow_surge")).toHaveLength(1);
    expect(told.filter((what) => what === "cleared slow_surge")).toHaveLength(1);
  });

  it("SLOW-2: what everybody does for hours is the site's shape", () => {
    const told = live(() => ({ level: (_, minute) => (risen(minute) ? 3 : 1) }), WARM_MINUTES + 360);
    expect(told.filter((what) => what.includes("slow_surge"))).toEqual([]);
  });
});

describe("a new norm", () => {
  const verdict = (observed: number): Verdict => ({
    ...{
      p: 1e-9,
      score: 9,
      on: true,
      hold: true,
      window: "1h",
      observed,
      expected: 0.2,
      low: 0.1,
      high: 0.3,
    },
    ...{ unit: "share of requests", because: [], summary: "…" },
  });
  const at = (nowMs: number, cleared?: Cleared) => ({
    ...{
      kind: "divergence" as const,
      ja4: "f",
      nowMs,
      seenAtMs: nowMs,
      enabled: true,
      cooldownMs: 15 * MINUTE_MS,
    },
    ...{ cleared, newId: () => `a${nowMs}` },
  });

  it("NORM-1: after a day it clears as new_normal, and comes again only when there is more of it", () => {
    let episode: Episode | undefined;
    let cleared: Cleared | undefined;
    const told: string[] = [];
    const step = (nowMs: number, observed: number) => {
      const moved = advance(episode, verdict(observed), at(nowMs, cleared));
      episode = moved.episode;
      cleared = moved.cleared ?? cleared;
      for (const event of moved.events)
        told.push(`${event.type}${event.type === "cleared" ? ` ${event.reason}` : ""} ${nowMs / HOUR_MS}`);
    };
    for (let hour = 1; hour <= 60; hour++)
      for (let part = 0; part < 60; part += 2) step(hour * HOUR_MS + part * MINUTE_MS, 0.6);
    expect(told).toEqual(["raised 1", "cleared new_normal 25"]);
    step(61 * HOUR_MS, 0.9);
    expect(told.at(-1)).toBe("raised 61");
  });

  it("NORM-2: what was gone for a day is no norm any more", () => {
    const normal = { atMs: 0, counted: false, normal: { away: 0.4, seenAtMs: 0 } };
    expect(advance(undefined, verdict(0.6), at(DAY_MS / 2, normal)).events).toEqual([]);
    expect(advance(undefined, verdict(0.6), at(DAY_MS / 2)).events).toHaveLength(1);
  });
});

describe("an image of what was learned", () => {
  function learned(): { memory: Memory; parts: Uint8Array[] } {
    const site = new QuietSite({ seed: 3, fingerprints: 80 }, START_MINUTE);
    const engine = new Engine();
    for (let age = 0; age < 200; age++) {
      site.step(START_MINUTE + age);
      engine.tick(site.readings.site());
    }
    return { memory: engine.memory, parts: imageOf(engine.memory) };
  }
  function imageOf(memory: Memory): Uint8Array[] {
    const parts: Uint8Array[] = [];
    writeImage(
      (writer) => memory.write(writer),
      (part) => parts.push(part.slice()),
      4_096,
    );
    return parts;
  }

  it("MEM-1: what is read is what was written, days, levels, tails and candidates", () => {
    const { memory, parts } = learned();
    expect(memory.habits.size).toBeGreaterThan(10);
    const read = readImage(parts, (reader) => Memory.read(reader));
    expect(imageOf(read)).toEqual(parts);
    expect(read.habits.size).toBe(memory.habits.size);
    for (const [ja4, slot] of memory.habits.entries())
      expect(read.habits.day(read.habits.slot(ja4)!)).toEqual(memory.habits.day(slot));
    expect(read.tail("surge")).toEqual(memory.tail("surge"));
  });

  it("MEM-2: what is torn or of another layout is refused as an ImageError", () => {
    const { parts } = learned();
    for (let at = 0; at < parts.length; at++)
      expect(() => readImage(parts.toSpliced(at, 1), (reader) => Memory.read(reader))).toThrow(ImageError);
    const other: Uint8Array[] = [];
    writeImage(
      (writer) => writer.section(1),
      (part) => other.push(part.slice()),
      4_096,
    );
    expect(() => readImage(other, (reader) => Memory.read(reader))).toThrow(ImageError);
  });
});
