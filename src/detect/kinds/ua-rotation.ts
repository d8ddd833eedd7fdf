/**
 * `ua_rotation`: one TLS client that keeps showing user agents it had not shown in the hour before. Two tests, since either
 * is blind where the other sees: new agents among the *requests* (blind when each agent is used several times), and new
 * agents for each new *address* (blind when addresses rotate too, or are not known). The stronger one speaks, at twice its p.
 */
import { HOUR_MS } from "../../config.ts";
import { NEW_IPS, NEW_UAS, REQS } from "../../window/tally.ts";
import { cohortOf } from "../cohort.ts";
import { type ShareTest, shareTester } from "../shares.ts";
import { negativeBinomialInterval, negativeBinomialZ, pOfScore, scoreOfZ } from "../tail.ts";
import type { Kind, Subject } from "../types.ts";
import { usual } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** Fewer new user agents are a browser update, or one office. */
const NEW_UAS_MIN = 10;
/** Real rotation: at least every tenth request brings a new one. */
const NOVELTY_MIN = 0.1;
const HOLD_REQS_SHARE = 0.5;
/** A new address brings one new agent: offices and shared addresses bring fewer, their clients being alike. */
const AGENTS_PER_ADDRESS = 1;
/** Scatter of that: negative binomial of this size. */
const PER_ADDRESS_R = 20;
/** Bonferroni: the stronger of two tests. */
const TWO_TESTS_SCORE = Math.log10(2);

interface Novelty {
  score: number;
  /** New agents in the minute. */
  mean: number;
  low: number;
  high: number;
}

/** Against the requests: a share, as counts. */
function perRequest(found: ShareTest): Novelty {
  const { n, score, expected, low, high } = found;
  return { score, mean: n * expected, low: n * low, high: n * high };
}

/** Against the new addresses; nothing to say where addresses are not known. */
function perAddress(subject: Subject, k: number, newAddresses: number): Novelty | undefined {
  if (subject.hour[NEW_IPS] === 0) return undefined;
  const mean = AGENTS_PER_ADDRESS * Math.max(1, newAddresses);
  const score = k > mean ? scoreOfZ(negativeBinomialZ(k, mean, PER_ADDRESS_R)) : 0;
  return { score, mean, ...negativeBinomialInterval(mean, PER_ADDRESS_R) };
}

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
      const newIps = now?.[NEW_IPS] ?? 0;
      if (n < settings.minReqs * HOLD_REQS_SHARE || k < NEW_UAS_MIN / 2 || k < NOVELTY_MIN * n)
        return undefined;
      const share = test(subject, minute, { cohort });
      if (share === undefined) return undefined;
      const requests = perRequest(share);
      const addresses = perAddress(subject, k, newIps);
      const found = addresses !== undefined && addresses.score > requests.score ? addresses : requests;
      const { mean, low, high } = found;
      const score = Math.max(found.score - TWO_TESTS_SCORE, 0);
      const p = pOfScore(score);
      const enough = n >= settings.minReqs && k >= NEW_UAS_MIN && k >= settings.minEffect * mean;
      return {
        p,
        score,
        on: enough && score >= ON_SCORE,
        hold: score >= HOLD_SCORE,
        window: "1m",
        observed: k,
        expected: mean,
        low,
        high,
        unit: "new user agents/min",
        because: [{ signal: "new_uas", local: k, expected: mean, p }],
        summary: `${k} new user agents among ${n} requests in a minute where ${usual(mean)}`,
      };
    };
  },
};
