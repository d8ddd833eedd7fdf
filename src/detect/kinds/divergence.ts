/**
 * `divergence`: over the last hour one of a fingerprint's ratios is far from what the same fingerprint shows on the
 * rest of the Internet, after this site's own offset is taken out.
 */
import { HOUR_MS } from "../../config.ts";
import { divergences, expectedRatio, type OffsetFit } from "../offsets.ts";
import {
  distance,
  HOLD_DISTANCE,
  isOlderOfTwo,
  isRecent,
  knownIn,
  ON_DISTANCE,
  ratioOfSignal,
} from "../ratios.ts";
import { Z95 } from "../tail.ts";
import type { Kind, KindSettings, Subject, Verdict } from "../types.ts";
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
    return (subject, minute) =>
      isOlderOfTwo(site, subject, minute) ? undefined : testDivergence(subject, minute, fit, settings);
  },
};

function testDivergence(
  subject: Subject,
  minute: number,
  fit: OffsetFit,
  settings: KindSettings,
): Verdict | undefined {
  const least = settings.minReqs * HOLD_REQS_SHARE;
  if (subject.global === undefined) return undefined;
  const found = divergences(subject, fit);
  const main = found.find((one) => knownIn(subject, one) >= least && distance(one) >= HOLD_DISTANCE);
  if (main === undefined) return undefined;
  const n = knownIn(subject, main);
  const { expected, s } = expectedRatio(fit[ratioOfSignal(main)], main.global);
  const sd = Math.sqrt((expected * (1 - expected) * (s + n)) / ((s + 1) * n));
  const enough =
    isRecent(subject, minute, main) &&
    n >= settings.minReqs &&
    distance(main) >= ON_DISTANCE &&
    shareEffect(main.local, main.expected) >= settings.minEffect;
  const others = found.filter((one) => one !== main && one.score >= BECAUSE_SCORE);
  return {
    p: main.p,
    score: main.score,
    on: enough && main.score >= ON_SCORE,
    hold: main.score >= HOLD_SCORE,
    window: "1h",
    observed: main.local,
    expected: main.expected,
    low: Math.max(expected - Z95 * sd, 0),
    high: Math.min(expected + Z95 * sd, 1),
    unit: SHARE_UNIT,
    because: [main, ...others].map(({ signal, local, expected, global, p }) => ({
      signal,
      local,
      expected,
      global,
      p,
    })),
    summary:
      `${main.signal} is ${percent(main.local)} here over ${n} requests where ${percent(main.expected)} is ` +
      `expected (${percent(main.global)} worldwide)`,
  };
}
