/**
 * `family_swarm`: many newborn fingerprints a minute that share parts of their JA4 and are hardly seen again: one client
 * that shuffles its ClientHello. The swarm is told as one anomaly under a glob of the parts that stay
 * (`t13d1513h2_8daaf6152771_*`), since its members are thousands and each is gone in a second.
 *
 * Births of a family in a minute: gamma-Poisson over its past minutes (negative binomial), with r at most R_MAX. A past
 * minute counts as at most twice the median and five, so that a swarm is not its own norm for half an hour.
 */
import { HOUR_MS } from "../../config.ts";
import { minuteOf } from "../../window/time.ts";
import { bornHere, historyMinutes } from "../history.ts";
import { negativeBinomialInterval, negativeBinomialZ, pOfScore, scoreOfZ } from "../tail.ts";
import type { GroupKind, GroupVerdict, KindSettings, Site, Subject } from "../types.ts";
import { usual } from "../words.ts";

const ON_SCORE = 8;
const HOLD_SCORE = 4;
/** Fewer newborns of a family in a minute are a coincidence. */
const NEWBORNS_MIN = 15;
const HOLD_SHARE = 0.5;
/** A member is seen once or twice; at least half of a swarm's are such. */
const SEEN_MAX_REQS = 2;
const SEEN_ONCE_SHARE = 0.5;
/** Births come in clumps: variance at least mean + mean² / R_MAX. */
const R_MAX = 5;
/** Jeffreys' prior of a Poisson rate. */
const BIRTHS_PRIOR = 0.5;
const WINSOR_TIMES = 2;
const WINSOR_ADD = 5;

/** Parts that a swarm can keep, the most telling first: what a pair explains, a single part does not tell again. */
const SHAPES = ["ab_", "a_c", "_bc", "a__", "_b_", "__c"] as const;
type Shape = (typeof SHAPES)[number];

interface Newborn {
  parts: readonly string[];
  reqs: number;
}

/** Of one fingerprint; `at`: which of the minutes before. */
interface Birth {
  at: number;
  parts: readonly string[];
}

interface Births {
  newborns: Newborn[];
  onceSeen: number;
  reqs: number;
}

/** The glob of a shape: `a__` of t13d1513h2_… is `t13d1513h2_*_*`. */
function globOf(shape: Shape, parts: readonly string[]): string {
  return parts.map((part, i) => (shape[i] === "_" ? "*" : part)).join("_");
}

/** The three parts of a fingerprint; undefined of a pseudo fingerprint. */
function partsOf(ja4: string): string[] | undefined {
  const parts = ja4.split("_");
  return parts.length === 3 ? parts : undefined;
}

export const familySwarm: GroupKind = {
  name: "family_swarm",
  warmUpMs: 2 * HOUR_MS,
  covers(glob, ja4) {
    const parts = partsOf(ja4);
    return parts !== undefined && glob.split("_").every((part, i) => part === "*" || part === parts[i]);
  },
  groups(site, settings, minute) {
    const newborns = newbornsOf(site, minute);
    // Most minutes end here: no look at the past, no sums.
    if (newborns.length < NEWBORNS_MIN * HOLD_SHARE) return [];
    const found: GroupVerdict[] = [];
    const minutes = historyMinutes(site, minute);
    let bornBefore: Birth[] | undefined;
    let rest = newborns;
    for (const shape of SHAPES) {
      const families = familiesOf(shape, rest);
      if (families.size === 0) continue;
      bornBefore ??= birthsBefore(site, minutes);
      const past = countBirths(bornBefore, minutes.length, shape, families);
      for (const [glob, births] of families) {
        const verdict = judge(glob, births, past.get(glob) ?? [], settings);
        if (!verdict.hold) continue;
        found.push({ ja4: glob, verdict });
        const told = new Set(births.newborns);
        rest = rest.filter((newborn) => !told.has(newborn));
      }
    }
    return found;
  },
};

