/**
 * The test that user agents, paths and errors share: k "yes" among the n requests of a minute against a rate learned
 * from the fingerprint's own past minutes, shrunk to the rate of everyone else on the site (empirical Bayes), with
 * beta-binomial scatter s = 1 / rho − 1 learned from the same minutes. The tail is summed, not approximated.
 */
import { TALLY_WIDTH, type Tally } from "../window/tally.ts";
import { type Cohort, newbornTally } from "./cohort.ts";
import { historyMinutes, perMinute } from "./history.ts";
import { betaBinomialInterval, betaBinomialScore, betaBinomialZ } from "./tail.ts";
import type { Site, Subject } from "./types.ts";

/** Past minutes fade with this half-life, so a crawl that turns to new pages is its own norm after a while. */
const HALF_LIFE_MINUTES = 16;
const DECAY = 2 ** (-1 / HALF_LIFE_MINUTES);
/** Requests that the rate of everyone else is worth. */
const PEER_WEIGHT_REQS = 50;
const APART_WEIGHT_REQS = 2;
/** What one minute's requests are worth at most. */
const MINUTE_WEIGHT_MAX_REQS = 20;
/** After this many minutes with requests a past is settled; then a minute this far out is not learned … */
const SETTLED_MINUTES = 10;
const FREEZE_Z = 4;
const FREEZE_MIN_REQS = 25;
/** … for this long: half an hour of it is the new norm. */
const FREEZE_MAX_MINUTES = 30;
/** No rate is believed to be lower than this, nor higher than one minus this. */
const RATE_MIN = 0.005;
/** Intra-class correlation of a client's requests within a minute: sessions come in clumps. */
const RHO_PRIOR = 0.04;
const RHO_PRIOR_MINUTES = 20;
const RHO_MIN = 0.02;
const RHO_MAX = 0.9;
/** With fewer requests behind it a fingerprint is judged by what newborns do: everything is new to it. */
const OWN_PAST_MIN_REQS = 50;
/** Newborns' novelty before a site has any. */
const NEWBORN_RATE_PRIOR = 0.1;

/** Which two numbers of a tally are compared. */
export interface ShareColumns {
  yes: number;
  known: number;
  /** Counts the known requests that are *not* yes: the test sees rises only, and a fall of one share is a rise of the other. */
  inverted?: boolean;
}

export interface ShareTest {
  k: number;
  n: number;
  /** Expected share. */
  expected: number;
  score: number;
  /** 95 % predictive interval of the share. */
  low: number;
  high: number;
}

/** What a minute is compared with, beside the fingerprint's own past. */
export interface ShareContext {
  /** Newborns' share, where a fingerprint without a past is judged by it. */
  cohort?: Cohort;
  /** The expected share is at least this. */
  floor?: number;
  /** Fingerprints have nothing in common: what everyone else does hardly counts, and the own rate is only as sure as it was seen. */
  isApart?: boolean;
  /** What the share of everyone else has risen by since is expected of this fingerprint too. */
  withSite?: boolean;
}

/** Returns the test for one pair of columns; the site's totals are added up once a minute under test. */
export function shareTester(site: Site, columns: ShareColumns) {
  const past = perMinute((minute) => {
    const minutes = historyMinutes(site, minute);
    const total = totalOf(minutes, (at) => site.minute(at), columns);
    return { minutes, total };
  });
  return (subject: Subject, minute: number, context: ShareContext): ShareTest | undefined => {
    const now = subject.minute(minute);
    const n = now?.[columns.known] ?? 0;
    if (n === 0) return undefined;
    const k = yesIn(now, columns);
    const { minutes, total } = past(minute);
    const own = totalOf(minutes, (at) => subject.minute(at), columns);
    const peers = rateOf(Math.max(total.k - own.k, 0), Math.max(total.n - own.n, 0), RATE_MIN);
    const learned = learn(subject, minutes, columns, { rate: peers, isApart: context.isApart === true });
    let expected = Math.max(learned.rate, context.floor ?? 0);
    if (context.withSite === true) expected += riseOfOthers(site.minute(minute), { k, n }, peers, columns);
    if (context.cohort !== undefined && own.n < OWN_PAST_MIN_REQS) {
      const others = newbornTally(context.cohort, subject, site);
      expected = Math.max(expected, rateOf(others[columns.yes]!, others[columns.known]!, NEWBORN_RATE_PRIOR));
    }
    expected = believable(expected);
    const s = 1 / learned.rho - 1;
    return {
      k,
      n,
      expected,
      score: k > n * expected ? betaBinomialScore(k, n, expected, s) : 0,
      ...betaBinomialInterval(n, expected, s),
    };
  };
}

