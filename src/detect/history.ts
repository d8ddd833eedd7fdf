/**
 * Which minutes a test learns from. A minute that has begun to fill is tested against the minutes before it, and
 * everything a test knows is folded anew from them: a restart rebuilds it and late data is simply there.
 */
import { minuteOf } from "../window/time.ts";
import type { Site, Subject } from "./types.ts";

/** The last hour holds 60 minutes: two of them may be under test, the others are history. */
const HISTORY_MAX_MINUTES = 58;
/** With less than this there is no expectation at all. */
export const HISTORY_MIN_MINUTES = 10;
/** A fingerprint first seen this recently has no past of its own to be compared with. */
export const NEWBORN_MINUTES = 10;

/**
 * The minutes before `minute` that count, oldest first. The first minute of a site is cut short and does not. A
 * minute in which the whole site was silent (an edge that stopped sending) says nothing about a fingerprint either:
 * as zeros, the return of the data would look like a surge of everything. Unless hardly anything else is left.
 */
export function historyMinutes(site: Site, minute: number): number[] {
  const first = Math.max(minuteOf(site.firstDataMs) + 1, minute - HISTORY_MAX_MINUTES);
  const all: number[] = [];
  const spoken: number[] = [];
  for (let at = first; at < minute; at++) {
    all.push(at);
    if (site.reqs(at) > 0) spoken.push(at);
  }
  return spoken.length >= HISTORY_MIN_MINUTES ? spoken : all;
}

/** How long before `minute` a fingerprint was first seen, in minutes. */
export function ageMinutes(subject: Subject, minute: number): number {
  return Math.max(minute - minuteOf(subject.firstSeenMs), 0);
}

/** Born on a running site: what was there when the site's data began is only new to us. */
export function bornHere(subject: Subject, site: Site): boolean {
  return minuteOf(subject.firstSeenMs) >= minuteOf(site.firstDataMs) + NEWBORN_MINUTES;
}

/** Remembers a function's answer per minute: a tick asks for two minutes, for every fingerprint. */
export function perMinute<T>(make: (minute: number) => T): (minute: number) => T {
  const made = new Map<number, T>();
  return (minute) => {
    let value = made.get(minute);
    if (value === undefined) {
      value = make(minute);
      made.set(minute, value);
    }
    return value;
  };
}