/** Fingerprints that came in this minute, with what they have sent since. */
function newbornsOf(site: Site, minute: number): Newborn[] {
  const newborns: Newborn[] = [];
  for (const subject of site.subjects()) {
    if (minuteOf(subject.firstSeenMs) !== minute || !bornHere(subject, site)) continue;
    const parts = partsOf(subject.ja4);
    if (parts !== undefined) newborns.push({ parts, reqs: reqsSince(subject, minute, site.minuteNow) });
  }
  return newborns;
}

function reqsSince(subject: Subject, from: number, to: number): number {
  let reqs = 0;
  for (let minute = from; minute <= to; minute++) reqs += subject.reqs(minute);
  return reqs;
}

/** Families of a shape with enough newborns to speak of, by glob. */
function familiesOf(shape: Shape, newborns: readonly Newborn[]): Map<string, Births> {
  const families = new Map<string, Births>();
  for (const newborn of newborns) {
    const glob = globOf(shape, newborn.parts);
    const births = families.get(glob) ?? { newborns: [], onceSeen: 0, reqs: 0 };
    families.set(glob, births);
    births.newborns.push(newborn);
    births.reqs += newborn.reqs;
    if (newborn.reqs <= SEEN_MAX_REQS) births.onceSeen++;
  }
  for (const [glob, { newborns: members }] of families)
    if (members.length < NEWBORNS_MIN * HOLD_SHARE) families.delete(glob);
  return families;
}

/** Everyone who came in one of these minutes: most that were there all the hour, or came and went, are looked at once. */
function birthsBefore(site: Site, minutes: readonly number[]): Birth[] {
  const place = new Map(minutes.map((at, i) => [at, i]));
  const births: Birth[] = [];
  for (const subject of site.subjects()) {
    const at = place.get(minuteOf(subject.firstSeenMs));
    if (at === undefined || !bornHere(subject, site)) continue;
    const parts = partsOf(subject.ja4);
    if (parts !== undefined) births.push({ at, parts });
  }
  return births;
}

/** Births of these families in each of so many minutes, oldest first. */
function countBirths(
  before: readonly Birth[],
  minutes: number,
  shape: Shape,
  families: ReadonlyMap<string, Births>,
): Map<string, number[]> {
  const births = new Map([...families.keys()].map((glob) => [glob, new Array<number>(minutes).fill(0)]));
  for (const { at, parts } of before) {
    const counts = births.get(globOf(shape, parts));
    if (counts !== undefined) counts[at]!++;
  }
  return births;
}

function judge(glob: string, births: Births, past: readonly number[], settings: KindSettings) {
  const { onceSeen, reqs } = births;
  const x = births.newborns.length;
  const sorted = [...past].sort((a, b) => a - b);
  const most = WINSOR_TIMES * (sorted[sorted.length >> 1] ?? 0) + WINSOR_ADD;
  const sum = past.reduce((total, count) => total + Math.min(count, most), BIRTHS_PRIOR);
  const mean = sum / Math.max(past.length, 1);
  const r = Math.min(sum, R_MAX);
  const score = x > mean ? scoreOfZ(negativeBinomialZ(x, mean, r)) : 0;
  const p = pOfScore(score);
  const fleeting = onceSeen >= SEEN_ONCE_SHARE * x;
  const enough = x >= NEWBORNS_MIN && reqs >= settings.minReqs && x >= settings.minEffect * mean;
  return {
    p,
    score,
    on: fleeting && enough && score >= ON_SCORE,
    hold: fleeting && score >= HOLD_SCORE,
    window: "1m" as const,
    observed: x,
    expected: mean,
    ...negativeBinomialInterval(mean, r),
    unit: "new fingerprints/min",
    because: [{ signal: "newborns", local: x, expected: mean, p }],
    summary: `${x} new fingerprints ${glob} in a minute, ${onceSeen} of them seen once or twice, where ${usual(mean)}`,
  };
}