/** Requests of the fingerprint in these columns that count as yes; 0 where there are none. */
function yesIn(tally: Tally | undefined, { yes, known, inverted }: ShareColumns): number {
  if (tally === undefined) return 0;
  const k = Math.min(tally[yes]!, tally[known]!);
  return inverted === true ? tally[known]! - k : k;
}

/** By how much the others' share of this minute lies above that of the past; 0 where too few of them are there to tell. */
function riseOfOthers(
  all: Tally | undefined,
  own: { k: number; n: number },
  past: number,
  columns: ShareColumns,
): number {
  const n = (all?.[columns.known] ?? 0) - own.n;
  if (n < PEER_WEIGHT_REQS) return 0;
  return Math.max((yesIn(all, columns) - own.k) / n - past, 0);
}

function believable(rate: number): number {
  return Math.min(Math.max(rate, RATE_MIN), 1 - RATE_MIN);
}

function rateOf(k: number, n: number, prior: number): number {
  return (k + PEER_WEIGHT_REQS * prior) / (n + PEER_WEIGHT_REQS);
}

function totalOf(
  minutes: readonly number[],
  tallyOf: (minute: number) => Tally | undefined,
  columns: ShareColumns,
): { k: number; n: number } {
  let k = 0;
  let n = 0;
  for (const at of minutes) {
    const tally = tallyOf(at);
    if (tally === undefined || tally.length < TALLY_WIDTH) continue;
    k += yesIn(tally, columns);
    n += tally[columns.known]!;
  }
  return { k, n };
}

/**
 * One fold over the past: faded rate shrunk to the peers', and how much minutes scatter about it. A minute counts as
 * at most MINUTE_WEIGHT_MAX requests, and one far out of a settled past not at all for half an hour: a flood must not
 * become the norm by its mere size.
 */
function learn(
  subject: Subject,
  minutes: readonly number[],
  columns: ShareColumns,
  peers: { rate: number; isApart: boolean },
): { rate: number; rho: number } {
  let k = 0;
  let n = 0;
  let rhoSum = RHO_PRIOR * RHO_PRIOR_MINUTES;
  let rhoWeight = RHO_PRIOR_MINUTES;
  let learned = 0;
  let frozen = 0;
  const weight = peers.isApart ? APART_WEIGHT_REQS : PEER_WEIGHT_REQS;
  const rateNow = () => believable((k + weight * peers.rate) / (n + weight));
  for (const at of minutes) {
    k *= DECAY;
    n *= DECAY;
    const tally = subject.minute(at);
    const trials = tally?.[columns.known] ?? 0;
    if (trials === 0) continue;
    const yes = yesIn(tally, columns);
    const rate = rateNow();
    const strange =
      yes >= 2 * rate * trials && betaBinomialZ(yes, trials, rate, rhoWeight / rhoSum - 1) >= FREEZE_Z;
    if (strange && learned >= SETTLED_MINUTES && trials >= FREEZE_MIN_REQS && frozen < FREEZE_MAX_MINUTES) {
      frozen++;
      continue;
    }
    frozen = 0;
    learned++;
    if (trials > 1) {
      const spread = (yes - trials * rate) ** 2 / (trials * rate * (1 - rate));
      // A minute tells about rho as far as its requests outnumber the scatter; one wild minute tells at most 1.
      const told = (((trials - 1) * RHO_PRIOR) / (1 + (trials - 1) * RHO_PRIOR)) ** 2;
      rhoSum = Math.max(rhoSum + told * Math.min((spread - 1) / (trials - 1), 1), RHO_MIN * rhoWeight);
      rhoWeight += told;
    }
    const counted = Math.min(trials, MINUTE_WEIGHT_MAX_REQS);
    k += (yes / trials) * counted;
    n += counted;
  }
  const unsure = peers.isApart ? 1 / (n + weight + 1) : 0;
  return {
    rate: rateNow(),
    rho: Math.min(Math.max(rhoSum / rhoWeight, RHO_MIN) + unsure, RHO_MAX),
  };
}
