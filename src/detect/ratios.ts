/** What the kinds say alike that compare the hour's ratios with the world's. */
import type { WindowName } from "../config.ts";
import { FACTS, TALLY_WIDTH, type Tally } from "../window/tally.ts";
import { RATIO_INDEX } from "../wire/flags.ts";
import {
  type Compared,
  DIVERGING_RATIOS,
  type Divergence,
  type DivergingRatio,
  knownOf,
  signalOf,
} from "./offsets.ts";
import type { Because, Site, Subject } from "./types.ts";

/** How far a ratio must lie from what is expected to be raised, and to be held. */
export const ON_DISTANCE = 0.2;
export const HOLD_DISTANCE = 0.15;
/** What is raised must show in so many requests of the last minutes, too. */
const RECENT_MINUTES = 10;
const RECENT_MIN_REQS = 20;
const FIVE_MINUTES = 5;
/**
 * The hour and its last five minutes are two tests: the five minutes have a tenth of the level (Bonferroni, weighted), and what
 * that takes from the hour is less than its p is worth.
 */
const PENALTY: Partial<Record<WindowName, number>> = { "5m": 1 };

export interface Stretch {
  subject: Subject;
  minute: number;
  /** What is tested: the subject's hour, or its last five minutes. */
  compared: Compared;
  window: WindowName;
}

const RATIO_OF_SIGNAL = new Map<string, DivergingRatio>(
  DIVERGING_RATIOS.map((ratio) => [signalOf(ratio), ratio]),
);

function ratioOfSignal({ signal }: Divergence): DivergingRatio {
  return RATIO_OF_SIGNAL.get(signal) ?? "browser";
}

/** Requests of which the ratio is known. */
export function knownIn({ hour }: Compared, one: Divergence): number {
  return knownOf(hour, ratioOfSignal(one));
}

/** The tally of the five minutes up to `minute`, in `into`. */
export function fiveMinutes(subject: Subject, minute: number, into: Tally): Tally {
  into.fill(0);
  for (let at = minute - FIVE_MINUTES + 1; at <= minute; at++) {
    const tally = subject.minute(at);
    if (tally === undefined) continue;
    for (let column = 0; column < TALLY_WIDTH; column++) into[column]! += tally[column]!;
  }
  return into;
}

/** The hour before those five minutes, in `into`. */
export function before({ hour }: Subject, recent: Tally, into: Tally): Tally {
  for (let column = 0; column < TALLY_WIDTH; column++)
    into[column] = Math.max(hour[column]! - recent[column]!, 0);
  return into;
}

export function distance({ local, expected }: Divergence): number {
  return Math.abs(local - expected);
}

/**
 * Whether the last minutes lean the same way. The hour still holds what is long over, and without this the next ordinary
 * request after the cooldown would raise it again.
 */
export function isRecent(subject: Subject, minute: number, one: Divergence): boolean {
  const column = FACTS + 2 * RATIO_INDEX[ratioOfSignal(one)];
  let known = 0;
  let yes = 0;
  for (let at = minute - RECENT_MINUTES + 1; at <= minute; at++) {
    const tally = subject.minute(at);
    known += tally?.[column] ?? 0;
    yes += tally?.[column + 1] ?? 0;
  }
  if (known < RECENT_MIN_REQS) return false;
  const recent = yes / known;
  const { local, expected } = one;
  return local > expected ? recent >= expected + HOLD_DISTANCE : recent <= expected - HOLD_DISTANCE;
}

/** The hour is the same in both minutes under test: it is looked at in the newer one that has requests. */
export function isOlderOfTwo(site: Site, subject: Subject, minute: number): boolean {
  return minute < site.minuteNow && subject.reqs(site.minuteNow) > 0;
}

/** As a verdict tells it. */
export function becauseOf({ signal, local, expected, global, p }: Divergence): Because {
  return { signal, local, expected, ...(global === undefined ? {} : { global }), p };
}

/** The score of one of both tests as one of the two together. */
export function scoreOfTwo(score: number, window: WindowName): number {
  return Math.max(score - (PENALTY[window] ?? 0), 0);
}
