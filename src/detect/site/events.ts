/**
 * What happens to a site as a whole, told once: `flash_crowd` (everybody comes), `outage` (everybody gets errors), `blind`
 * (observations stop, or come without their JA4), `double_source` (the same requests are counted twice). Like an episode
 * (`../episode.ts`): one raise, one clear five minutes after it last held. Pure: state in, state and events out.
 */
import { HOUR_MS, MINUTE_MS } from "../../config.ts";
import type { Pulse } from "../../signals/pulse.ts";
import { CLEAR_AFTER_MS } from "../episode.ts";
import type { ClearReason, Severity } from "../types.ts";
import { percent, round } from "../words.ts";
import { crowdOf } from "./pulse.ts";

export const SITE_KINDS = ["flash_crowd", "outage", "blind", "double_source"] as const;
export type SiteKind = (typeof SITE_KINDS)[number];

/** Plain data, stored as JSON. */
export interface SiteEpisode {
  anomalyId: string;
  kind: SiteKind;
  severity: Severity;
  startedAtMs: number;
  heldAtMs: number;
  observed: number;
  expected: number;
  unit: string;
  summary: string;
}

export type SiteEpisodeEvent =
  | { type: "raised"; episode: SiteEpisode }
  | { type: "cleared"; episode: SiteEpisode; reason: ClearReason };

/** What a running moment must be remembered of: since when something holds, and what came from where. */
export interface SiteTrace {
  since: Partial<Record<SiteKind, number>>;
  sources: { atMs: number; counts: Record<string, number> }[];
}

export interface SiteMoment {
  /** Event time. */
  nowMs: number;
  /** Event time of the site's first request. */
  firstDataMs: number;
  /** Of all shards, their newest. */
  pulses: readonly Pulse[];
  newId: () => string;
}

type Found = Pick<SiteEpisode, "severity" | "observed" | "expected" | "unit" | "summary">;

/** As for every built-in kind: nothing in a site's first half hour of data. */
const WARM_UP_MS = HOUR_MS / 2;
const NEW_NORMAL_MS = 24 * HOUR_MS;
/** A site with fewer requests in a usual minute has no crowd to speak of, and is silent by itself. */
const USUAL_MIN = 20;
const CROWD_MIN = 3;
const CROWD_SITE_MIN = 2;
const CROWD_HOLD = 1.5;
const TELLERS_MIN = 5;
const FAILING_SHARE = 0.5;
/** Without a JA4: of so many requests all but this share, where the hour had at least that share. */
const BLIND_MIN_ALL = 50;
const BLIND_SHARE = 0.2;
const BLIND_HOUR_SHARE = 0.8;
/** A source is live with so many observations in these minutes. */
const SOURCE_MINUTES = 2;
const SOURCE_MIN = 20;
/** What must hold for so long before it is told: one bad minute is none. */
const PATIENCE_MS: Record<SiteKind, number> = {
  // Most of the busy fingerprints agree: that is no accident of a moment.
  flash_crowd: 0,
  outage: 45_000,
  blind: 2 * MINUTE_MS,
  double_source: 2 * MINUTE_MS,
};

export const NO_TRACE: SiteTrace = { since: {}, sources: [] };

/** One tick. `running`: by kind. */
export function advanceSite(
  running: ReadonlyMap<SiteKind, SiteEpisode>,
  trace: SiteTrace,
  moment: SiteMoment,
): { running: Map<SiteKind, SiteEpisode>; trace: SiteTrace; events: SiteEpisodeEvent[] } {
  const { nowMs } = moment;
  const sources = traceSources(trace.sources, moment);
  const next: SiteTrace = { since: {}, sources };
  const after = new Map<SiteKind, SiteEpisode>();
  const events: SiteEpisodeEvent[] = [];
  for (const kind of SITE_KINDS) {
    const before = running.get(kind);
    const found = lookFor(kind, moment, sources, before);
    if (before !== undefined) {
      const episode =
        found === undefined ? before : { ...before, heldAtMs: Math.max(nowMs, before.heldAtMs) };
      const reason = clearReason(episode, nowMs);
      if (reason === undefined) after.set(kind, episode);
      else events.push({ type: "cleared", episode, reason });
      continue;
    }
    if (found === undefined || nowMs - moment.firstDataMs < WARM_UP_MS) continue;
    const since = trace.since[kind] ?? nowMs;
    next.since[kind] = since;
    if (nowMs - since < PATIENCE_MS[kind]) continue;
    const episode: SiteEpisode = {
      anomalyId: moment.newId(),
      kind,
      startedAtMs: nowMs,
      heldAtMs: nowMs,
      ...found,
    };
    after.set(kind, episode);
    events.push({ type: "raised", episode });
  }
  return { running: after, trace: next, events };
}

