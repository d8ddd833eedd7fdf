/**
 * Quiet on ordinary background. A seeded simulation of a site whose fingerprints have Zipf volumes (0.1 to 2,000
 * requests a minute), gamma-Poisson counts (φ up to 0.3), beta-binomial ratios and novelty, and worldwide ratios that
 * scatter about the site's by 0.5 logits. Written down before the detectors saw any of it; nothing is an attack.
 */
import { describe, expect, it } from "vitest";
import { MINUTE_MS } from "../../src/config.ts";
import { detect } from "../../src/detect/engine.ts";
import type { Cleared } from "../../src/detect/episode.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import type { Episode, EpisodeEvent, Site, Subject } from "../../src/detect/types.ts";
import type { GlobalSignals } from "../../src/signals/global.ts";
import {
  addTally,
  FACTS,
  NEW_PATHS,
  NEW_UAS,
  REQS,
  subtractTally,
  TALLY_WIDTH,
} from "../../src/window/tally.ts";
import { RATIOS } from "../../src/wire/flags.ts";

/** Mulberry32: 32 bits of state, enough for a simulation. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Draw {
  readonly uniform: () => number;
  constructor(seed: number) {
    this.uniform = mulberry(seed);
  }
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
  /** Marsaglia & Tsang 2000. */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  }
  poisson(mean: number): number {
    if (mean > 60) return Math.max(Math.round(mean + Math.sqrt(mean) * this.normal()), 0);
    let left = Math.exp(-mean);
    let count = 0;
    for (let u = this.uniform(); u > left; u -= left, left *= mean / count) count++;
    return count;
  }
  beta(mean: number, s: number): number {
    const a = this.gamma(Math.max(mean * s, 1e-6));
    const b = this.gamma(Math.max((1 - mean) * s, 1e-6));
    return a + b > 0 ? a / (a + b) : mean;
  }
  binomial(n: number, p: number): number {
    if (n > 60) {
      const normal = n * p + Math.sqrt(n * p * (1 - p)) * this.normal();
      if (n * p > 30 && n * (1 - p) > 30) return Math.min(Math.max(Math.round(normal), 0), n);
    }
    let k = 0;
    for (let i = 0; i < n; i++) if (this.uniform() < p) k++;
    return k;
  }
}

interface Options {
  fingerprints: number;
  phiMax: number;
  /** Zipf exponent. */
  slope: number;
  /** Site age when the judged hour begins, minutes. */
  from: number;
  minutes: number;
}

class Client {
  readonly ja4: string;
  readonly rows: Uint32Array[] = [];
  readonly hour = new Uint32Array(TALLY_WIDTH);
  readonly rate: number;
  readonly #phi: number;
  readonly #ratios: number[];
  readonly #novelty: [number, number];
  readonly global: GlobalSignals | undefined;
  firstSeenMs = 0;
  lastMinute = -1;
  #shown = 0;

  constructor(draw: Draw, rank: number, options: Options) {
    this.ja4 = `c${rank}`;
    this.rate = Math.max(2000 / (rank + 1) ** options.slope, 0.1);
    this.#phi = options.phiMax * draw.uniform();
    const logits = [4, -3, 2, -3, -0.5, -3].map((middle) => middle + 1.5 * draw.normal());
    this.#ratios = logits.map((x) => 1 / (1 + Math.exp(-x)));
    this.#novelty = [draw.beta(0.03, 20), draw.beta(0.15, 8)];
    const world = (i: number) => 1 / (1 + Math.exp(-(logits[i]! + 0.4 + 0.5 * draw.normal())));
    const values = {
      h2h3_ratio_1h: world(0),
      heuristic_ratio_1h: world(1),
      browser_ratio_1h: world(2),
      cache_ratio_1h: world(4),
    };
    this.global = draw.uniform() < 0.2 ? undefined : { seenAtMs: 0, values };
  }

