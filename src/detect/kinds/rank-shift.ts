/**
 * `rank_shift`: a fingerprint known worldwide stands much nearer to the top of this site's fingerprints in the last minutes than
 * it did in the hour before, by more than they usually move; what it sends in a minute may be nothing strange for it. Upwards alone:
 * whoever goes quiet falls, every night, and is no anomaly.
 */
import { HOUR_MS } from "../../config.ts";
import { REQS, ratioOf } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { above, beforeReqs, NOW_MINUTES, nowReqs, quantileWorldwide } from "../standing.ts";
import { pOfScore, scoreOfZ, Z95 } from "../tail.ts";
import type { Kind } from "../types.ts";
import { percent, RANK_UNIT } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
const FLOOR_SCORE = 12;
/** A crawler that begins its round leaps every time. */
const BOT_RATIO_MAX = 0.95;
/** With less in the part of the hour before it had no standing to leave. */
const BEFORE_MIN_REQS = 20;

export const rankShift: Kind = {
  name: "rank_shift",
  warmUpMs: 2 * HOUR_MS,
  floorScore: FLOOR_SCORE,
  isOfHour: true,
  prepare(site, settings, memory) {
    return (subject, minute) => {
      if (minute !== site.minuteNow || quantileWorldwide(subject) === undefined) return undefined;
      const tally = subject.hour;
      const hour = tally[REQS]!;
      if (hour < settings.minReqs) return undefined;
      if ((ratioOf(tally, 0, RATIO_INDEX.bot) ?? 0) >= BOT_RATIO_MAX) return undefined;
      const now = nowReqs(subject, minute);
      const standing = memory.standing(site);
      if (standing === undefined || now === 0 || hour - now < BEFORE_MIN_REQS) return undefined;
      const expected = above(standing.now, beforeReqs(hour, now));
      const here = above(standing.now, now);
      const score = scoreOfZ(Math.log10(expected / here) / standing.shiftScale);
      if (score < HOLD_SCORE) return undefined;
      const p = pOfScore(score);
      const spread = 10 ** (Z95 * standing.shiftScale);
      return {
        p,
        score,
        on: score >= ON_SCORE && expected / here >= settings.minEffect,
        hold: true,
        window: "1h",
        observed: here,
        expected,
        low: expected / spread,
        high: Math.min(expected * spread, 1),
        unit: RANK_UNIT,
        because: [{ signal: "reqs_quantile_1h", local: 1 - here, expected: 1 - expected, p }],
        summary: `top ${percent(here)} of this site by requests of ${NOW_MINUTES} minutes where the hour before says ${percent(expected)}`,
      };
    };
  },
};
