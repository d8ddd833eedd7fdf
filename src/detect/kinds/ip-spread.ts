/**
 * `ip_spread`: one client that suddenly comes from a new address with nearly every request, as through residential
 * proxies. New addresses among the requests of a minute, against its own past, what newborns show, and the rise that
 * everyone else shows now. A fall says nothing. Browsers bring a new address with each visit of a dozen requests: that
 * is their own past.
 */
import { HOUR_MS } from "../../config.ts";
import { NEW_IPS, REQS } from "../../window/tally.ts";
import { cohortOf } from "../cohort.ts";
import { shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind } from "../types.ts";
import { usual } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
const NEW_IPS_MIN = 20;
/** Real spreading: an address is used for three requests or fewer. */
const SPREAD_MIN = 0.3;
const HOLD_REQS_SHARE = 0.5;

export const ipSpread: Kind = {
  name: "ip_spread",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const cohort = cohortOf(site);
    const test = shareTester(site, { yes: NEW_IPS, known: REQS });
    return (subject, minute) => {
      const now = subject.minute(minute);
      const n = now?.[REQS] ?? 0;
      const k = now?.[NEW_IPS] ?? 0;
      if (n < settings.minReqs * HOLD_REQS_SHARE || k < NEW_IPS_MIN / 2 || k < SPREAD_MIN * n)
        return undefined;
      const found = test(subject, minute, { cohort, withSite: true });
      if (found === undefined) return undefined;
      const { score, expected, low, high } = found;
      const mean = n * expected;
      const p = pOfScore(score);
      const enough = n >= settings.minReqs && k >= NEW_IPS_MIN && k >= settings.minEffect * mean;
      return {
        p,
        score,
        on: enough && score >= ON_SCORE,
        hold: score >= HOLD_SCORE,
        window: "1m",
        observed: k,
        expected: mean,
        low: n * low,
        high: n * high,
        unit: "new addresses/min",
        because: [
          { signal: "new_ips", local: k, expected: mean, p },
          { signal: "reqs_per_new_ip", local: n / k, expected: 1 / expected, p },
        ],
        summary: `${k} new addresses among ${n} requests in a minute where ${usual(mean)}`,
      };
    };
  },
};
