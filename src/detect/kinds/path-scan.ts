/**
 * `path_scan`: one client that walks through paths it had not asked for in the hour before, most of them missing, or
 * on a site where clients do not do that.
 */
import { HOUR_MS } from "../../config.ts";
import { FACTS, NEW_PATHS, REQS, ratioOf } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { cohortOf } from "../cohort.ts";
import { type ShareTest, shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind, KindSettings, Verdict } from "../types.ts";
import { percent, usual } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
const NEW_PATHS_MIN = 20;
/** Half of the answers are errors: the paths were guessed. */
const GUESSED_ERROR_SHARE = 0.5;
/** Or half of the requests ask for a new path where at most a fifth would. */
const WALK_SHARE = 0.5;
const WALK_EXPECTED_MAX = 0.2;
const HOLD_REQS_SHARE = 0.5;

const ERROR_COLUMNS = {
  yes: FACTS + 2 * RATIO_INDEX.error + 1,
  known: FACTS + 2 * RATIO_INDEX.error,
};

export const pathScan: Kind = {
  name: "path_scan",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const cohort = cohortOf(site);
    const novelty = shareTester(site, { yes: NEW_PATHS, known: REQS });
    const errors = shareTester(site, ERROR_COLUMNS);
    return (subject, minute) => {
      const now = subject.minute(minute);
      const n = now?.[REQS] ?? 0;
      const k = now?.[NEW_PATHS] ?? 0;
      if (now === undefined || n < settings.minReqs * HOLD_REQS_SHARE || k < NEW_PATHS_MIN / 2)
        return undefined;
      const errorShare = ratioOf(now, 0, RATIO_INDEX.error) ?? 0;
      const usualErrors = errors(subject, minute, {})?.expected ?? 1;
      const guessed = errorShare >= GUESSED_ERROR_SHARE && errorShare >= settings.minEffect * usualErrors;
      // Everything is new to a newborn, so its novelty tells nothing unless it also guesses.
      const found = novelty(subject, minute, guessed ? {} : { cohort });
      return found === undefined ? undefined : judge(found, { guessed, errorShare }, settings);
    };
  },
};

function judge(
  found: ShareTest,
  errors: { guessed: boolean; errorShare: number },
  settings: KindSettings,
): Verdict {
  const { k, n, expected, score } = found;
  const walks = k >= WALK_SHARE * n && expected <= WALK_EXPECTED_MAX;
  const shape = errors.guessed || walks;
  const enough = n >= settings.minReqs && k >= NEW_PATHS_MIN && k >= settings.minEffect * n * expected;
  const p = pOfScore(score);
  const mean = n * expected;
  const ending = errors.guessed ? `, ${percent(errors.errorShare)} of them errors` : "";
  return {
    p,
    score,
    on: shape && enough && score >= ON_SCORE,
    hold: shape && score >= HOLD_SCORE,
    window: "1m",
    observed: k,
    expected: mean,
    low: n * found.low,
    high: n * found.high,
    unit: "new paths/min",
    because: [{ signal: "new_paths", local: k, expected: mean, p }],
    summary: `${k} new paths among ${n} requests in a minute where ${usual(mean)}${ending}`,
  };
}
