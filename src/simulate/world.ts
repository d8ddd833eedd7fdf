/**
 * The "Internet": what Cloudflare would say of a fingerprint over all its zones, made independently of this site's
 * traffic. Cloudflare's samples agree on quantile = 1 − rank / N with N about 900,000; a part of the ten signals is
 * often missing. Ratios follow the family (real ones: a browser 0.93–0.95, scripts 0.002–0.05) and scatter in logits.
 */
import type { Family } from "./agents.ts";
import type { Draw } from "./random.ts";
import type { WorldSignals } from "./record.ts";

const POPULATION = 901_772;
const SCATTER_LOGITS = 0.2;
const MISSING_MIN = 0.05;
const MISSING_MAX = 0.3;
/** Of rare fingerprints Cloudflare knows nothing at all. */
const UNKNOWN_SHARE = 0.03;

interface Ratios {
  browser: number;
  heuristic: number;
  cache: number;
}

/** Cache ratios are below this shop's: its pages are full of images. A site's own offset is what detectors must fit. */
const RATIOS: Record<Family, Ratios> = {
  chromium: { browser: 0.94, heuristic: 0.001, cache: 0.3 },
  firefox: { browser: 0.93, heuristic: 0.002, cache: 0.32 },
  safari: { browser: 0.95, heuristic: 0.001, cache: 0.31 },
  http3: { browser: 0.95, heuristic: 0.001, cache: 0.37 },
  python: { browser: 0.02, heuristic: 0.15, cache: 0.06 },
  go: { browser: 0.02, heuristic: 0.08, cache: 0.06 },
  tool: { browser: 0.03, heuristic: 0.06, cache: 0.07 },
  app: { browser: 0.03, heuristic: 0.002, cache: 0.02 },
  crawler: { browser: 0.02, heuristic: 0.01, cache: 0.1 },
  monitor: { browser: 0.02, heuristic: 0.02, cache: 0.02 },
};

/** Ranks of the family's fingerprints, busiest and rarest. */
const RANKS: Record<Family, readonly [number, number]> = {
  chromium: [200, 40_000],
  firefox: [60, 9_000],
  safari: [30, 4_000],
  http3: [20, 8_000],
  python: [70, 5_000],
  go: [60, 9_000],
  tool: [150, 60_000],
  app: [250, 20_000],
  crawler: [300, 9_000],
  monitor: [2_000, 90_000],
};

function scattered(ratio: number, draw: Draw): number {
  const logit = Math.log(ratio / (1 - ratio)) + SCATTER_LOGITS * draw.normal();
  return round(1 / (1 + Math.exp(-logit)));
}

function round(value: number): number {
  return Number(value.toFixed(8));
}

/** Evenly on a logarithmic scale. */
function rankBetween([low, high]: readonly [number, number], draw: Draw): number {
  return Math.round(low * (high / low) ** draw.uniform());
}

function near(rank: number, draw: Draw): number {
  return Math.max(1, Math.round(rank * Math.exp(0.3 * draw.normal())));
}

export interface WorldOptions {
  /** Among the ten most common anywhere. */
  head: boolean;
  /** Nothing missing: a scene whose point is a comparison with the world needs the numbers. */
  complete: boolean;
}

/** `h2h3`: the client's usual share of HTTP/2 and HTTP/3. `undefined` = no signals at all. */
export function worldSignals(
  family: Family,
  h2h3: number,
  draw: Draw,
  { head, complete }: WorldOptions,
): WorldSignals | undefined {
  if (!head && !complete && draw.chance(UNKNOWN_SHARE)) return undefined;
  const ratios = RATIOS[family];
  const reqs = head ? 3 + draw.int(15) : rankBetween(RANKS[family], draw);
  const ips = near(reqs, draw);
  const all: Required<WorldSignals> = {
    h2h3_ratio_1h: scattered(h2h3, draw),
    heuristic_ratio_1h: scattered(ratios.heuristic, draw),
    browser_ratio_1h: scattered(ratios.browser, draw),
    cache_ratio_1h: scattered(ratios.cache, draw),
    reqs_rank_1h: reqs,
    uas_rank_1h: near(reqs, draw),
    paths_rank_1h: near(reqs, draw),
    ips_rank_1h: ips,
    reqs_quantile_1h: round(1 - reqs / POPULATION),
    ips_quantile_1h: round(1 - ips / POPULATION),
  };
  if (complete) return all;
  const missing = draw.between(MISSING_MIN, MISSING_MAX);
  return Object.fromEntries(Object.entries(all).filter(() => !draw.chance(missing)));
}
