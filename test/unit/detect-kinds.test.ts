/** Each kind raises what it is for, keeps quiet where it should, and is heard once. Small scripted sites. */
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { expectedRequests } from "../../src/detect/baseline.ts";
import { cauchyCombination } from "../../src/detect/cauchy.ts";
import { type DetectOutput, detect } from "../../src/detect/engine.ts";
import { isHabit } from "../../src/detect/kinds/surge.ts";
import { divergences, fitOffsets } from "../../src/detect/offsets.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import type { KindName, KindSettings, Site, Subject, Verdict } from "../../src/detect/types.ts";
import type { GlobalSignals } from "../../src/signals/global.ts";
import {
  addTally,
  FACTS,
  NEW_IPS,
  NEW_PATHS,
  NEW_UAS,
  REQS,
  TALLY_WIDTH,
  type Tally,
} from "../../src/window/tally.ts";
import { RATIO_INDEX, type Ratio } from "../../src/wire/flags.ts";

/** Mulberry32. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Minute {
  reqs: number;
  newUas?: number;
  newPaths?: number;
  newIps?: number;
  yes?: Partial<Record<Ratio, number>>;
}

/** A minute's tally: every fact known, `yes` of them yes. */
function tallyOf({ reqs, newUas = 0, newPaths = 0, newIps = 0, yes = {} }: Minute): Tally {
  const tally: Tally = new Uint32Array(TALLY_WIDTH);
  tally[REQS] = reqs;
  tally[NEW_UAS] = newUas;
  tally[NEW_PATHS] = newPaths;
  tally[NEW_IPS] = newIps;
  for (const [ratio, index] of Object.entries(RATIO_INDEX)) {
    tally[FACTS + 2 * index] = reqs;
    tally[FACTS + 2 * index + 1] = yes[ratio as Ratio] ?? 0;
  }
  return tally;
}

class World {
  firstDataMs = 1;
  readonly #rows = new Map<string, Map<number, Tally>>();
  readonly globals = new Map<string, GlobalSignals["values"]>();

  put(ja4: string, minute: number, what: Minute): this {
    const rows = this.#rows.get(ja4) ?? new Map<number, Tally>();
    this.#rows.set(ja4, rows.set(minute, tallyOf(what)));
    return this;
  }

  /** `count` fingerprints that send about `rate` requests a minute from minute 0 up to `until`. */
  background(until: number, { count = 20, rate = 30, errors = 0.02, seed = 7 } = {}): this {
    const uniform = mulberry(seed);
    for (let minute = 0; minute < until; minute++) {
      for (let i = 0; i < count; i++) {
        const reqs = Math.round(rate * (0.6 + 0.8 * uniform()));
        const newUas = uniform() < 0.3 ? 1 : 0;
        const newPaths = Math.round(0.05 * reqs);
        this.put(`bg${i}`, minute, {
          reqs,
          newUas,
          newPaths,
          yes: { error: Math.round(errors * reqs), browser: reqs },
        });
      }
    }
    return this;
  }

  subject(ja4: string, now: number): Subject {
    const rows = this.#rows.get(ja4) ?? new Map<number, Tally>();
    const hour: Tally = new Uint32Array(TALLY_WIDTH);
    for (const [minute, row] of rows) if (minute > now - 60 && minute <= now) addTally(hour, 0, row, 0);
    const values = this.globals.get(ja4);
    return {
      ja4,
      firstSeenMs: Math.min(...rows.keys()) * MINUTE_MS + 1,
      minute: (at) => rows.get(at),
      reqs: (at) => rows.get(at)?.[REQS] ?? 0,
      hour,
      global: values === undefined ? undefined : { seenAtMs: 0, values },
    };
  }

