/** What concerns the whole site: the crowd that is nobody's surge, site events, and places among the site's fingerprints. */
import { describe, expect, it } from "vitest";
import { SECOND_MS } from "../../src/config.ts";
import { siteData } from "../../src/detect/site/data.ts";
import {
  advanceSite,
  NO_TRACE,
  type SiteEpisode,
  type SiteEpisodeEvent,
  type SiteKind,
  type SiteTrace,
} from "../../src/detect/site/events.ts";
import { crowdOf, pulseOf } from "../../src/detect/site/pulse.ts";
import { type Pulse, readPulse } from "../../src/signals/pulse.ts";
import { raisedBy, ScriptedSite } from "../support/scripted-site.ts";

const NOW = 150;
const CALM: Pulse = {
  ...{
    asOfMs: 0,
    reqs: 300,
    usual: 300,
    all: 300,
    hourReqs: 18_000,
    hourAll: 18_000,
    tellers: 12,
    failing: 0,
  },
  points: Array.from({ length: 12 }, () => [1, 20] satisfies [number, number]),
  sources: { edge: 0 },
};

/** Plays pulses, one a tick of 5 s; answers what was told, with the seconds. */
class Story {
  running: ReadonlyMap<SiteKind, SiteEpisode> = new Map();
  trace: SiteTrace = NO_TRACE;
  readonly told: string[] = [];
  readonly events: SiteEpisodeEvent[] = [];
  #nowMs = 3_600_000;
  #ids = 0;

  readonly firstDataMs: number;

  constructor(firstDataMs = 0) {
    this.firstDataMs = firstDataMs;
  }

  live(seconds: number, pulse: (at: number) => Partial<Pulse>): this {
    for (let at = 0; at < seconds; at += 5) {
      this.#nowMs += 5 * SECOND_MS;
      const moved = advanceSite(this.running, this.trace, {
        nowMs: this.#nowMs,
        firstDataMs: this.firstDataMs,
        pulses: [{ ...CALM, ...pulse(at) }],
        newId: () => `s${this.#ids++}`,
      });
      this.running = moved.running;
      this.trace = moved.trace;
      for (const event of moved.events) {
        this.events.push(event);
        this.told.push(`${event.type} ${event.episode.kind}`);
      }
    }
    return this;
  }
}

const crowd = (times: number): Partial<Pulse> => ({
  reqs: 300 * times,
  all: 300 * times,
  points: CALM.points.map(() => [times, 20] satisfies [number, number]),
});

describe("the crowd", () => {
  it("CROWD-1: most of the busy fingerprints make it; one attacker, or too few, do not", () => {
    const points = (...times: number[]): Pulse => ({ ...CALM, points: times.map((value) => [value, 20]) });
    expect(crowdOf([points(...Array.from({ length: 12 }, (_, i) => (i < 9 ? 10 : 1)))])).toBe(10);
    expect(crowdOf([points(...Array.from({ length: 12 }, (_, i) => (i === 0 ? 500 : 1)))])).toBe(1);
    expect(crowdOf([points(10, 10, 10, 10)])).toBe(1);
    // Two shards together are enough.
    expect(crowdOf([points(10, 10, 10, 10), points(10, 10, 10, 10)])).toBe(10);
  });

  it("CROWD-2: ten times as much of every browser is nobody's surge, of one it is", () => {
    const shop = () => {
      const site = new ScriptedSite();
      for (let i = 0; i < 12; i++) site.steady(`b${i}`, 0, NOW, { reqs: 30 + i });
      return site;
    };
    const all = shop();
    for (let i = 0; i < 12; i++) all.put(`b${i}`, NOW, { reqs: 10 * (30 + i) });
    expect(crowdOf([pulseOf(all.at(NOW))])).toBeGreaterThan(8);
    expect(raisedBy(all.tick(NOW))).toEqual([]);
    const one = shop();
    for (let i = 0; i < 12; i++) one.put(`b${i}`, NOW, { reqs: i === 3 ? 330 : 30 + i });
    expect(raisedBy(one.tick(NOW))).toEqual(["surge b3"]);
  });

  it("CROWD-3: a pulse of another form is none", () => {
    expect(readPulse(structuredClone(CALM))).toEqual(CALM);
    for (const told of [
      undefined,
      3,
      {},
      { ...CALM, reqs: Number.NaN },
      { ...CALM, points: [[1]] },
      { ...CALM, sources: 1 },
    ])
      expect(readPulse(told)).toBeUndefined();
    expect(readPulse({ ...CALM, points: Array.from({ length: 65 }, () => [1, 1]) })).toBeUndefined();
  });
});

