/**
 * Where fingerprints stand among each other here, against where they stand worldwide. A shard's fingerprints are a random
 * part of the site's (they are spread by a hash), so their order stands for the site's.
 *
 * ρ = log10((1 − q_worldwide) / (1 − q_here)) of the quantiles by requests: 1 = ten times nearer to the top here than
 * worldwide. Its centre and scatter over the site's fingerprints say what is usual here; median and MAD, so that the strange
 * ones do not hide themselves. Made once a minute.
 */
import { REQS } from "../window/tally.ts";
import { weightedMedian } from "./median.ts";
import type { Site, Subject } from "./types.ts";

/** The minutes that "now" is, against the hour. */
export const NOW_MINUTES = 10;
/** Fewer fingerprints are no crowd to stand in. */
const FINGERPRINTS_MIN = 50;
/** One with fewer requests in the hour has no standing of its own. */
const TELLS_MIN_REQS = 20;
const HOUR_MINUTES = 60;
const MAD_TO_SD = 1.4826;
const RHO_SCALE_MIN = 0.3;
const SHIFT_SCALE_MIN = 0.15;

export interface Standing {
  minute: number;
  /** Requests of the hour and of the last minutes, of all fingerprints, ascending. */
  hour: Float64Array;
  now: Float64Array;
  /** Centre and scatter of ρ by the hour; scatter of where one stands now against before. */
  rho: { centre: number; scale: number };
  shiftScale: number;
  /** Share of busy fingerprints that Cloudflare told anything of. */
  knownShare: number;
}

/** `undefined` where there are too few. */
export function standingOf(site: Site): Standing | undefined {
  const busy: { hour: number; now: number; worldwide: number | undefined }[] = [];
  const hours: number[] = [];
  const nows: number[] = [];
  for (const subject of site.subjects()) {
    const hour = subject.hour[REQS]!;
    const now = nowReqs(subject, site.minuteNow);
    hours.push(hour);
    nows.push(now);
    if (hour >= TELLS_MIN_REQS) busy.push({ hour, now, worldwide: quantileWorldwide(subject) });
  }
  if (hours.length < FINGERPRINTS_MIN || busy.length < FINGERPRINTS_MIN / 2) return undefined;
  const standing: Standing = {
    minute: site.minuteNow,
    hour: Float64Array.from(hours).sort(),
    now: Float64Array.from(nows).sort(),
    rho: { centre: 0, scale: RHO_SCALE_MIN },
    shiftScale: SHIFT_SCALE_MIN,
    knownShare: busy.filter(({ worldwide }) => worldwide !== undefined).length / busy.length,
  };
  const known = busy.flatMap(({ hour, worldwide }) =>
    worldwide === undefined ? [] : [rhoOf(worldwide, above(standing.hour, hour))],
  );
  const centre = median(known);
  standing.rho = {
    centre,
    scale: Math.max(MAD_TO_SD * median(known.map((rho) => Math.abs(rho - centre))), RHO_SCALE_MIN),
  };
  const shifts = busy
    .filter(({ now }) => now > 0)
    .map(({ hour, now }) =>
      Math.abs(Math.log10(above(standing.now, beforeReqs(hour, now)) / above(standing.now, now))),
    );
  standing.shiftScale = Math.max(MAD_TO_SD * median(shifts), SHIFT_SCALE_MIN);
  return standing;
}

function median(values: readonly number[]): number {
  return weightedMedian(values.map((value) => ({ value, weight: 1 }))) ?? 0;
}

/** Share of fingerprints with more requests, never 0: the first of M has half of 1/M. */
export function above(sorted: Float64Array, reqs: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= reqs) low = middle + 1;
    else high = middle;
  }
  return (sorted.length - low + 0.5) / sorted.length;
}

/** `aboveHere`: share of the site's fingerprints with more requests. */
export function rhoOf(worldwide: number, aboveHere: number): number {
  return Math.log10(Math.max(1 - worldwide, 1e-6) / aboveHere);
}

/** Cloudflare's quantile by requests; absent when not known. */
export function quantileWorldwide({ global }: Subject): number | undefined {
  const quantile = global?.values.reqs_quantile_1h;
  return quantile !== undefined && quantile >= 0 && quantile <= 1 ? quantile : undefined;
}

/** Requests of as many minutes of the hour before the last ones, on average. */
export function beforeReqs(hour: number, now: number): number {
  return ((hour - now) * NOW_MINUTES) / (HOUR_MINUTES - NOW_MINUTES);
}

/** Requests of the last minutes up to `minute`. */
export function nowReqs(subject: Subject, minute: number): number {
  let reqs = 0;
  for (let at = minute - NOW_MINUTES + 1; at <= minute; at++) reqs += subject.reqs(at);
  return reqs;
}
