/**
 * `divergence`: over the last hour, or its last five minutes, one of a fingerprint's ratios is far from what the same
 * fingerprint shows on the rest of the Internet, after this site's own offset is taken out.
 */
import { HOUR_MS } from "../../config.ts";
import { REQS, TALLY_WIDTH, type Tally } from "../../window/tally.ts";
import { divergences, type OffsetFit } from "../offsets.ts";
import {
  becauseOf,
  distance,
  fiveMinutes,
  HOLD_DISTANCE,
  isOlderOfTwo,
  isRecent,
  knownIn,
  ON_DISTANCE,
  type Stretch,
  scoreOfTwo,
} from "../ratios.ts";
import { betaBinomialInterval, pOfScore } from "../tail.ts";
import type { Kind, KindSettings, Verdict } from "../types.ts";
import { percent, SHARE_UNIT, shareEffect } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 4;
const HOLD_REQS_SHARE = 0.5;
/** Ratios that speak up in `because` beside the strongest. */
const BECAUSE_SCORE = 3;

export const divergence: Kind = {
  name: "divergence",
  warmUpMs: HOUR_MS / 2,
  isOfHour: true,
  prepare(site, settings, memory) {
    const fit = memory.offsets(site);
    const recent: Tally = new Uint32Array(TALLY_WIDTH);
    return (subject, minute) => {
      const { hour, global } = subject;
      if (global === undefined || isOlderOfTwo(site, subject, minute)) return undefined;
      if (hour[REQS]! < settings.minReqs * HOLD_REQS_SHARE) return undefined;
      const ofHour = testDivergence({ subject, minute, compared: subject, window: "1h" }, fit, settings);
      if (ofHour?.on === true) return ofHour;
      // What a busy client turned to is lost in its hour.
      const compared = { hour: fiveMinutes(subject, minute, recent), global };
      if (recent[REQS]! < settings.minReqs) return ofHour;
      const ofNow = testDivergence({ subject, minute, compared, window: "5m" }, fit, settings);
      return ofNow?.on === true ? ofNow : ofHour;
    };
  },
};

function testDivergence(
  { subject, minute, compared, window }: Stretch,
  fit: OffsetFit,
  settings: KindSettings,
): Verdict | undefined {
  const least = settings.minReqs * HOLD_REQS_SHARE;
  const found = divergences(compared, fit);
  const main = found.find((one) => knownIn(compared, one) >= least && distance(one) >= HOLD_DISTANCE);
  if (main === undefined) return undefined;
  const score = scoreOfTwo(main.score, window);
  const n = knownIn(compared, main);
  const enough =
    isRecent(subject, minute, main) &&
    n >= settings.minReqs &&
    distance(main) >= ON_DISTANCE &&
    shareEffect(main.local, main.expected) >= settings.minEffect;
  const others = found.filter((one) => one !== main && one.score >= BECAUSE_SCORE);
  return {
    p: pOfScore(score),
    score,
    on: enough && score >= ON_SCORE,
    hold: score >= HOLD_SCORE,
    window,
    observed: main.local,
    expected: main.expected,
    ...betaBinomialInterval(n, main.expected, main.s),
    unit: SHARE_UNIT,
    because: [main, ...others].map(becauseOf),
    summary:
      `${main.signal} is ${percent(main.local)} here over ${n} requests where ${percent(main.expected)} is ` +
      `expected (${percent(main.global)} worldwide)`,
  };
}