describe("site events", () => {
  it("SEV-1: a flash crowd is told once, and is over five minutes after it", () => {
    const story = new Story()
      .live(60, () => ({}))
      .live(1_800, (at) => (at < 600 ? crowd(10) : { reqs: 3_000, all: 3_000, usual: 3_000 }))
      .live(290, () => ({}));
    expect(story.told).toEqual(["raised flash_crowd"]);
    story.live(30, () => ({}));
    expect(story.told).toEqual(["raised flash_crowd", "cleared flash_crowd"]);
    const [raised] = story.events;
    expect(raised?.episode).toMatchObject({ observed: 3_000, expected: 300, severity: "info" });
  });

  it("SEV-2: errors for most of the fingerprints are an outage; for one they are not, nor for one bad moment", () => {
    const failing = (count: number) => () => ({ failing: count });
    expect(new Story().live(300, failing(1)).told).toEqual([]);
    expect(new Story().live(30, failing(11)).live(300, failing(0)).told).toEqual([]);
    expect(new Story().live(120, failing(11)).told).toEqual(["raised outage"]);
    expect(new Story().live(120, failing(11)).live(320, failing(0)).told.at(-1)).toBe("cleared outage");
  });

  it("SEV-3: observations that stop, or come without a JA4, are told; a night is not", () => {
    const silence = () => ({ reqs: 0, all: 0, points: [] });
    const blind = new Story().live(180, silence);
    expect(blind.told).toEqual(["raised blind"]);
    // What is usual fades to nothing, and it still is blind.
    blind.live(900, () => ({ ...silence(), usual: 0 }));
    expect(blind.told).toEqual(["raised blind"]);
    expect(blind.live(320, () => ({})).told.at(-1)).toBe("cleared blind");
    expect(new Story().live(180, () => ({ reqs: 10 })).told).toEqual(["raised blind"]);
    expect(new Story().live(600, () => ({ ...silence(), usual: 3 })).told).toEqual([]);
    expect(new Story().live(600, () => ({ reqs: 10, hourReqs: 900 })).told).toEqual([]);
  });

  it("SEV-4: two sources at once are told; one that takes over from another is not", () => {
    let counts = { edge: 0, logpush: 0 };
    const both = (edge: number, logpush: number) => () => {
      counts = { edge: counts.edge + edge, logpush: counts.logpush + logpush };
      return { sources: { ...counts } };
    };
    expect(new Story().live(600, both(20, 0)).live(600, both(0, 20)).told).toEqual([]);
    expect(new Story().live(600, both(20, 20)).told).toEqual(["raised double_source"]);
  });

  it("SEV-5: nothing in a site's first half hour, and what ran goes on after a start", () => {
    expect(new Story(3_600_000).live(600, () => crowd(10)).told).toEqual([]);
    const before = new Story().live(120, () => crowd(10));
    const after = new Story();
    after.running = new Map(JSON.parse(JSON.stringify([...before.running])) as [SiteKind, SiteEpisode][]);
    after.live(120, () => crowd(10));
    expect(after.told).toEqual([]);
  });

  it("SEV-6: an event's data are finite, rounded, and have an end when it is over", () => {
    const story = new Story().live(60, () => crowd(10.123456)).live(400, () => ({}));
    const [raised, cleared] = story.events.map((event) =>
      siteData(event, "http://x/#/sites/shop", 7_200_000),
    );
    expect(raised).toMatchObject({
      kind: "flash_crowd",
      window: "1m",
      observed: 3037,
      expected: 300,
      silenced: false,
    });
    expect(raised).not.toHaveProperty("ended_at");
    expect(cleared).toMatchObject({ reason: "recovered", ended_at: "1970-01-01T02:00:00.000Z" });
    expect(JSON.stringify([raised, cleared])).not.toMatch(/null|NaN/);
  });
});

describe("places", () => {
  /** Eighty fingerprints whose place here is their place worldwide. */
  function site(): ScriptedSite {
    const scripted = new ScriptedSite();
    for (let i = 0; i < 400; i++) {
      scripted.steady(`b${i}`, 0, NOW + 1, { reqs: 1 + Math.floor(400 / (i + 1)) });
      scripted.globals.set(`b${i}`, { reqs_quantile_1h: 1 - (i + 0.5) / 400 });
    }
    return scripted;
  }
  const hot = (scripted: ScriptedSite, before: number, now: number) =>
    scripted.steady("f", 0, NOW - 9, { reqs: before }).steady("f", NOW - 9, NOW + 1, { reqs: now });
  const only = (kind: string, scripted: ScriptedSite) =>
    raisedBy(scripted.tick(NOW)).filter((what) => what.startsWith(kind));

  it("RHH-1: what is rare worldwide and has just come to the top here is told, with where it stands", () => {
    const scripted = hot(site(), 1, 200);
    scripted.globals.set("f", { reqs_quantile_1h: 0.2 });
    expect(only("rare_here_hot", scripted)).toEqual(["rare_here_hot f"]);
    const said = scripted.tick(NOW).episodes.get("rare_here_hot f")?.last;
    expect(said?.observed).toBeLessThan(0.01);
    expect(said?.summary).toBe(
      "2000 requests in 10 minutes, top 0.6 % of this site, where top 80 % worldwide",
    );
    // Cloudflare knows the others and not this one.
    expect(only("rare_here_hot", hot(site(), 1, 200))).toEqual(["rare_here_hot f"]);
  });

  it("RHH-2: silent about what was always at the top, is common worldwide, or where nobody is known", () => {
    const always = hot(site(), 200, 200);
    always.globals.set("f", { reqs_quantile_1h: 0.2 });
    expect(only("rare_here_hot", always)).toEqual([]);
    const common = hot(site(), 1, 200);
    common.globals.set("f", { reqs_quantile_1h: 0.999 });
    expect(only("rare_here_hot", common)).toEqual([]);
    const unknown = hot(site(), 1, 200);
    unknown.globals.clear();
    expect(only("rare_here_hot", unknown)).toEqual([]);
  });

  it("RSH-1: a known fingerprint that leaps towards the top is told, from where to where", () => {
    const scripted = hot(site(), 2, 150);
    scripted.globals.set("f", { reqs_quantile_1h: 0.5 });
    expect(only("rank_shift", scripted)).toEqual(["rank_shift f"]);
    const said = scripted.tick(NOW).episodes.get("rank_shift f")?.last;
    expect(said!.expected / said!.observed).toBeGreaterThan(10);
  });

  it("RSH-2: silent about who stays, who falls, and who is not known worldwide", () => {
    for (const [before, now] of [
      [150, 150],
      [150, 1],
    ] as const) {
      const scripted = hot(site(), before, now);
      scripted.globals.set("f", { reqs_quantile_1h: 0.5 });
      expect(only("rank_shift", scripted)).toEqual([]);
    }
    expect(only("rank_shift", hot(site(), 2, 150))).toEqual([]);
  });
});
