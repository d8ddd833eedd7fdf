/**
 * `surge`: far more requests in a minute than this fingerprint's own past lets expect. A minute is tested while it
 * fills, against the distribution of a whole one, which can only understate it.
 */
import { HOUR_MS } from "../../config.ts";
import { baselineOf, historyCounts } from "../baseline.ts";
import { addBurst, type Bursts, volumeOf } from "../cohort.ts";
import type { Habits } from "../habits.ts";
import { HISTORY_MIN_MINUTES, historyMinutes, perMinute } from "../history.ts";
import { negativeBinomialZ, SCORE_MAX, scoreOfZ } from "../tail.ts";
import type { Kind, KindSettings, Subject, Verdict } from "../types.ts";
import { isEnough, volumeFound } from "../volume.ts";
import { usual } from "../words.ts";

/** Candidates for a raise; below this calibrated score none does. */
const ON_SCORE = 5;
const FLOOR_SCORE = 7;
const HOLD_SCORE = 4;
/** A running surge is kept alive by this share of the requests that raise one. */
const HOLD_REQS_SHARE = 0.5;
/** A fingerprint that was there in fewer of the past minutes comes and goes: it is judged by its bursts as well. */
const STEADY_SHARE = 2 / 3;
/** What it reached this much of, in two separate bursts or in fifteen minutes of the hour, is its habit. */
const HABIT_SHARE = 0.7;
const HABIT_BURSTS = 2;
const HABIT_MINUTES = 15;

export const surge: Kind = {
  name: "surge",
  warmUpMs: HOUR_MS / 2,
  floorScore: FLOOR_SCORE,
  prepare(site, settings, memory) {
    const { habits } = memory;
    const arrivals = memory.arrivals(site);
    const crowd = site.crowd ?? 1;
    const history = perMinute((minute) => historyMinutes(site, minute));
    return (subject, minute) => {
      const x = subject.reqs(minute);
      const minutes = history(minute);
      if (x < settings.minReqs * HOLD_REQS_SHARE || minutes.length < HISTORY_MIN_MINUTES) return undefined;
      return testSurge(x, subject, minutes, { arrivals, habits, crowd }, settings);
    };
  },
};

function testSurge(
  x: number,
  subject: Subject,
  minutes: readonly number[],
  { arrivals, habits, crowd }: { arrivals: Bursts; habits: Habits; crowd: number },
  settings: KindSettings,
): Verdict | undefined {
  const { counts, unsettled } = historyCounts(subject, minutes);
  const baseline = baselineOf(counts, unsettled);
  if (baseline === undefined) return undefined;
  // What everybody does is nobody's surge.
  const usually = { mean: baseline.mean * crowd, r: baseline.r };
  const { mean, r } = usually;
  let score = scoreOfZ(negativeBinomialZ(x, mean, r));
  const active = counts.filter((count) => count > 0).length;
  if (active < STEADY_SHARE * counts.length) score = Math.min(score, burstScore(x / crowd, counts, arrivals));
  score = Math.min(score, dayScore(x / crowd, subject, habits));
  return {
    ...volumeFound(x, usually, score),
    on: score >= ON_SCORE && isEnough(x, mean, settings) && !isHabit(counts, x / crowd),
    hold: score >= HOLD_SCORE,
    summary: `${x} requests in a minute where ${usual(mean)}`,
  };
}

/** What is strange for the hour and not for the day is no surge: it came back, or the day has turned. */
function dayScore(x: number, { ja4 }: Subject, habits: Habits): number {
  const slot = habits.size === 0 ? undefined : habits.slot(ja4);
  const day = slot === undefined ? undefined : habits.day(slot);
  return day === undefined ? SCORE_MAX : scoreOfZ(negativeBinomialZ(x, day.mean, day.r));
}

/** Its silent minutes do not tell how much it sends when it comes; its other bursts and those of others do. */
function burstScore(x: number, counts: readonly number[], arrivals: Bursts): number {
  const bursts = { ...arrivals };
  const before = startOfBurst(counts, x);
  for (let i = 0; i < before; i++) if (counts[i]! > 0) addBurst(bursts, counts[i]!, 1);
  const { mean, r } = volumeOf(bursts);
  return scoreOfZ(negativeBinomialZ(x, mean, r));
}

/** Where the run of minutes like x that reaches up to now begins. */
function startOfBurst(counts: readonly number[], x: number): number {
  let start = counts.length;
  while (start > 0 && counts[start - 1]! >= HABIT_SHARE * x) start--;
  return start;
}

/**
 * Whether the last hour already held this much, apart from the burst that is still running: a job that runs every
 * ten minutes, or a steady client back from a pause, is no surge even though the minutes just before were quiet.
 */
export function isHabit(counts: readonly number[], x: number): boolean {
  const least = HABIT_SHARE * x;
  const end = startOfBurst(counts, x);
  let bursts = 0;
  let minutes = 0;
  for (let i = 0; i < end; i++) {
    if (counts[i]! < least) continue;
    minutes++;
    if (i === 0 || counts[i - 1]! < least) bursts++;
  }
  return bursts >= HABIT_BURSTS || minutes >= HABIT_MINUTES;
}
