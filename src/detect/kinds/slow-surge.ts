/**
 * `slow_surge`: a fingerprint sends more than its own level for longer than chance explains, by too little for any minute of
 * it to be strange: cumulative sums over ten-minute bins (`slow.ts`). One that surges already is told by `surge`.
 */
import { HOUR_MS, MINUTE_MS } from "../../config.ts";
import { REQS } from "../../window/tally.ts";
import { SLOW_MIN_USUAL } from "../slow.ts";
import { negativeBinomialInterval, pOfScore, SCORE_MAX } from "../tail.ts";
import type { Kind } from "../types.ts";
import { usual } from "../words.ts";

/** Candidates for a raise, and what keeps one running: −log10 of the evidence. */
const ON_SCORE = 4;
const FLOOR_SCORE = 7;
const HOLD_SCORE = 1;
const HALF_HOUR_MINUTES = 30;
/** Before a site has seen a whole day, its morning looks like a rise. */
const DAY_MS = 24 * HOUR_MS;
/** The last half hour must lie above what is usual by this share of the rise. */
const STILL_SHARE = 0.5;

export const slowSurge: Kind = {
  name: "slow_surge",
  warmUpMs: DAY_MS,
  isSequential: true,
  floorScore: FLOOR_SCORE,
  prepare(_site, settings, { habits, slow }) {
    return (subject, minute) => {
      if (habits.size === 0) return undefined;
      const slot = habits.slot(subject.ja4);
      const view = slot === undefined ? undefined : slow.view(slot);
      if (view === undefined) return undefined;
      const score = Math.min(view.sum / Math.LN10, SCORE_MAX);
      if (score < HOLD_SCORE || view.hour < SLOW_MIN_USUAL) return undefined;
      const x = subject.hour[REQS]!;
      let half = 0;
      for (let at = minute - HALF_HOUR_MINUTES; at < minute; at++) half += subject.reqs(at);
      const still = half >= view.half * (1 + STILL_SHARE * (view.rise - 1));
      const p = pOfScore(score);
      return {
        p,
        score,
        on: still && score >= ON_SCORE && x >= settings.minReqs && x >= settings.minEffect * view.hour,
        hold: still,
        window: "1h",
        observed: x,
        expected: view.hour,
        ...negativeBinomialInterval(view.hour, view.r),
        unit: "requests/h",
        because: [{ signal: "reqs", local: x, expected: view.hour, p }],
        summary: `${x} requests in an hour where ${usual(view.hour)}, more than usual for ${lasting(view.minutes)}`,
      };
    };
  },
};

function lasting(minutes: number): string {
  const hours = (minutes * MINUTE_MS) / HOUR_MS;
  return hours < 2 ? `${minutes} min` : `${Math.round(hours)} h`;
}
