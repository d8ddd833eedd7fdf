/**
 * `error_burst`: errors (status ≥ 400) take a share of one client's minute that neither its own past nor the rest of
 * the site lets expect. When all clients get errors at once the site is broken, not the client: the expected share is
 * at least what the other fingerprints show in the same minute, each counted once, so that a loud attacker is one.
 */
import { HOUR_MS } from "../../config.ts";
import { FACTS } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind, Site } from "../types.ts";
import { percent, SHARE_UNIT } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** Errors must be this much more of the requests than expected. */
const RISE_MIN = 0.2;
const HOLD_REQS_SHARE = 0.5;
/** With fewer others in a minute they tell nothing about the site. */
const OTHERS_MIN = 5;

const KNOWN = FACTS + 2 * RATIO_INDEX.error;
const YES = KNOWN + 1;

export const errorBurst: Kind = {
  name: "error_burst",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const test = shareTester(site, { yes: YES, known: KNOWN });
    const others = [site.minuteNow - 1, site.minuteNow].map((minute) => shareByFingerprint(site, minute));
    return (subject, minute) => {
      const now = subject.minute(minute);
      const n = now?.[KNOWN] ?? 0;
      const k = now?.[YES] ?? 0;
      if (n < settings.minReqs * HOLD_REQS_SHARE || k < RISE_MIN * n) return undefined;
      const all = others[minute - site.minuteNow + 1];
      const floor = all === undefined || all.count <= OTHERS_MIN ? 0 : (all.sum - k / n) / (all.count - 1);
      const found = test(subject, minute, { floor });
      if (found === undefined) return undefined;
      const local = k / n;
      const { expected, score, low, high } = found;
      const p = pOfScore(score);
      const enough =
        n >= settings.minReqs && local >= settings.minEffect * expected && local >= expected + RISE_MIN;
      return {
        p,
        score,
        on: enough && score >= ON_SCORE,
        hold: score >= HOLD_SCORE,
        window: "1m",
        observed: local,
        expected,
        low,
        high,
        unit: SHARE_UNIT,
        because: [{ signal: "error_ratio", local, expected, p }],
        summary: `${percent(local)} of ${n} requests in a minute are errors where ${percent(expected)} is usual`,
      };
    };
  },
};

/** Sum over fingerprints of their error shares in one minute, and how many there are. */
function shareByFingerprint(site: Site, minute: number): { sum: number; count: number } {
  let sum = 0;
  let count = 0;
  for (const subject of site.subjects()) {
    const tally = subject.minute(minute);
    if (tally === undefined || tally[KNOWN]! === 0) continue;
    sum += tally[YES]! / tally[KNOWN]!;
    count++;
  }
  return { sum, count };
}
