/**
 * `cache_bust`: requests that no cache can answer take a share of one client's minute that neither its own past nor what
 * everyone else does now lets expect, while it also asks for more, or for paths it had not asked for before. Either
 * alone is harmless: a client that turns from pictures to the basket, or one that just sends more.
 *
 * Cacheable is what a cache *may* answer, hit or miss (`src/edge`): a tally knows no misses, so queries that only miss
 * are not seen here.
 */
import { HOUR_MS } from "../../config.ts";
import { FACTS, NEW_PATHS, REQS } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { ageMinutes } from "../history.ts";
import { shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind, Subject } from "../types.ts";
import { percent, SHARE_UNIT, shareChange } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** Uncacheable requests must be this much more of the requests than expected. */
const RISE_MIN = 0.2;
const HOLD_REQS_SHARE = 0.5;
/** Corroboration: a fifth of the requests asks for a new path, or the minute holds twice what is usual. */
const NEW_PATHS_MIN = 0.2;
const VOLUME_TIMES_MIN = 2;
const HOUR_MINUTES = 60;

const KNOWN = FACTS + 2 * RATIO_INDEX.cache;
const YES = KNOWN + 1;

export const cacheBust: Kind = {
  name: "cache_bust",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const test = shareTester(site, { yes: YES, known: KNOWN, inverted: true });
    return (subject, minute) => {
      const now = subject.minute(minute);
      const n = now?.[KNOWN] ?? 0;
      const k = n - (now?.[YES] ?? 0);
      if (now === undefined || n < settings.minReqs * HOLD_REQS_SHARE || k < RISE_MIN * n) return undefined;
      const reqs = now[REQS]!;
      const paths = now[NEW_PATHS]!;
      const found = test(subject, minute, { withSite: true });
      if (found === undefined) return undefined;
      const local = k / n;
      const { expected, score, low, high } = found;
      const p = pOfScore(score);
      const rises = local >= expected + RISE_MIN && shareChange(local, expected) >= settings.minEffect;
      const on = rises && n >= settings.minReqs && score >= ON_SCORE;
      return {
        p,
        score,
        on:
          on &&
          (paths >= NEW_PATHS_MIN * reqs || reqs >= VOLUME_TIMES_MIN * usualReqs(subject, minute, reqs)),
        hold: score >= HOLD_SCORE,
        window: "1m",
        observed: local,
        expected,
        low,
        high,
        unit: SHARE_UNIT,
        because: [{ signal: "cache_ratio", local: 1 - local, expected: 1 - expected, p }],
        summary: `${percent(local)} of ${n} requests in a minute cannot be cached where ${percent(expected)} is usual`,
      };
    };
  },
};

/** Requests in a minute of the hour, without the one under test. A newborn has no usual: whatever it brings is more. */
function usualReqs(subject: Subject, minute: number, reqs: number): number {
  const minutes = Math.min(Math.max(ageMinutes(subject, minute), 1), HOUR_MINUTES - 1);
  return Math.max(subject.hour[REQS]! - reqs, 0) / minutes;
}
