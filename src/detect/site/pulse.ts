/** What a shard's windows tell of the site as a whole, and the factor by which all of its fingerprints are busier. */
import { MINUTE_MS } from "../../config.ts";
import { PULSE_POINTS_MAX, type Pulse } from "../../signals/pulse.ts";
import { FACTS, REQS } from "../../window/tally.ts";
import { RATIO_INDEX } from "../../wire/flags.ts";
import { weightedMedian } from "../median.ts";
import type { Site, Subject } from "../types.ts";

/** Usual minutes: the ten before the last two. */
const USUAL_FROM = 12;
const USUAL_TO = 2;
const USUAL_MINUTES = USUAL_FROM - USUAL_TO;
/** One that is worth a look had requests in all of these minutes before: chosen by its past, or the busy would look busier. */
const LOOK_BACK = [3, 6, 9] as const;
const POINT_MIN_USUAL = 3;
const POINT_WEIGHT_MAX = 50;
/** Errors can be told with so many known answers in the last two minutes; this much more of them is failing. */
const TELLER_MIN_KNOWN = 10;
const FAILING_RISE = 0.25;
/** Fingerprints that must tell before a factor is believed, and what is no crowd. */
const CROWD_POINTS_MIN = 5;
const CROWD_MIN = 1.3;

const ERRORS_KNOWN = FACTS + 2 * RATIO_INDEX.error;

/** `sources`: observations by the way they came, since the first start. */
export function pulseOf(site: Site, sources: Readonly<Record<string, number>> = {}): Pulse {
  const now = site.minuteNow;
  const points: [number, number][] = [];
  let tellers = 0;
  let failing = 0;
  for (const subject of site.subjects()) {
    if (!LOOK_BACK.every((back) => subject.reqs(now - back) > 0)) continue;
    let usual = 0;
    for (let at = now - USUAL_FROM; at < now - USUAL_TO; at++) usual += subject.reqs(at);
    usual /= USUAL_MINUTES;
    if (usual < POINT_MIN_USUAL) continue;
    points.push([
      lastMinute(site, (minute) => subject.reqs(minute)) / usual,
      Math.min(usual, POINT_WEIGHT_MAX),
    ]);
    const rise = riseOfErrors(subject, now);
    if (rise === undefined) continue;
    tellers++;
    if (rise >= FAILING_RISE) failing++;
  }
  points.sort((a, b) => b[1] - a[1]);
  const all = (minute: number) => site.reqs(minute) + (site.withoutJa4?.(minute) ?? 0);
  let usual = 0;
  for (let at = now - USUAL_FROM; at < now - USUAL_TO; at++) usual += site.reqs(at) / USUAL_MINUTES;
  let hourReqs = 0;
  let hourAll = 0;
  for (let at = now - 59; at <= now; at++) {
    hourReqs += site.reqs(at);
    hourAll += all(at);
  }
  return {
    asOfMs: site.asOfMs,
    reqs: lastMinute(site, (minute) => site.reqs(minute)),
    usual,
    all: lastMinute(site, all),
    hourReqs,
    hourAll,
    points: points.slice(0, PULSE_POINTS_MAX),
    tellers,
    failing,
    sources: { ...sources },
  };
}

/** Of the last 60 s: the filling minute and what is left of the one before. */
function lastMinute({ minuteNow, asOfMs }: Site, reqs: (minute: number) => number): number {
  const filled = Math.min((asOfMs - minuteNow * MINUTE_MS) / MINUTE_MS, 1);
  return reqs(minuteNow) + reqs(minuteNow - 1) * (1 - filled);
}

/** By how much the share of errors in the last two minutes lies above that of the hour before; `undefined` = too few. */
function riseOfErrors(subject: Subject, now: number): number | undefined {
  let known = 0;
  let yes = 0;
  for (let at = now - 1; at <= now; at++) {
    const tally = subject.minute(at);
    if (tally === undefined || tally[REQS] === 0) continue;
    known += tally[ERRORS_KNOWN]!;
    yes += tally[ERRORS_KNOWN + 1]!;
  }
  if (known < TELLER_MIN_KNOWN) return undefined;
  const hourKnown = subject.hour[ERRORS_KNOWN]! - known;
  const hourYes = subject.hour[ERRORS_KNOWN + 1]! - yes;
  return yes / known - (hourKnown > 0 ? Math.max(hourYes, 0) / hourKnown : 0);
}

/** How many times the usual all of a site's fingerprints send: 1 unless enough of them say more. */
export function crowdOf(pulses: readonly Pulse[]): number {
  const points = pulses.flatMap((pulse) => pulse.points.map(([value, weight]) => ({ value, weight })));
  if (points.length < CROWD_POINTS_MIN) return 1;
  const factor = weightedMedian(points) ?? 1;
  return factor >= CROWD_MIN ? factor : 1;
}
