/**
 * `bot_shift`: the share of one client's requests that are a bot's (verified, or by their user agent) leaves what it
 * used to be, up (a tool took over a browser's TLS stack) or down (a bot that stopped saying so). What everyone else
 * shifts by at the same time is expected: then the classifier has changed.
 */
import { HOUR_MS } from "../../config.ts";
import { FACTS } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { ageMinutes, bornHere, NEWBORN_MINUTES } from "../history.ts";
import { type ShareTest, shareTester } from "../shares.ts";
import { pOfScore } from "../tail.ts";
import type { Kind } from "../types.ts";
import { percent, SHARE_UNIT, shareChange } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 3;
/** A visit or two of a test driver move the share of a quiet browser by a quarter. */
const SHIFT_MIN = 0.3;
const HOLD_REQS_SHARE = 0.5;
/** Bonferroni: up and down are two tests. */
const TWO_TESTS_SCORE = Math.log10(2);

const KNOWN = FACTS + 2 * RATIO_INDEX.bot;
const YES = KNOWN + 1;

/** A test of the requests that are not a bot's, told of those that are. */
function turned({ k, n, expected, score, low, high }: ShareTest): ShareTest {
  return { k: n - k, n, expected: 1 - expected, score, low: 1 - high, high: 1 - low };
}

export const botShift: Kind = {
  name: "bot_shift",
  warmUpMs: HOUR_MS / 2,
  prepare(site, settings) {
    const up = shareTester(site, { yes: YES, known: KNOWN });
    const down = shareTester(site, { yes: YES, known: KNOWN, inverted: true });
    return (subject, minute) => {
      const n = subject.minute(minute)?.[KNOWN] ?? 0;
      if (n < settings.minReqs * HOLD_REQS_SHARE) return undefined;
      // Who has no past has nothing to turn from.
      if (bornHere(subject, site) && ageMinutes(subject, minute) <= NEWBORN_MINUTES) return undefined;
      let found = up(subject, minute, { isApart: true, withSite: true });
      if (found !== undefined && found.k < n * found.expected) {
        const fallen = down(subject, minute, { isApart: true, withSite: true });
        found = fallen === undefined ? undefined : turned(fallen);
      }
      if (found === undefined) return undefined;
      const { k, expected, low, high } = found;
      const local = k / n;
      const score = Math.max(found.score - TWO_TESTS_SCORE, 0);
      const p = pOfScore(score);
      const enough =
        n >= settings.minReqs &&
        Math.abs(local - expected) >= SHIFT_MIN &&
        shareChange(local, expected) >= settings.minEffect;
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
        because: [{ signal: "bot_ratio", local, expected, p }],
        summary: `${percent(local)} of ${n} requests in a minute are a bot's where ${percent(expected)} is usual`,
      };
    };
  },
};
