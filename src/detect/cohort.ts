/**
 * What fingerprints without a steady past do, learned from the others on this site.
 *
 * Newborns: how many requests a fingerprint brings in its first minutes, and how many of those show a user agent or
 * path that it had not shown before (nearly all, at first). Arrivals: how many it brings when it comes after a silent
 * minute (a page with all that hangs on it). Either is a Gamma prior by moments, a0 = mean² / (variance − mean), so
 * that a minute's count is negative binomial with r = a0.
 */
import { addTally, REQS, TALLY_WIDTH, type Tally } from "../window/tally.ts";
import { minuteOf } from "../window/time.ts";
import { bornHere } from "./history.ts";
import type { Site, Subject } from "./types.ts";

/** Minutes of a newborn's life that the cohort is made of: the one it came in, cut short, and its first whole one. */
const FIRST_MINUTES = 2;
/** Whole minutes that arrivals are gathered from: the newest ones that are not under test. */
const ARRIVAL_MINUTES = 3;
/** Before a site shows bursts of its own: ten requests, give or take ten … */
const PRIOR_MEAN_REQS = 10;
const PRIOR_SD_REQS = 10;
/** … worth five bursts, and fading to half of that when there are twenty real ones. */
const PRIOR_BURSTS = 5;
const PRIOR_FADES_BURSTS = 20;
/** A burst past this many times the upper quartile counts as that much: a swarm of attackers is no norm. */
const WINSOR_TIMES = 4;
const WINSOR_ADD_REQS = 20;

/** Requests a minute: negative binomial with this mean and size. */
export interface Volume {
  mean: number;
  r: number;
}

/** Sums over bursts, each cut at `most`. */
export interface Bursts {
  count: number;
  sum: number;
  squares: number;
  most: number;
}

export interface Cohort {
  bursts: Bursts;
  /** Tally of all first minutes of newborns. */
  firstMinutes: Tally;
}

/** A site's cohort, made once a tick although several kinds ask for it: a `Site` is one tick's view. */
const cohorts = new WeakMap<Site, Cohort>();

/** The newborns of the last hour. One pass over all fingerprints, two look-ups for each newborn. */
export function cohortOf(site: Site): Cohort {
  const known = cohorts.get(site) ?? gatherCohort(site);
  cohorts.set(site, known);
  return known;
}

function gatherCohort(site: Site): Cohort {
  const counts: number[] = [];
  const firstMinutes: Tally = new Uint32Array(TALLY_WIDTH);
  for (const subject of site.subjects()) {
    eachFirstMinute(subject, site, (tally) => {
      counts.push(tally[REQS]!);
      addTally(firstMinutes, 0, tally, 0);
    });
  }
  return { bursts: burstsOf(counts), firstMinutes };
}

/** How much fingerprints bring when they come back. One pass, four look-ups each. */
export function arrivalsOf(site: Site): Bursts {
  const counts: number[] = [];
  const newest = site.minuteNow - 2;
  for (const subject of site.subjects()) {
    let before = subject.reqs(newest - ARRIVAL_MINUTES);
    for (let minute = newest - ARRIVAL_MINUTES + 1; minute <= newest; minute++) {
      const x = subject.reqs(minute);
      if (x > 0 && before === 0) counts.push(x);
      before = x;
    }
  }
  return burstsOf(counts);
}

function burstsOf(counts: readonly number[]): Bursts {
  const sorted = [...counts].sort((a, b) => a - b);
  // With few of them the quartile is one of them, perhaps the one under test.
  const typical = sorted.length < PRIOR_BURSTS ? PRIOR_MEAN_REQS : sorted[Math.floor(sorted.length * 0.75)]!;
  const bursts = { count: 0, sum: 0, squares: 0, most: WINSOR_TIMES * typical + WINSOR_ADD_REQS };
  for (const count of counts) addBurst(bursts, count, 1);
  return bursts;
}

/** Adds a burst, or takes it out again. */
export function addBurst(bursts: Bursts, reqs: number, times: 1 | -1): void {
  const x = Math.min(reqs, bursts.most);
  bursts.count += times;
  bursts.sum += times * x;
  bursts.squares += times * x * x;
}

export function volumeOf(bursts: Bursts): Volume {
  const prior = (PRIOR_BURSTS * PRIOR_FADES_BURSTS) / (PRIOR_FADES_BURSTS + bursts.count);
  const weight = bursts.count + prior;
  const mean = (bursts.sum + prior * PRIOR_MEAN_REQS) / weight;
  const squares = (bursts.squares + prior * (PRIOR_MEAN_REQS ** 2 + PRIOR_SD_REQS ** 2)) / weight;
  const spread = squares - mean * mean - mean;
  return { mean, r: (mean * mean) / Math.max(spread, mean * 0.1) };
}

/** What the other newborns bring: nobody is their own norm. */
export function newbornVolume(cohort: Cohort, subject: Subject, site: Site): Volume {
  const others = { ...cohort.bursts };
  eachFirstMinute(subject, site, (tally) => addBurst(others, tally[REQS]!, -1));
  return volumeOf(others);
}

/** The tally of the other newborns' first minutes. */
export function newbornTally(cohort: Cohort, subject: Subject, site: Site): Tally {
  const rest = cohort.firstMinutes.slice();
  eachFirstMinute(subject, site, (own) => {
    for (let column = 0; column < TALLY_WIDTH; column++) {
      rest[column] = Math.max(rest[column]! - own[column]!, 0);
    }
  });
  return rest;
}

/** A newborn's first minutes in which it had requests; nothing for a fingerprint that was there from the start. */
function eachFirstMinute(subject: Subject, site: Site, take: (tally: Tally) => void): void {
  if (!bornHere(subject, site)) return;
  const born = minuteOf(subject.firstSeenMs);
  for (let minute = born; minute < born + FIRST_MINUTES; minute++) {
    const tally = subject.minute(minute);
    if (tally !== undefined && tally[REQS]! > 0) take(tally);
  }
}
