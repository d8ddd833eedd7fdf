/**
 * `ua_rotation`: one TLS client that keeps showing user agents it had not shown in the hour before.
 */
import { HOUR_MS } from "../../config.ts";
import { NEW_UAS, REQS } from "../../window/tally.ts";
import { cohortOf } from "../cohort.ts";
import { shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind } from "../types.ts";
import { usual } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** Fewer new user agents are a browser update, or one office. */
const NEW_UAS_MIN = 10;
/** Real rotation: at least every tenth request brings a new one. */
const NOVELTY_MIN = 0.1;
const HOLD_REQS_SHARE = 0.5;

export const uaRotation: Kind = {
  name: "ua_rotation",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const cohort = cohortOf(site);
    const test = shareTester(site, { yes: NEW_UAS, known: REQS });
    return (subject, minute) => {
      const now = subject.minute(minute);
      const n = now?.[REQS] ?? 0;
      const k = now?.[NEW_UAS] ?? 0;
      if (n < settings.minReqs * HOLD_REQS_SHARE || k < NEW_UAS_MIN / 2 || k < NOVELTY_MIN * n)
        return undefined;
      const found = test(subject, minute, { cohort });
      if (found === undefined) return undefined;
      const p = pOfScore(found.score);
      const enough =
        n >= settings.minReqs && k >= NEW_UAS_MIN && k >= settings.minEffect * n * found.expected;
      const mean = n * found.expected;
      return {
        p,
        score: found.score,
        on: enough && found.score >= ON_SCORE,
        hold: found.score >= HOLD_SCORE,
        window: "1m",
        observed: k,
        expected: mean,
        low: n * found.low,
        high: n * found.high,
        unit: "new user agents/min",
        because: [{ signal: "new_uas", local: k, expected: mean, p }],
        summary: `${k} new user agents among ${n} requests in a minute where ${usual(mean)}`,
      };
    };
  },
};
