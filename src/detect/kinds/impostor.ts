/**
 * `impostor`: a fingerprint that is a browser's on the rest of the Internet and behaves like none here: at least two of its
 * ratios of the last hour, or of its last five minutes, agree: fewer requests with a browser's user agent, over HTTP/2 or 3,
 * answered from the cache, or more that heuristics caught. One ratio alone is `divergence`, which may run beside it and says
 * nothing of browsers. Cloudflare leaves signals out: where it says nothing of one, the five minutes are compared with what the
 * fingerprint itself did here in the hour before; at least one of those that agree is the world's.
 */
import { HOUR_MS } from "../../config.ts";
import { REQS, TALLY_WIDTH, type Tally } from "../../window/tally.ts";
import { cauchyCombination } from "../cauchy.ts";
import {
  type Divergence,
  type DivergingSignal,
  divergences,
  divergencesFromPast,
  knownOf,
  type OffsetFit,
  strangestFirst,
  yesOf,
} from "../offsets.ts";
import {
  becauseOf,
  before,
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
import { betaBinomialInterval, pOfScore, SCORE_MAX } from "../tail.ts";
import type { Kind, KindSettings, Verdict } from "../types.ts";
import { percent, SHARE_UNIT, shareEffect } from "../words.ts";

const ON_SCORE = 6;
const HOLD_SCORE = 4;
/** From such a share of browsers' user agents worldwide on a fingerprint is a browser's. */
const BROWSER_MIN = 0.5;
const AGREEING_MIN = 2;
/** A ratio agrees when it is this strange by itself. */
const AGREES_SCORE = 2;
const HOLD_REQS_SHARE = 0.5;
/** The way in which what is no browser lies off. */
const WAY: Record<DivergingSignal, 1 | -1> = {
  h2h3_ratio_1h: -1,
  heuristic_ratio_1h: 1,
  browser_ratio_1h: -1,
  cache_ratio_1h: -1,
};

export const impostor: Kind = {
  name: "impostor",
  warmUpMs: HOUR_MS / 2,
  isOfHour: true,
  prepare(site, settings, memory) {
    const fit = memory.offsets(site);
    const recent: Tally = new Uint32Array(TALLY_WIDTH);
    const past: Tally = new Uint32Array(TALLY_WIDTH);
    return (subject, minute) => {
      if (isOlderOfTwo(site, subject, minute)) return undefined;
      const { hour, global } = subject;
      if (hour[REQS]! < settings.minReqs * HOLD_REQS_SHARE) return undefined;
      const worldwide = global?.values.browser_ratio_1h;
      if (global === undefined || (worldwide ?? 1) < BROWSER_MIN) return undefined;
      const ofHour =
        worldwide === undefined
          ? undefined
          : testImpostor({ subject, minute, compared: subject, window: "1h" }, fit, settings);
      if (ofHour?.on === true) return ofHour;
      // Whoever takes over a busy client's fingerprint is lost in that client's hour.
      const compared = { hour: fiveMinutes(subject, minute, recent), global };
      if (recent[REQS]! < settings.minReqs) return ofHour;
      before(subject, recent, past);
      if (worldwide === undefined && !wasBrowser(past)) return undefined;
      const ofNow = testImpostor({ subject, minute, compared, window: "5m" }, fit, settings, past);
      return ofNow?.on === true ? ofNow : (ofHour ?? ofNow);
    };
  },
};

/** Whether most of its requests of before came with a browser's user agent. */
function wasBrowser(past: Tally): boolean {
  const known = knownOf(past, "browser");
  return known > 0 && yesOf(past, "browser") >= BROWSER_MIN * known;
}

function testImpostor(
  { subject, minute, compared, window }: Stretch,
  fit: OffsetFit,
  settings: KindSettings,
  past?: Tally,
): Verdict | undefined {
  const fromPast = past === undefined ? [] : divergencesFromPast(compared, past, fit);
  const all = strangestFirst<Divergence>([...divergences(compared, fit), ...fromPast]);
  const isOff = (one: Divergence) => WAY[one.signal] * (one.local - one.expected) > 0;
  const agreeing = all.filter(
    (one) => isOff(one) && distance(one) >= HOLD_DISTANCE && one.score >= AGREES_SCORE,
  );
  const [main] = agreeing;
  if (main === undefined || agreeing.length < AGREEING_MIN) return undefined;
  if (agreeing.every(({ global }) => global === undefined)) return undefined;
  // Two-sided p's become those of the one way; what lies off the other way speaks against it.
  const p = cauchyCombination(all.map((one) => (isOff(one) ? one.p / 2 : 1 - one.p / 2)));
  const score = scoreOfTwo(Math.min(-Math.log10(p), SCORE_MAX), window);
  const n = knownIn(compared, main);
  const strong = agreeing.filter(
    (one) =>
      distance(one) >= ON_DISTANCE &&
      knownIn(compared, one) >= settings.minReqs &&
      shareEffect(one.local, one.expected) >= settings.minEffect &&
      isRecent(subject, minute, one),
  );
  return {
    p: pOfScore(score),
    score,
    on: strong.length >= AGREEING_MIN && score >= ON_SCORE,
    hold: score >= HOLD_SCORE,
    window,
    observed: main.local,
    expected: main.expected,
    ...betaBinomialInterval(n, main.expected, main.s),
    unit: SHARE_UNIT,
    because: agreeing.map(becauseOf),
    summary:
      `a browser's fingerprint without a browser's behaviour over ${n} requests: ` +
      agreeing
        .map((one) => `${one.signal} is ${percent(one.local)}, not ${percent(one.expected)}`)
        .join(", "),
  };
}