function clearReason({ startedAtMs, heldAtMs }: SiteEpisode, nowMs: number): ClearReason | undefined {
  if (nowMs - heldAtMs >= CLEAR_AFTER_MS) return "recovered";
  return nowMs - startedAtMs >= NEW_NORMAL_MS ? "new_normal" : undefined;
}

function lookFor(
  kind: SiteKind,
  { pulses }: SiteMoment,
  sources: SiteTrace["sources"],
  before: SiteEpisode | undefined,
): Found | undefined {
  const sum = (value: (pulse: Pulse) => number) => pulses.reduce((total, pulse) => total + value(pulse), 0);
  if (kind === "double_source") return liveSources(sources);
  const reqs = sum((pulse) => pulse.reqs);
  const usual = sum((pulse) => pulse.usual);
  if (kind === "flash_crowd") {
    // What is usual follows within minutes: a running one is held against what was usual when it began.
    if (before !== undefined) return reqs >= CROWD_HOLD * before.expected ? before : undefined;
    const times = crowdOf(pulses);
    if (times < CROWD_MIN || usual < USUAL_MIN || reqs < CROWD_SITE_MIN * usual) return undefined;
    return {
      severity: "info",
      observed: reqs,
      expected: usual,
      unit: "requests/min",
      summary: `Everybody comes at once: ${round(reqs)} requests in a minute where ${round(usual)} are usual, most fingerprints together at ×${round(times)}`,
    };
  }
  if (kind === "outage") {
    const tellers = sum((pulse) => pulse.tellers);
    const failing = sum((pulse) => pulse.failing);
    if (tellers < TELLERS_MIN || failing < FAILING_SHARE * tellers) return undefined;
    return {
      severity: "critical",
      observed: failing / tellers,
      expected: 0,
      unit: "share of fingerprints",
      summary: `Errors for everybody: ${failing} of ${tellers} busy fingerprints get far more of them than in the hour before`,
    };
  }
  return blindness(sum, reqs, usual, before);
}

function blindness(
  sum: (value: (pulse: Pulse) => number) => number,
  reqs: number,
  usual: number,
  before: SiteEpisode | undefined,
): Found | undefined {
  const all = sum((pulse) => pulse.all);
  if (all === 0) {
    if (before !== undefined) return before;
    if (usual < USUAL_MIN) return undefined;
    return {
      severity: "critical",
      observed: 0,
      expected: usual,
      unit: "requests/min",
      summary: `No observations any more where ${round(usual)} requests a minute are usual: is the Worker still in front of the site?`,
    };
  }
  const hourAll = sum((pulse) => pulse.hourAll);
  const hourShare = hourAll === 0 ? 0 : sum((pulse) => pulse.hourReqs) / hourAll;
  const share = reqs / all;
  if (all < BLIND_MIN_ALL || share >= BLIND_SHARE) return undefined;
  if (before === undefined && hourShare < BLIND_HOUR_SHARE) return undefined;
  return {
    severity: "critical",
    observed: share,
    expected: hourShare,
    unit: "share of requests",
    summary: `Only ${percent(share)} of the requests of the last minute have a JA4 where ${percent(hourShare)} are usual`,
  };
}

/** One reading a minute, of the last few. */
function traceSources(before: SiteTrace["sources"], { nowMs, pulses }: SiteMoment): SiteTrace["sources"] {
  const last = before.at(-1);
  if (last !== undefined && nowMs - last.atMs < MINUTE_MS) return before;
  const counts: Record<string, number> = {};
  for (const { sources } of pulses)
    for (const [name, count] of Object.entries(sources)) counts[name] = (counts[name] ?? 0) + count;
  return [...before, { atMs: nowMs, counts }].slice(-SOURCE_MINUTES - 1);
}

function liveSources(sources: SiteTrace["sources"]): Found | undefined {
  const [first, ...rest] = sources;
  const last = rest.at(-1);
  if (first === undefined || last === undefined || rest.length < SOURCE_MINUTES) return undefined;
  // In each of the minutes: one that took over from the other is not twice.
  const live = Object.keys(last.counts).filter((name) =>
    rest.every((reading, i) => (reading.counts[name] ?? 0) - (sources[i]!.counts[name] ?? 0) >= SOURCE_MIN),
  );
  if (live.length < 2) return undefined;
  return {
    severity: "warning",
    observed: live.length,
    expected: 1,
    unit: "sources",
    summary: `Observations come from ${live.sort().join(" and ")} at once: requests that both see are counted twice`,
  };
}
