/**
 * What a fingerprint's ratios should be on this site, given what they are worldwide: expected = σ(α + logit g). The
 * site's offset α and scatter are fitted per ratio over all its fingerprints: without it every fingerprint of an
 * API-only site (nothing cacheable) would "diverge" in cache ratio.
 */
import type { GlobalSignalName } from "../signals/global.ts";
import { FACTS, type Tally } from "../window/tally.ts";
import { RATIO_INDEX } from "../wire/flags.ts";
import { weightedMedian } from "./median.ts";
import { betaBinomialZ, pOfScore, scoreOfZTwoSided } from "./tail.ts";
import type { Subject } from "./types.ts";

/** The ratios that Cloudflare gives worldwide numbers for. */
export const DIVERGING_RATIOS = ["h2h3", "heuristic", "browser", "cache"] as const;
export type DivergingRatio = (typeof DIVERGING_RATIOS)[number];
export type DivergingSignal = Extract<GlobalSignalName, `${DivergingRatio}_ratio_1h`>;

/**
 * Ratios are taken as lying between these. A logit has no value at 0 and 1, and below a percent it makes much of
 * nothing: 100 % HTTP/2 here and 98 % worldwide would lie as far apart as 50 % and 88 %.
 */
export const RATIO_MIN = 0.01;
const RATIO_MAX = 1 - RATIO_MIN;
/** Yes and no each get half a request on top (Haldane–Anscombe). */
const SMOOTHING_REQS = 0.5;
/** A fingerprint with fewer known requests tells too little about the site. */
const FIT_MIN_KNOWN = 20;
/** It counts as at most this many, so that one giant is not the site. */
const FIT_WEIGHT_MAX = 200;
/** α is shrunk to 0 (the site is like the world) as if this many fingerprints had said so. */
const SHRINK_SUBJECTS = 3;
/** Scatter of fingerprints about the site's line, logit units: never under this … */
const SCALE_MIN = 0.5;
/** … and while fewer than this many fingerprints tell, at least that. */
const FEW_SUBJECTS = 8;
const SCALE_MIN_FEW = 1;
/** MAD of a normal distribution → its standard deviation. */
const MAD_TO_SD = 1.4826;

export interface Offset {
  /** Offset of the site against the world, logit units. */
  alpha: number;
  /** Scatter of the site's fingerprints about it, logit units. */
  scale: number;
  /** Fingerprints that it was fitted on. */
  subjects: number;
}
export type OffsetFit = Record<DivergingRatio, Offset>;

/** What is compared with the world: a tally of an hour, or of less. */
export type Compared = Pick<Subject, "hour" | "global">;

export interface Divergence {
  signal: DivergingSignal;
  local: number;
  expected: number;
  /** Absent where the fingerprint is compared with its own past. */
  global?: number;
  /** Beta-binomial size of the expected share. */
  s: number;
  p: number;
  score: number;
}

export type WorldwideDivergence = Divergence & { global: number };

export function signalOf(ratio: DivergingRatio): DivergingSignal {
  return `${ratio}_ratio_1h` as const;
}

export function knownOf(tally: Tally, ratio: DivergingRatio): number {
  return tally[FACTS + 2 * RATIO_INDEX[ratio]]!;
}

export function yesOf(tally: Tally, ratio: DivergingRatio): number {
  return Math.min(tally[FACTS + 2 * RATIO_INDEX[ratio] + 1]!, knownOf(tally, ratio));
}

function logit(ratio: number): number {
  const inside = Math.min(Math.max(ratio, RATIO_MIN), RATIO_MAX);
  return Math.log(inside / (1 - inside));
}

function smoothedLogit(yes: number, known: number): number {
  return logit((yes + SMOOTHING_REQS) / (known + 2 * SMOOTHING_REQS));
}