  /** The site `intoMs` into minute `now`. */
  site(now: number, intoMs = MINUTE_MS): Site {
    const alive = [...this.#rows.keys()].filter((ja4) => this.subject(ja4, now).hour[REQS]! > 0);
    const total = (at: number): Tally | undefined => {
      const sum: Tally = new Uint32Array(TALLY_WIDTH);
      for (const rows of this.#rows.values()) {
        const row = rows.get(at);
        if (row !== undefined) addTally(sum, 0, row, 0);
      }
      return sum[REQS]! > 0 ? sum : undefined;
    };
    const totals = new Map<number, Tally | undefined>();
    for (let at = now - 60; at <= now; at++) totals.set(at, total(at));
    return {
      firstDataMs: this.firstDataMs,
      asOfMs: now * MINUTE_MS + intoMs,
      minuteNow: now,
      minute: (at) => totals.get(at),
      reqs: (at) => totals.get(at)?.[REQS] ?? 0,
      subjects: () => alive.map((ja4) => this.subject(ja4, now)),
    };
  }
}

type Running = Pick<DetectOutput, "episodes" | "cleared">;
const NOTHING: Running = { episodes: new Map(), cleared: new Map() };

function tick(
  world: World,
  now: number,
  before: Running = NOTHING,
  intoMs = MINUTE_MS,
  settings = DEFAULT_KIND_SETTINGS,
) {
  let id = 0;
  return detect({
    site: world.site(now, intoMs),
    settings,
    episodes: before.episodes,
    cleared: before.cleared,
    cooldownMs: 10 * MINUTE_MS,
    newId: () => `a${now}-${intoMs}-${id++}`,
  });
}

function raised(output: DetectOutput): string[] {
  return output.events
    .filter(({ type }) => type === "raised")
    .map(({ episode }) => `${episode.kind} ${episode.ja4}`);
}

function verdictOf(output: DetectOutput, kind: KindName, ja4: string): Verdict | undefined {
  return output.episodes.get(`${kind} ${ja4}`)?.last;
}

/** Plays the ticks of minutes `from` … `to`, every `everyMs`, each minute filling evenly; all events with their time. */
function play(
  world: World,
  from: number,
  to: number,
  script: (minute: number, share: number) => void,
  everyMs = 10_000,
) {
  let running: Running = NOTHING;
  let suppressed = 0;
  const events: { type: string; kind: KindName; ja4: string; atMs: number; reason?: string }[] = [];
  for (let minute = from; minute < to; minute++) {
    for (let intoMs = everyMs; intoMs <= MINUTE_MS; intoMs += everyMs) {
      script(minute, intoMs / MINUTE_MS);
      const output = tick(world, minute, running, intoMs);
      running = output;
      suppressed += output.suppressed;
      for (const event of output.events) {
        const { kind, ja4 } = event.episode;
        const reason = event.type === "cleared" ? { reason: event.reason } : {};
        events.push({ type: event.type, kind, ja4, atMs: minute * MINUTE_MS + intoMs, ...reason });
      }
    }
  }
  return { events, suppressed, running };
}

function steady(world: World, ja4: string, from: number, until: number, what: Minute): World {
  for (let minute = from; minute < until; minute++) world.put(ja4, minute, what);
  return world;
}

const NOW = 100;
const busy = () => new World().background(NOW + 1);

describe("surge", () => {
  const cases = [
    [1, 100],
    [10, 5],
    [10, 20],
    [10, 100],
    [100, 5],
    [100, 20],
    [1000, 5],
    [1000, 20],
    [1000, 100],
  ] as const;
  for (const [base, times] of cases) {
    it(`DET-2: raises a flood of ×${times} at ${base} a minute while the minute fills`, () => {
      const uniform = mulberry(base + times);
      const world = busy();
      for (let m = 0; m < NOW; m++)
        world.put("flood", m, { reqs: Math.round(base * (0.8 + 0.4 * uniform())) });
      expect(raised(tick(world.put("flood", NOW, { reqs: base }), NOW, NOTHING, 30_000))).toEqual([]);
      const soFar = Math.max(Math.ceil(base * Math.min(times, 5)), 50);
      const output = tick(world.put("flood", NOW, { reqs: soFar }), NOW, NOTHING, 55_000);
      expect(raised(output)).toEqual(["surge flood"]);
      const verdict = verdictOf(output, "surge", "flood");
      expect(verdict?.observed).toBe(soFar);
      expect(verdict?.expected).toBeGreaterThan(base * 0.8);
      expect(verdict?.expected).toBeLessThan(base * 1.3 + 0.5);
      expect(verdict?.low).toBeLessThanOrEqual(verdict?.expected ?? 0);
      expect(verdict?.high).toBeLessThan(soFar);
    });
  }

  it("DET-3: needs minReqs and minEffect as well as a score", () => {
    const world = steady(busy(), "f", 0, NOW, { reqs: 40 });
    world.put("f", NOW, { reqs: 400 });
    const withSettings = (settings: Partial<KindSettings>) => {
      const surge = { ...DEFAULT_KIND_SETTINGS.surge, ...settings };
      return raised(tick(world, NOW, NOTHING, MINUTE_MS, { ...DEFAULT_KIND_SETTINGS, surge }));
    };
    expect(withSettings({})).toEqual(["surge f"]);
    expect(withSettings({ minReqs: 400 })).toEqual(["surge f"]);
    expect(withSettings({ minReqs: 401 })).toEqual([]);
    expect(withSettings({ minEffect: 9 })).toEqual(["surge f"]);
    expect(withSettings({ minEffect: 11 })).toEqual([]);
    expect(withSettings({ enabled: false })).toEqual([]);
  });

  it("DET-4: raises on late data in the minute before, never on an older one", () => {
    const late = steady(busy(), "f", 0, NOW + 1, { reqs: 10 });
    expect(raised(tick(late.put("f", NOW - 1, { reqs: 400 }), NOW))).toEqual(["surge f"]);
    const older = steady(busy(), "f", 0, NOW + 1, { reqs: 10 });
    expect(raised(tick(older.put("f", NOW - 2, { reqs: 400 }), NOW))).toEqual([]);
  });

  it("DET-5: keeps quiet about what comes back every ten minutes and about a return from a pause", () => {
    const job = busy();
    for (let m = 0; m <= NOW; m += 10) job.put("job", m, { reqs: 300 });
    expect(raised(tick(job, NOW))).toEqual([]);
    const pause = steady(busy(), "p", 0, NOW - 12, { reqs: 500 }).put("p", NOW, { reqs: 500 });
    expect(raised(tick(pause, NOW))).toEqual([]);
    expect(isHabit([0, 0, 300, 0, 0], 300)).toBe(false);
    expect(isHabit([300, 0, 300, 0, 0], 300)).toBe(true);
    expect(isHabit([0, 0, 300, 300, 300], 300)).toBe(false);
  });

  it("DET-5: keeps quiet when a silent site comes back", () => {
    const world = new World().background(70).put("bg0", NOW, { reqs: 400 });
    for (let i = 0; i < 20; i++) world.put(`bg${i}`, NOW, { reqs: 36 });
    expect(raised(tick(world, NOW))).toEqual([]);
  });

  it("DET-6: does not learn a flood as the norm at once: it holds for at least 20 minutes", () => {
    const world = steady(steady(busy().background(NOW + 40), "f", 0, NOW, { reqs: 20 }), "f", NOW, NOW + 40, {
      reqs: 400,
    });
    const { events } = play(world, NOW, NOW + 20, () => {}, 60_000);
    expect(events.filter(({ type }) => type !== "updated").map(({ type }) => type)).toEqual(["raised"]);
  });
});

describe("expectedRequests", () => {
  it("DET-7: expects nothing before ten minutes of history and the usual rate after", () => {
    const world = steady(new World().background(60), "f", 0, 60, { reqs: 12 });
    const at = (minute: number) => expectedRequests(world.subject("f", 59), world.site(59), minute);
    expect(at(10)).toBeUndefined();
    expect(at(11)).toBeDefined();
    const expected = at(59);
    expect(expected?.mean).toBeGreaterThan(11);
    expect(expected?.mean).toBeLessThan(13);
    expect(expected?.low).toBeGreaterThanOrEqual(3);
    expect(expected?.high).toBeLessThanOrEqual(24);
  });
});

describe("silent minutes", () => {
  it("DET-7: a minute in which the whole site was silent is no history, one in which others spoke is a zero", () => {
    const silent = steady(new World().background(70), "f", 0, 70, { reqs: 30 });
    const mean = (world: World) =>
      expectedRequests(world.subject("f", NOW), world.site(NOW), NOW)?.mean ?? -1;
    expect(mean(silent.put("f", NOW, { reqs: 1 }))).toBeGreaterThan(25);
    const alone = steady(busy(), "f", 0, 70, { reqs: 30 });
    expect(mean(alone)).toBeLessThan(10);
  });
});

describe("warm-up", () => {
  it("DET-8: gives no verdict in a site's first half hour, and one right after", () => {
    const world = steady(new World().background(40), "f", 0, 40, { reqs: 10 });
    expect(raised(tick(world.put("f", 29, { reqs: 500 }), 29, NOTHING, 59_000))).toEqual([]);
    world.put("f", 29, { reqs: 10 }).put("f", 30, { reqs: 500 });
    expect(raised(tick(world, 30, NOTHING, 30_000))).toEqual(["surge f"]);
  });

  it("DET-8: leaves a newborn's flood to surge before two hours, to newcomer after", () => {
    const young = new World().background(NOW + 1).put("new", NOW, { reqs: 600 });
    expect(raised(tick(young, NOW))).toEqual(["surge new"]);
    const old = new World().background(131).put("new", 130, { reqs: 600 });
    expect(raised(tick(old, 130))).toEqual(["newcomer new"]);
  });
});

describe("newcomer", () => {
  const newborns = (world: World, reqs: number) => {
    for (let i = 0; i < 60; i++) world.put(`born${i}`, 70 + i, { reqs: reqs + (i % 3) });
    return world;
  };
  it("DET-9: judges a newborn by what other newborns bring", () => {
    const small = newborns(new World().background(131), 2).put("new", 130, { reqs: 150 });
    expect(raised(tick(small, 130))).toEqual(["newcomer new"]);
    const large = newborns(new World().background(131), 100).put("new", 130, { reqs: 150 });
    expect(raised(tick(large, 130))).toEqual([]);
  });

  it("DET-9: is milder with a fingerprint that is common worldwide", () => {
    const world = new World().background(131).put("new", 130, { reqs: 200 });
    for (let i = 0; i < 60; i++) world.put(`born${i}`, 70 + i, { reqs: 2 + 2 * (i % 20) });
    expect(raised(tick(world, 130))).toEqual(["newcomer new"]);
    world.globals.set("new", { reqs_quantile_1h: 0.995 });
    expect(raised(tick(world, 130))).toEqual([]);
    world.put("new", 130, { reqs: 5_000 });
    expect(raised(tick(world, 130))).toEqual(["newcomer new"]);
  });

  it("DET-9: follows one flood as one episode past the newborn's first ten minutes", () => {
    const world = steady(new World().background(160), "new", 130, 160, { reqs: 800 });
    const { events } = play(world, 130, 158, () => {}, 30_000);
    expect(events.map(({ type, kind }) => `${type} ${kind}`)).toEqual(["raised newcomer"]);
  });

  it("DET-9: hands an hour-old site's grown-up newborn back to surge", () => {
    const world = steady(new World().background(160), "new", 130, 150, { reqs: 40 });
    expect(raised(tick(world.put("new", 150, { reqs: 2_000 }), 150))).toEqual(["surge new"]);
  });
});

describe("divergence", () => {
  const GLOBAL = {
    browser_ratio_1h: 0.9,
    cache_ratio_1h: 0.4,
    h2h3_ratio_1h: 0.98,
    heuristic_ratio_1h: 0.01,
  };
  const like = (share: number, reqs: number) => Math.round(share * reqs);
  const normal = (world: World, count: number, cache: number) => {
    for (let i = 0; i < count; i++) {
      const reqs = 20 + i;
      const yes = {
        browser: like(0.88, reqs),
        cache: like(cache, reqs),
        h2h3: like(0.98, reqs),
        heuristic: 0,
      };
      steady(world, `n${i}`, 0, NOW + 1, { reqs, yes });
      world.globals.set(`n${i}`, { ...GLOBAL });
    }
    return world;
  };

  it("DET-10: raises a browser's fingerprint that does not behave like one here", () => {
    const world = normal(new World(), 12, 0.4);
    steady(world, "impostor", 0, NOW + 1, { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 0 } });
    world.globals.set("impostor", GLOBAL);
    const output = tick(world, NOW);
    expect(raised(output)).toEqual(["divergence impostor", "impostor impostor"]);
    const verdict = verdictOf(output, "divergence", "impostor");
    expect(verdict?.because.map(({ signal }) => signal).sort()).toEqual([
      "browser_ratio_1h",
      "h2h3_ratio_1h",
    ]);
    for (const { global, p } of verdict?.because ?? []) {
      expect(global).toBeGreaterThan(0.8);
      expect(p).toBeGreaterThan(0);
    }
  });

  it("IMP-1: two ratios that agree against a browser's fingerprint are an impostor, with all that agree in `because`", () => {
    const world = normal(new World(), 12, 0.4);
    steady(world, "both", 0, NOW + 1, { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 0 } });
    steady(world, "one", 0, NOW + 1, { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 29 } });
    steady(world, "script", 0, NOW + 1, { reqs: 30, yes: { browser: 0, cache: 0, h2h3: 0 } });
    world.globals.set("both", GLOBAL);
    world.globals.set("one", GLOBAL);
    world.globals.set("script", { ...GLOBAL, browser_ratio_1h: 0.3 });
    const output = tick(world, NOW);
    expect(raised(output).filter((key) => key.startsWith("impostor"))).toEqual(["impostor both"]);
    expect(raised(output)).toContain("divergence one");
    const verdict = verdictOf(output, "impostor", "both");
    expect(verdict?.because.map(({ signal }) => signal).sort()).toEqual([
      "browser_ratio_1h",
      "h2h3_ratio_1h",
    ]);
    expect(verdict?.summary).toMatch(
      /^a browser's fingerprint without a browser's behaviour over \d+ requests: /,
    );
    expect(verdict?.high).toBeLessThanOrEqual(1);
    expect(verdict!.observed).toBeLessThan(verdict!.low);
  });

  it("IMP-2: lying off the other way speaks against it, and an API-only site has no impostors", () => {
    const more = normal(new World(), 12, 0.1);
    steady(more, "keen", 0, NOW + 1, { reqs: 30, yes: { browser: 30, cache: 30, h2h3: 30 } });
    more.globals.set("keen", { ...GLOBAL, browser_ratio_1h: 0.55, h2h3_ratio_1h: 0.5 });
    expect(raised(tick(more, NOW))).not.toContain("impostor keen");
    const api = normal(new World(), 12, 0);
    steady(api, "caller", 0, NOW + 1, { reqs: 30, yes: { browser: 27, cache: 0, h2h3: 29 } });
    api.globals.set("caller", GLOBAL);
    expect(raised(tick(api, NOW))).toEqual([]);
  });

  it("IMP-2: what is not known agrees with nothing", () => {
    const world = normal(new World(), 12, 0.4);
    steady(world, "bare", 0, NOW + 1, { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 0 } });
    world.globals.set("bare", { browser_ratio_1h: 0.9 });
    expect(raised(tick(world, NOW))).toEqual(["divergence bare"]);
    world.globals.set("bare", { h2h3_ratio_1h: 0.98, heuristic_ratio_1h: 0 });
    expect(raised(tick(world, NOW))).toEqual(["divergence bare"]);
  });

  it("IMP-4: where Cloudflare says nothing of a ratio, the hour before speaks for it, beside one of the world's", () => {
    const raisedBy = (past: Minute, values: GlobalSignals["values"]) => {
      const world = normal(new World(), 12, 0.4);
      steady(world, "taken", 0, NOW - 4, past);
      steady(world, "taken", NOW - 4, NOW + 1, { reqs: 120, yes: { browser: 4, cache: 48, h2h3: 0 } });
      world.globals.set("taken", values);
      return raised(tick(world, NOW)).filter((key) => key === "impostor taken");
    };
    const browsers: Minute = { reqs: 30, yes: { browser: 29, cache: 12, h2h3: 29 } };
    const tool: Minute = { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 29 } };
    expect(raisedBy(browsers, { h2h3_ratio_1h: 0.98, heuristic_ratio_1h: 0 })).toEqual(["impostor taken"]);
    expect(raisedBy(browsers, { browser_ratio_1h: 0.9, heuristic_ratio_1h: 0 })).toEqual(["impostor taken"]);
    // No browser's before either, and two that are nobody's but its own past's.
    expect(raisedBy(tool, { h2h3_ratio_1h: 0.98, heuristic_ratio_1h: 0 })).toEqual([]);
    expect(raisedBy(browsers, { heuristic_ratio_1h: 0 })).toEqual([]);
  });

  it("IMP-3: the combined p is the one p, grows with dissent, and stays finite far out", () => {
    expect(cauchyCombination([])).toBe(1);
    for (const p of [1e-30, 1e-12, 1e-8, 1e-3, 0.4]) expect(cauchyCombination([p]) / p).toBeCloseTo(1, 6);
    expect(cauchyCombination([1e-20, 1e-20]) / 1e-20).toBeCloseTo(1, 6);
    expect(cauchyCombination([1e-20, 0.5]) / 2e-20).toBeCloseTo(1, 6);
    expect(cauchyCombination([1e-3, 1])).toBeGreaterThan(cauchyCombination([1e-3, 0.5]));
    expect(cauchyCombination([1, 1])).toBeLessThanOrEqual(1);
  });

  it("DET-24: does not raise what is over although the hour still holds it", () => {
    const world = normal(new World(), 12, 0.4);
    steady(world, "impostor", 0, NOW - 11, { reqs: 30, yes: { browser: 1, cache: 12, h2h3: 0 } });
    steady(world, "impostor", NOW - 10, NOW + 1, { reqs: 5, yes: { browser: 5, cache: 2, h2h3: 5 } });
    world.globals.set("impostor", GLOBAL);
    expect(raised(tick(world, NOW))).toEqual([]);
  });

  it("DET-11: is neutral where nothing is known, here or worldwide", () => {
    const world = normal(new World(), 12, 0.4);
    steady(world, "unknown", 0, NOW + 1, { reqs: 30, yes: { browser: 0 } });
    expect(raised(tick(world, NOW))).toEqual([]);
    const fit = fitOffsets(world.site(NOW).subjects());
    expect(divergences(world.subject("unknown", NOW), fit)).toEqual([]);
    world.globals.set("unknown", { reqs_rank_1h: 3, browser_ratio_1h: Number.NaN });
    expect(divergences(world.subject("unknown", NOW), fit)).toEqual([]);
    world.globals.set("unknown", { browser_ratio_1h: 0.9 });
    expect(divergences(world.subject("unknown", NOW), fit).map(({ signal }) => signal)).toEqual([
      "browser_ratio_1h",
    ]);
  });

  it("DET-12: takes the site's own offset out: nothing is cacheable on an API, and nobody diverges", () => {
    const world = normal(new World(), 12, 0);
    expect(raised(tick(world, NOW))).toEqual([]);
    const fit = fitOffsets(world.site(NOW).subjects());
    expect(fit.cache.alpha).toBeLessThan(-3);
    const cache = divergences(world.subject("n3", NOW), fit).find(
      ({ signal }) => signal === "cache_ratio_1h",
    );
    expect(cache?.expected).toBeLessThan(0.05);
    expect(cache?.score).toBeLessThan(3);
  });

  it("DET-12: shrinks the offset of few fingerprints and lists every ratio, strangest first", () => {
    const world = normal(new World(), 1, 0);
    const fit = fitOffsets(world.site(NOW).subjects());
    const all = fitOffsets(normal(new World(), 30, 0).site(NOW).subjects());
    expect(Math.abs(fit.cache.alpha)).toBeLessThan(Math.abs(all.cache.alpha) / 2);
    expect(fit.cache.scale).toBeGreaterThanOrEqual(1);
    const found = divergences(world.subject("n0", NOW), fit);
    expect(found).toHaveLength(4);
    expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).sort((a, b) => b - a));
    expect(fitOffsets([]).browser).toEqual({ alpha: 0, scale: 1, subjects: 0 });
  });

  it("DET-12: needs 200 known requests", () => {
    const world = normal(new World(), 12, 0.4);
    world.globals.set("few", GLOBAL);
    world.put("few", NOW, { reqs: 199, yes: { cache: 80 } });
    expect(raised(tick(world, NOW))).not.toContain("divergence few");
    world.put("few", NOW, { reqs: 200, yes: { cache: 80 } });
    expect(raised(tick(world, NOW))).toContain("divergence few");
  });

  it("DET-13: fits 20,000 fingerprints within a second", () => {
    const one = normal(new World(), 1, 0.4).subject("n0", NOW);
    const many = Array.from({ length: 20_000 }, () => one);
    const started = performance.now();
    const fit = fitOffsets(many);
    for (const subject of many) divergences(subject, fit);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe("user agents, paths, errors", () => {
  it("DET-14: raises user-agent rotation, by a known fingerprint and by a newborn", () => {
    const known = steady(busy(), "f", 0, NOW, { reqs: 60, newUas: 0 }).put("f", NOW, {
      reqs: 70,
      newUas: 40,
    });
    expect(raised(tick(known, NOW))).toEqual(["ua_rotation f"]);
    const newborn = busy().put("f", NOW, { reqs: 70, newUas: 65 });
    expect(raised(tick(newborn, NOW))).toEqual(["ua_rotation f"]);
  });

  it("DET-14: keeps quiet about few new agents, a small share of them, and a client that always does it", () => {
    const few = steady(busy(), "f", 0, NOW, { reqs: 60 }).put("f", NOW, { reqs: 60, newUas: 9 });
    expect(raised(tick(few, NOW))).toEqual([]);
    const thin = steady(busy(), "f", 0, NOW, { reqs: 600 }).put("f", NOW, { reqs: 600, newUas: 59 });
    expect(raised(tick(thin, NOW))).toEqual([]);
    const always = steady(busy(), "f", 0, NOW + 1, { reqs: 60, newUas: 30 });
    expect(raised(tick(always, NOW))).toEqual([]);
  });

  it("DET-23: sees agents that rotate behind one address, however often each is used, and not those of an office", () => {
    const rotating = { reqs: 52, newUas: 13, newIps: 1 };
    expect(raised(tick(busy().put("f", NOW, rotating), NOW))).toEqual(["ua_rotation f"]);
    // The same agents from as many addresses are people; without known addresses there is nothing to compare.
    expect(raised(tick(busy().put("f", NOW, { ...rotating, newIps: 13 }), NOW))).toEqual([]);
    expect(raised(tick(busy().put("f", NOW, { ...rotating, newIps: 0 }), NOW))).toEqual([]);
    expect(raised(tick(busy().put("f", NOW, { ...rotating, newUas: 9 }), NOW))).toEqual([]);
  });

  it("DET-14: judges a newborn by other newborns: every user agent is new to it", () => {
    const world = busy().put("f", NOW, { reqs: 60, newUas: 50 });
    expect(raised(tick(world, NOW))).toEqual(["ua_rotation f"]);
    for (let i = 0; i < 20; i++) world.put(`born${i}`, 60 + i, { reqs: 20, newUas: 10 });
    expect(raised(tick(world, NOW))).toEqual([]);
  });

  it("DET-15: raises a newborn that guesses paths where newborns walk as well", () => {
    const world = busy().put("f", NOW, { reqs: 70, newPaths: 70, yes: { error: 65 } });
    for (let i = 0; i < 20; i++) world.put(`born${i}`, 60 + i, { reqs: 20, newPaths: 16 });
    expect(raised(tick(world, NOW))).toEqual(["path_scan f", "error_burst f"]);
  });

  it("DET-16: does not learn a burst as the norm at once, neither a known client's nor a newborn's", () => {
    const failing = { reqs: 1_000, yes: { error: 990 } };
    const known = steady(new World().background(NOW + 30), "f", 0, NOW, { reqs: 900, yes: { error: 10 } });
    const long = play(steady(known, "f", NOW, NOW + 25, failing), NOW, NOW + 25, () => {}, 60_000);
    expect(long.events.filter(({ type }) => type === "cleared")).toEqual([]);
    expect(long.running.episodes.get("error_burst f")?.heldAtMs).toBe((NOW + 25) * MINUTE_MS);
    const newborn = steady(new World().background(NOW + 30), "f", NOW, NOW + 5, failing);
    const short = play(newborn, NOW, NOW + 5, () => {}, 60_000);
    expect(short.running.episodes.get("error_burst f")?.heldAtMs).toBe((NOW + 5) * MINUTE_MS);
  });

  it("DET-15: raises a scan for missing paths and a walk over existing ones", () => {
    const yes = { error: 55, browser: 60 };
    const scan = steady(busy(), "f", 0, NOW, { reqs: 60, newPaths: 2 }).put("f", NOW, {
      reqs: 60,
      newPaths: 58,
      yes,
    });
    expect(raised(tick(scan, NOW))).toEqual(["path_scan f", "error_burst f"]);
    const walk = steady(busy(), "f", 0, NOW, { reqs: 60, newPaths: 2 }).put("f", NOW, {
      reqs: 60,
      newPaths: 58,
    });
    expect(raised(tick(walk, NOW))).toEqual(["path_scan f"]);
    const newborn = busy().put("f", NOW, { reqs: 70, newPaths: 70, yes: { error: 65 } });
    expect(raised(tick(newborn, NOW))).toEqual(["path_scan f", "error_burst f"]);
  });

  it("DET-15: keeps quiet about a crawler, and about a newborn to whom every path is new", () => {
    const crawler = steady(busy(), "f", 0, NOW + 1, { reqs: 60, newPaths: 55 });
    expect(raised(tick(crawler, NOW))).toEqual([]);
    const world = busy();
    for (let i = 0; i < 20; i++) world.put(`born${i}`, 60 + i, { reqs: 20, newPaths: 16 });
    expect(raised(tick(world.put("f", NOW, { reqs: 60, newPaths: 45 }), NOW))).toEqual([]);
  });

  it("DET-16: raises a burst of errors of one client", () => {
    const world = steady(busy(), "f", 0, NOW, { reqs: 60, yes: { error: 1 } });
    const output = tick(world.put("f", NOW, { reqs: 60, yes: { error: 50 } }), NOW);
    expect(raised(output)).toEqual(["error_burst f"]);
    expect(verdictOf(output, "error_burst", "f")?.observed).toBeCloseTo(50 / 60);
  });

  it("DET-16: keeps quiet when the whole site answers with errors, and about a client that always gets them", () => {
    const outage = busy();
    for (let i = 0; i < 20; i++) outage.put(`bg${i}`, NOW, { reqs: 60, yes: { error: 50 } });
    expect(raised(tick(outage, NOW))).toEqual([]);
    const always = steady(busy(), "f", 0, NOW + 1, { reqs: 60, yes: { error: 50 } });
    expect(raised(tick(always, NOW))).toEqual([]);
  });
});

describe("episodes over time", () => {
  const flooding = (minute: number) => minute >= NOW + 2 && minute < NOW + 12;
  const script = (world: World, floods: (minute: number) => boolean) => (minute: number, share: number) => {
    world.put("f", minute, { reqs: Math.round((floods(minute) ? 400 : 20) * share) });
  };
  const usual = () => steady(new World().background(NOW + 60), "f", 0, NOW, { reqs: 20 });

  it("EPI-1: raises once, updates at most once a minute, clears once as recovered", () => {
    const world = usual();
    const { events } = play(world, NOW, NOW + 22, script(world, flooding));
    expect(events.filter(({ type }) => type === "raised")).toHaveLength(1);
    expect(events[0]).toMatchObject({ type: "raised", kind: "surge", ja4: "f" });
    expect(events[0]!.atMs - (NOW + 2) * MINUTE_MS).toBeLessThanOrEqual(30_000);
    expect(events.at(-1)).toMatchObject({ type: "cleared", reason: "recovered" });
    expect(events.filter(({ type }) => type === "cleared")).toHaveLength(1);
    const told = events.filter(({ type }) => type !== "cleared").map(({ atMs }) => atMs);
    expect(told.length).toBeGreaterThan(1);
    for (let i = 1; i < told.length; i++) expect(told[i]! - told[i - 1]!).toBeGreaterThanOrEqual(MINUTE_MS);
    const over = events.at(-1)!.atMs - (NOW + 12) * MINUTE_MS;
    expect(over).toBeGreaterThanOrEqual(5 * MINUTE_MS);
    expect(over).toBeLessThanOrEqual(7 * MINUTE_MS);
  });

  it("EPI-2: clears as quiet after five minutes without requests", () => {
    const world = new World().background(NOW + 30);
    const { events } = play(world, NOW, NOW + 15, (minute, share) => {
      if (minute < NOW + 3) world.put("f", minute, { reqs: Math.round(900 * share) });
    });
    expect(events.filter(({ type }) => type !== "updated").map(({ type, reason }) => [type, reason])).toEqual(
      [
        ["raised", undefined],
        ["cleared", "quiet"],
      ],
    );
    expect(events.at(-1)!.atMs).toBe((NOW + 8) * MINUTE_MS);
  });

  it("EPI-3: raises nothing that returns within its cooldown, counts it once, and raises what outlasts it", () => {
    const world = usual();
    const back = (from: number, to: number) => (m: number) =>
      flooding(m) || (m >= NOW + from && m < NOW + to);
    const short = play(world, NOW, NOW + 30, script(world, back(20, 23)), 20_000);
    expect(short.events.filter(({ type }) => type === "raised")).toHaveLength(1);
    expect(short.suppressed).toBe(1);
    const again = usual();
    const long = play(again, NOW, NOW + 35, script(again, back(20, 33)), 20_000);
    const starts = long.events.filter(({ type }) => type === "raised").map(({ atMs }) => atMs);
    const clear = long.events.find(({ type }) => type === "cleared")!.atMs;
    expect(starts).toHaveLength(2);
    expect(starts[1]! - clear).toBeGreaterThanOrEqual(10 * MINUTE_MS);
  });

  it("EPI-4: clears a running episode when its kind is switched off, and raises none", () => {
    const world = usual().put("f", NOW, { reqs: 400 });
    const first = tick(world, NOW);
    expect(raised(first)).toEqual(["surge f"]);
    const off = { ...DEFAULT_KIND_SETTINGS, surge: { ...DEFAULT_KIND_SETTINGS.surge, enabled: false } };
    const second = tick(world, NOW, first, MINUTE_MS, off);
    expect(second.events.map((event) => event.type === "cleared" && event.reason)).toEqual(["disabled"]);
    expect(second.episodes.size).toBe(0);
  });

  it("EPI-5: goes on after a restart with stored episodes: nothing is raised again", () => {
    const world = usual().put("f", NOW, { reqs: 400 });
    const first = tick(world, NOW, NOTHING, 30_000);
    const stored = new Map(JSON.parse(JSON.stringify([...first.episodes])) as [string, never][]);
    const second = tick(world, NOW, { episodes: stored, cleared: new Map() }, 40_000);
    expect(second.events).toEqual([]);
    expect(second.episodes.get("surge f")?.anomalyId).toBe(first.episodes.get("surge f")?.anomalyId);
  });

  it("EPI-6: answers the same whatever the order of fingerprints", () => {
    const world = usual()
      .put("f", NOW, { reqs: 400 })
      .put("a", NOW, { reqs: 900 })
      .put("z", NOW, { reqs: 900 });
    const site = world.site(NOW);
    const reversed: Site = { ...site, subjects: () => [...site.subjects()].reverse() };
    const run = (of: Site) => {
      let id = 0;
      const newId = () => `a${id++}`;
      return detect({ site: of, settings: DEFAULT_KIND_SETTINGS, ...NOTHING, cooldownMs: 0, newId }).events;
    };
    expect(run(site)).toHaveLength(3);
    expect(run(reversed)).toEqual(run(site));
  });
});

describe("numbers", () => {
  it("DET-17: never leaves a number that is not finite, nor a p of 0", () => {
    const world = steady(busy(), "f", 0, NOW, { reqs: 1 });
    world.put("f", NOW, {
      reqs: 4_000_000_000,
      newUas: 4_000_000_000,
      newPaths: 4_000_000_000,
      yes: { error: 4_000_000_000 },
    });
    world.put("z", NOW, { reqs: 3_000_000_000, newUas: 1 });
    world.globals.set("f", { browser_ratio_1h: 1, cache_ratio_1h: 0 });
    const { episodes } = tick(world, NOW);
    expect(episodes.size).toBeGreaterThan(3);
    for (const { last } of episodes.values()) {
      for (const value of [last.p, last.score, last.observed, last.expected, last.low, last.high]) {
        expect(Number.isFinite(value)).toBe(true);
      }
      expect(last.p).toBeGreaterThanOrEqual(1e-30);
      expect(last.score).toBeLessThanOrEqual(30);
    }
  });
});
