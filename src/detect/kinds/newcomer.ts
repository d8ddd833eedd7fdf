/**
 * `newcomer`: a fingerprint that nobody here had seen ten minutes ago, at a volume far beyond what newborn
 * fingerprints bring on this site (Gamma prior on their first minutes → negative binomial).
 */
import { HOUR_MS } from "../../config.ts";
import { cohortOf, newbornVolume } from "../cohort.ts";
import { ageMinutes, bornHere, NEWBORN_MINUTES } from "../history.ts";
import { negativeBinomialZ, scoreOfZ } from "../tail.ts";
import type { Kind } from "../types.ts";
import { isEnough, volumeFound } from "../volume.ts";
import { usual } from "../words.ts";

/** Candidates for a raise; below this calibrated score none does. */
const ON_SCORE = 5;
const FLOOR_SCORE = 7;
/** One that is common elsewhere is a new browser rather than an attack: it takes twice the evidence. */
const ON_SCORE_KNOWN_ELSEWHERE = 16;
const KNOWN_ELSEWHERE_QUANTILE = 0.99;
const HOLD_SCORE = 4;
const HOLD_REQS_SHARE = 0.5;
/** A running anomaly of a newcomer is followed until the site has an hour of it: then it has a norm of its own. */
const FOLLOWED_MINUTES = 58;

export const newcomer: Kind = {
  name: "newcomer",
  warmUpMs: 2 * HOUR_MS,
  floorScore: FLOOR_SCORE,
  prepare(site, settings) {
    const cohort = cohortOf(site);
    return (subject, minute) => {
      const age = ageMinutes(subject, minute);
      if (age > FOLLOWED_MINUTES || !bornHere(subject, site)) return undefined;
      const x = subject.reqs(minute);
      if (x < settings.minReqs * HOLD_REQS_SHARE) return undefined;
      const usually = newbornVolume(cohort, subject, site);
      const { mean, r } = usually;
      const score = scoreOfZ(negativeBinomialZ(x, mean, r));
      const elsewhere = (subject.global?.values.reqs_quantile_1h ?? 0) > KNOWN_ELSEWHERE_QUANTILE;
      const enough = isEnough(x, mean, settings);
      return {
        ...volumeFound(x, usually, score),
        on: age <= NEWBORN_MINUTES && enough && score >= (elsewhere ? ON_SCORE_KNOWN_ELSEWHERE : ON_SCORE),
        hold: score >= HOLD_SCORE,
        summary: `${x} requests in a minute from a fingerprint first seen ${age} min before, where ${usual(mean)} for a newcomer`,
      };
    };
  },
};
