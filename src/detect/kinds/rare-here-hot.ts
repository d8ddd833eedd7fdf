/**
 * `rare_here_hot`: a fingerprint that is rare on the rest of the Internet, or that Cloudflare tells nothing of although it does
 * of the others, and that has come to the top of this site in the last minutes. What was always at the top here is how this
 * site is.
 */
import { HOUR_MS } from "../../config.ts";
import { REQS } from "../../window/tally.ts";
import { above, beforeReqs, NOW_MINUTES, nowReqs, quantileWorldwide, rhoOf } from "../standing.ts";
import { pOfScore, scoreOfZ, Z95 } from "../tail.ts";
import type { Kind } from "../types.ts";
import { percent, RANK_UNIT } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** Rare: at least this share of the world's fingerprints sends more. Hot: at most this share of the site's does. */
const RARE_MIN = 0.05;
const HOT_MAX = 0.05;
/** Nobody is judged by a missing record unless nearly everybody else has one. */
const KNOWN_SHARE_MIN = 0.8;
/** Of one without a record it is believed that half of the world's fingerprints send more. */
const UNKNOWN_ABOVE = 0.5;

export const rareHereHot: Kind = {
  name: "rare_here_hot",
  warmUpMs: 2 * HOUR_MS,
  isOfHour: true,
  prepare(site, settings, memory) {
    return (subject, minute) => {
      if (minute !== site.minuteNow) return undefined;
      const hour = subject.hour[REQS]!;
      const now = hour < settings.minReqs ? 0 : nowReqs(subject, minute);
      if (now < settings.minReqs / 2) return undefined;
      const standing = memory.standing(site);
      if (standing === undefined) return undefined;
      const quantile = quantileWorldwide(subject);
      if (quantile === undefined && (subject.global !== undefined || standing.knownShare < KNOWN_SHARE_MIN))
        return undefined;
      const worldwide = quantile === undefined ? UNKNOWN_ABOVE : 1 - quantile;
      const here = above(standing.now, now);
      if (worldwide < RARE_MIN || here > HOT_MAX) return undefined;
      const { centre, scale } = standing.rho;
      const score = scoreOfZ((rhoOf(1 - worldwide, here) - centre) / scale);
      if (score < HOLD_SCORE) return undefined;
      const before = beforeReqs(hour, now);
      const expected = Math.min(worldwide / 10 ** centre, 1);
      const p = pOfScore(score);
      const known =
        quantile === undefined ? "Cloudflare knows nothing of it" : `top ${percent(worldwide)} worldwide`;
      return {
        p,
        score,
        on: score >= ON_SCORE && now >= settings.minReqs && now >= settings.minEffect * before,
        hold: true,
        window: "1h",
        observed: here,
        expected,
        low: Math.min(expected * 10 ** (-Z95 * scale), 1),
        high: Math.min(expected * 10 ** (Z95 * scale), 1),
        unit: RANK_UNIT,
        because: [
          { signal: "reqs_quantile_1h", local: 1 - here, expected: 1 - expected, p, ...globalOf(quantile) },
        ],
        summary: `${now} requests in ${NOW_MINUTES} minutes, top ${percent(here)} of this site, where ${known}`,
      };
    };
  },
};

function globalOf(quantile: number | undefined): { global?: number } {
  return quantile === undefined ? {} : { global: quantile };
}
