/** Silences: what they cover, and what becomes of anomalies that run when one begins or ends. */
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { advance, type Moment } from "../../src/detect/episode.ts";
import type { Episode, Verdict } from "../../src/detect/types.ts";
import { filterTest, traitsOf } from "../../src/feed/filter.ts";
import { SITE_SUBJECT, step, type Threshold, type ThresholdState } from "../../src/thresholds/rule.ts";
import { type Silence, silenceTest } from "../../src/thresholds/silences.ts";
import { feedEvent } from "../../src/wire/event.ts";

const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const NOW = Date.parse("2026-11-23T12:00:00Z");
const ALL: Silence = { id: "s", ja4: undefined, kinds: undefined, untilMs: undefined, verifiedBots: false };

function covers(silence: Partial<Silence>, ja4 = CHROME, kind = "surge", botRatio?: number): boolean {
  return silenceTest([{ ...ALL, ...silence }], NOW, () => botRatio)(ja4, kind);
}

describe("what a silence covers", () => {
  it.each<[Partial<Silence>, boolean]>([
    [{}, true],
    [{ ja4: "t13d*" }, true],
    [{ ja4: "q*" }, false],
    [{ kinds: ["surge", "threshold"] }, true],
    [{ kinds: ["threshold"] }, false],
    [{ ja4: "t13d*", kinds: ["newcomer"] }, false],
    [{ untilMs: NOW + 1 }, true],
    [{ untilMs: NOW }, false],
  ])("SIL-1: %j over a surge: %s", (silence, covered) => {
    expect(covers(silence)).toBe(covered);
  });

  it("SIL-2: verified bots are those of 95 % of the hour's requests; an unknown ratio is none", () => {
    const bots = { verifiedBots: true };
    expect([1, 0.95, 0.9499, undefined].map((ratio) => covers(bots, CHROME, "surge", ratio))).toEqual([
      ...[true, true, false, false],
    ]);
  });

  it("SIL-3: what is about the whole site is covered only by silences that name no fingerprint", () => {
    const site = (silence: Partial<Silence>) => covers(silence, SITE_SUBJECT, "threshold", 1);
    expect([{}, { kinds: ["threshold"] }, { ja4: "*" }, { verifiedBots: true }].map(site)).toEqual([
      ...[true, true, false, false],
    ]);
  });
});

describe("anomalies under a silence", () => {
  const verdict: Verdict = {
    ...{
      p: 1e-8,
      score: 8,
      on: true,
      hold: true,
      window: "1m",
      observed: 300,
      expected: 10,
      low: 5,
      high: 20,
    },
    ...{ unit: "requests/min", because: [], summary: "" },
  };

  /** One tick a minute with the silence as it is then; tells the events. */
  function run(silenced: boolean[]): string[][] {
    let episode: Episode | undefined;
    let ids = 0;
    return silenced.map((isSilenced, i) => {
      const moment: Moment = {
        ...{ kind: "surge", ja4: CHROME, nowMs: NOW + i * MINUTE_MS, seenAtMs: NOW + i * MINUTE_MS },
        ...{ enabled: true, cooldownMs: 0, cleared: undefined },
        newId: () => `id-${++ids}`,
        isSilenced: () => isSilenced,
      };
      const moved = advance(episode, verdict, moment);
      episode = moved.episode;
      return moved.events.map((event) =>
        [event.type, event.episode.anomalyId, event.episode.silenced === true ? "silenced" : "told"].join(
          " ",
        ),
      );
    });
  }

  it("SIL-4: one that begins under a silence is kept and marked", () => {
    expect(run([true, true])).toEqual([["raised id-1 silenced"], []]);
  });

  it("SIL-5: a silence that begins clears what runs to the outside; what goes on is marked, and told when it ends", () => {
    expect(run([false, true, true, false, false])).toEqual([
      ["raised id-1 told"],
      ["cleared id-1 told", "raised id-2 silenced"],
      [],
      ["cleared id-2 silenced", "raised id-3 told"],
      [],
    ]);
  });

  it("SIL-5: so it is with a threshold, and the reason is `silenced`", () => {
    const threshold: Threshold = {
      ...{
        id: "busy",
        enabled: true,
        ja4: undefined,
        severity: "warning",
        forMs: 0,
        cooldownMs: 0,
        minReqs: 0,
      },
      when: { mode: "all", comparisons: [{ signal: "reqs", window: "1m", op: ">", value: 5 }] },
      clear: { value: undefined, forMs: 0 },
      ...{ onMissing: "skip", expiresAtMs: undefined },
    };
    let state: ThresholdState | undefined;
    const told = [false, true, false].map((silenced, i) => {
      const moved = step(
        threshold,
        CHROME,
        state,
        [{ reqs: 9, value: 9 }],
        NOW + i * 5_000,
        () => `id-${i}`,
        () => silenced,
      );
      state = moved.state;
      return moved.changes.map(({ type, anomalyId, silenced: marked, reason, observed }) =>
        [type, anomalyId, marked, reason, observed].join(" "),
      );
    });
    expect(told).toEqual([
      ["raised id-0 false  9"],
      ["cleared id-0 false silenced 9", "raised id-1 true  9"],
      ["cleared id-1 true silenced 9", "raised id-2 false  9"],
    ]);
  });

  it("SIL-6: a subscriber sees silenced events only when asked for, and grouped ones never", () => {
    const traits = (over: object) =>
      traitsOf(
        feedEvent("shop", "hellotide.anomaly.raised", CHROME, "id", "2026-11-23T12:00:00.000Z", {
          ...{ kind: "surge", severity: "warning" as const, ...over },
        }),
      );
    const events = [{}, { silenced: true }, { grouped: true }, { silenced: true, grouped: true }].map(traits);
    expect(events.map(filterTest({}))).toEqual([true, false, false, false]);
    expect(events.map(filterTest({ silenced: true }))).toEqual([true, true, false, false]);
  });
});