/** Fits all four offsets in one pass and two sorts each: O(n log n), 20,000 fingerprints in some tens of ms. */
export function fitOffsets(subjects: Iterable<Subject>): OffsetFit {
  const points = DIVERGING_RATIOS.map((): { value: number; weight: number }[] => []);
  for (const subject of subjects) {
    const { global } = subject;
    if (global === undefined) continue;
    const { hour } = subject;
    for (let i = 0; i < DIVERGING_RATIOS.length; i++) {
      const ratio = DIVERGING_RATIOS[i]!;
      const known = knownOf(hour, ratio);
      const worldwide = global.values[signalOf(ratio)];
      if (known < FIT_MIN_KNOWN || worldwide === undefined || !Number.isFinite(worldwide)) continue;
      const value = smoothedLogit(yesOf(hour, ratio), known) - logit(worldwide);
      points[i]!.push({ value, weight: Math.min(known, FIT_WEIGHT_MAX) });
    }
  }
  const [h2h3, heuristic, browser, cache] = points.map(fitOffset);
  const none = fitOffset([]);
  return { h2h3: h2h3 ?? none, heuristic: heuristic ?? none, browser: browser ?? none, cache: cache ?? none };
}

function fitOffset(points: readonly { value: number; weight: number }[]): Offset {
  const subjects = points.length;
  const alpha = ((weightedMedian([...points]) ?? 0) * subjects) / (subjects + SHRINK_SUBJECTS);
  const away = points.map(({ value, weight }) => ({ value: Math.abs(value - alpha), weight }));
  const least = subjects < FEW_SUBJECTS ? SCALE_MIN_FEW : SCALE_MIN;
  return { alpha, scale: Math.max(MAD_TO_SD * (weightedMedian(away) ?? 0), least), subjects };
}

/** The expected ratio of a fingerprint here, and its beta-binomial size s (delta method: logit scatter → Beta). */
export function expectedRatio(offset: Offset, worldwide: number): { expected: number; s: number } {
  const expected = 1 / (1 + Math.exp(-offset.alpha - logit(worldwide)));
  const inside = Math.min(Math.max(expected, RATIO_MIN), RATIO_MAX);
  const s = Math.max(1 / (inside * (1 - inside) * offset.scale ** 2) - 1, 1);
  return { expected: inside, s };
}

/**
 * Every ratio that can be compared, strangest first (contract §4 `divergence`). What is not known locally or worldwide
 * is left out: absence is neutral. p is two-sided and the weaker of two: the beta-binomial's, which knows how few the
 * requests are, and that of the distance in logits, whose scatter was measured; either alone is too sure somewhere.
 */
export function divergences(subject: Compared, fit: OffsetFit): WorldwideDivergence[] {
  const found: WorldwideDivergence[] = [];
  // Each of these is read anew whenever it is asked for.
  const worldwide = subject.global?.values;
  if (worldwide === undefined) return found;
  const { hour } = subject;
  for (const ratio of DIVERGING_RATIOS) {
    const global = worldwide[signalOf(ratio)];
    if (global === undefined || !Number.isFinite(global) || knownOf(hour, ratio) === 0) continue;
    found.push({ ...divergenceOf(ratio, hour, fit[ratio], global), global });
  }
  return strangestFirst(found);
}

/**
 * The same with the fingerprint's own `past` for what the world does not tell: as far as it moves from there, fingerprints of
 * the site lie from the world.
 */
export function divergencesFromPast(subject: Compared, past: Tally, fit: OffsetFit): Divergence[] {
  const found: Divergence[] = [];
  for (const ratio of DIVERGING_RATIOS) {
    const known = knownOf(past, ratio);
    if (Number.isFinite(subject.global?.values[signalOf(ratio)] ?? Number.NaN)) continue;
    if (known < FIT_MIN_KNOWN || knownOf(subject.hour, ratio) === 0) continue;
    found.push(divergenceOf(ratio, subject.hour, { ...fit[ratio], alpha: 0 }, yesOf(past, ratio) / known));
  }
  return found;
}

export function strangestFirst<T extends Divergence>(found: T[]): T[] {
  return found.sort((a, b) => b.score - a.score || (a.signal < b.signal ? -1 : 1));
}

function divergenceOf(ratio: DivergingRatio, hour: Tally, offset: Offset, from: number): Divergence {
  const n = knownOf(hour, ratio);
  const k = yesOf(hour, ratio);
  const { expected, s } = expectedRatio(offset, from);
  const counted = 1 / (n * expected * (1 - expected));
  const away = (smoothedLogit(k, n) - logit(expected)) / Math.sqrt(offset.scale ** 2 + counted);
  const z = Math.min(Math.abs(betaBinomialZ(k, n, expected, s)), Math.abs(away));
  const score = scoreOfZTwoSided(z);
  return { signal: signalOf(ratio), local: k / n, expected, s, p: pOfScore(score), score };
}