  /** One minute of this client: everything it does comes in scatter of its own. */
  live(draw: Draw, minute: number): Uint32Array {
    const row = new Uint32Array(TALLY_WIDTH);
    const scatter = this.#phi > 0.001 ? draw.gamma(1 / this.#phi) * this.#phi : 1;
    const n = draw.poisson(this.rate * scatter);
    row[REQS] = n;
    this.#ratios.forEach((ratio, i) => {
      row[FACTS + 2 * i] = n;
      row[FACTS + 2 * i + 1] = n === 0 ? 0 : draw.binomial(n, draw.beta(ratio, 60));
    });
    if (n > 0) {
      // What it has shown little of is mostly new: novelty falls off with the requests so far.
      const early = 1 / (1 + this.#shown / 15);
      const share = (base: number) => Math.min(draw.beta(base, 30) + early * (1 - base), 1);
      row[NEW_UAS] = Math.min(draw.binomial(n, share(this.#novelty[0]) * 0.5), n);
      row[NEW_PATHS] = draw.binomial(n, share(this.#novelty[1]));
      this.#shown += n;
      if (this.lastMinute < minute - 60) {
        this.firstSeenMs = minute * MINUTE_MS + 1 + Math.floor(draw.uniform() * (MINUTE_MS - 1));
        this.#shown = n;
      }
      this.lastMinute = minute;
    }
    return row;
  }
}

/** Runs a site and returns what was raised in the judged minutes. */
function simulate(seed: number, options: Options): EpisodeEvent[] {
  const draw = new Draw(seed);
  const clients = Array.from({ length: options.fingerprints }, (_, rank) => new Client(draw, rank, options));
  const totals: Uint32Array[] = [];
  const scratch = new Uint32Array(TALLY_WIDTH);
  const subjects = clients.map((client) => ({
    ja4: client.ja4,
    get firstSeenMs() {
      return client.firstSeenMs;
    },
    hour: client.hour,
    global: client.global,
    // One row for all answers, as the interface allows: a detector that keeps one would read another's counts.
    minute(at: number) {
      const row = client.rows[at];
      if (row === undefined || row[REQS] === 0) return undefined;
      scratch.set(row);
      return scratch;
    },
    reqs: (at: number) => client.rows[at]?.[REQS] ?? 0,
  })) satisfies Subject[];
  let episodes: ReadonlyMap<string, Episode> = new Map();
  let cleared: ReadonlyMap<string, Cleared> = new Map();
  const raised: EpisodeEvent[] = [];
  let id = 0;
  for (let minute = 0; minute < options.from + options.minutes; minute++) {
    const total = new Uint32Array(TALLY_WIDTH);
    for (const client of clients) {
      const row = client.live(draw, minute);
      client.rows.push(row);
      addTally(total, 0, row, 0);
      addTally(client.hour, 0, row, 0);
      const gone = client.rows[minute - 60];
      if (gone !== undefined) subtractTally(client.hour, 0, gone, 0);
    }
    totals.push(total);
    if (minute < options.from) continue;
    const site: Site = {
      firstDataMs: 1,
      asOfMs: (minute + 1) * MINUTE_MS,
      minuteNow: minute,
      minute: (at) => totals[at],
      reqs: (at) => totals[at]?.[REQS] ?? 0,
      *subjects() {
        for (let i = 0; i < clients.length; i++) if (clients[i]!.lastMinute > minute - 60) yield subjects[i]!;
      },
    };
    const newId = () => `a${id++}`;
    const out = detect({
      site,
      settings: DEFAULT_KIND_SETTINGS,
      episodes,
      cleared,
      cooldownMs: 10 * MINUTE_MS,
      newId,
    });
    episodes = out.episodes;
    cleared = out.cleared;
    raised.push(...out.events.filter(({ type }) => type === "raised"));
  }
  return raised;
}

const told = (events: EpisodeEvent[]) =>
  events.map(({ episode: e }) => `${e.kind} ${e.ja4} ${e.last.summary}`);

describe("ordinary background", () => {
  const hour = { fingerprints: 2_000, phiMax: 0.3, slope: 1, from: 130, minutes: 60 };
  for (const seed of [11, 12]) {
    it(`DET-1: raises nothing over 2,000 fingerprints and an hour (seed ${seed})`, {
      timeout: 120_000,
    }, () => {
      expect(told(simulate(seed, hour))).toEqual([]);
    });
  }
  it("DET-1: raises nothing on a small site with flat volumes (seed 13)", { timeout: 120_000 }, () => {
    expect(told(simulate(13, { ...hour, fingerprints: 400, slope: 0.5 }))).toEqual([]);
  });
  it("DET-1: raises nothing right after the warm-up of half an hour (seed 14)", { timeout: 120_000 }, () => {
    expect(told(simulate(14, { ...hour, fingerprints: 1_000, from: 30, minutes: 40 }))).toEqual([]);
  });
});

// The ratios of a client and of a tally stand in the same order.
expect(RATIOS).toEqual(["h2h3", "heuristic", "browser", "bot", "cache", "error"]);
