/**
 * The life of an anomaly: one raise, at most one update a minute, one clear (contract §5 *Episode*). A pure function
 * of what ran, what the detectors say now, and the time.
 */
import { HOUR_MS, MINUTE_MS } from "../config.ts";
import type { ClearReason, Episode, EpisodeEvent, KindName, Severity, Verdict } from "./types.ts";
import { severityOf } from "./words.ts";

/** Below the off level, or without requests, for this long: cleared. */
export const CLEAR_AFTER_MS = 5 * MINUTE_MS;
/** Pause between two updates. */
const UPDATE_EVERY_MS = MINUTE_MS;
/** What has changed by less than this share since it was last told is not told again. */
const UPDATE_CHANGE = 0.1;

const RANK: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };

/** What has been so for a day is how it is now. */
const NEW_NORMAL_MS = 24 * HOUR_MS;
/** The new norm is forgotten when it was not seen for as long; until then only this much more of it is raised again. */
const NORMAL_TIMES = 1.5;

/** When an episode of this kind and fingerprint was cleared, and whether its return was counted already. */
export interface Cleared {
  atMs: number;
  counted: boolean;
  /** It became the norm: how far from what was expected, and when that was last seen, to the hour. */
  normal?: { away: number; seenAtMs: number };
}

/** Whether a clear still says something at a time. */
export function isRemembered({ atMs, normal }: Cleared, nowMs: number, cooldownMs: number): boolean {
  return nowMs < atMs + cooldownMs || (normal !== undefined && nowMs < normal.seenAtMs + NEW_NORMAL_MS);
}

export function episodeKey(kind: KindName, ja4: string): string {
  return `${kind} ${ja4}`;
}

export interface Moment {
  kind: KindName;
  ja4: string;
  /** Event time. */
  nowMs: number;
  /** When the fingerprint last had a request, as far as this tick knows. */
  seenAtMs: number | undefined;
  /** The kind is switched on. */
  enabled: boolean;
  cooldownMs: number;
  /** The last clear, when it is recent. */
  cleared: Cleared | undefined;
  newId: () => string;
  /** Whether a silence covers it; absent = none does. */
  isSilenced?: () => boolean;
}

export interface Advance {
  /** What runs after this moment. */
  episode?: Episode;
  events: EpisodeEvent[];
  /** To be remembered for the cooldown. */
  cleared?: Cleared;
  /** It came back within its cooldown, counted once a cooldown. */
  suppressed: boolean;
}

export function advance(running: Episode | undefined, verdict: Verdict | undefined, moment: Moment): Advance {
  if (running === undefined) return start(verdict, moment);
  const seenAtMs = Math.max(running.seenAtMs, moment.seenAtMs ?? running.seenAtMs);
  const holds = verdict !== undefined && (verdict.on || verdict.hold);
  const episode: Episode = {
    ...running,
    seenAtMs,
    heldAtMs: holds ? Math.max(running.heldAtMs, moment.nowMs) : running.heldAtMs,
  };
  const reason = clearReason(episode, moment);
  if (reason !== undefined) {
    const cleared: Cleared = { atMs: moment.nowMs, counted: false };
    if (reason === "new_normal") cleared.normal = { away: away(episode.last), seenAtMs: moment.nowMs };
    return { events: [{ type: "cleared", episode, reason }], cleared, suppressed: false };
  }
  const silenced = moment.isSilenced?.() ?? false;
  if (silenced !== (episode.silenced === true)) return handOver(episode, silenced, moment);
  return {
    ...(verdict !== undefined && holds ? follow(episode, verdict, moment.nowMs) : { episode, events: [] }),
    suppressed: false,
  };
}

/**
 * A silence began or ended while it runs: what subscribers were told ends (or was never told), and what goes on is another
 * episode, so that each has one raise and one clear, of one kind.
 */
function handOver(episode: Episode, silenced: boolean, { nowMs, newId }: Moment): Advance {
  const { silenced: _, ...rest } = episode;
  const next: Episode = {
    ...rest,
    ...(silenced ? { silenced } : {}),
    anomalyId: newId(),
    startedAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const events: EpisodeEvent[] = [
    { type: "cleared", episode, reason: "silenced" },
    { type: "raised", episode: next },
  ];
  return { episode: next, events, suppressed: false };
}

function start(verdict: Verdict | undefined, moment: Moment): Advance {
  if (verdict === undefined || !verdict.on || !moment.enabled) return { events: [], suppressed: false };
  const { cleared, nowMs } = moment;
  if (cleared?.normal !== undefined && away(verdict) <= NORMAL_TIMES * cleared.normal.away) {
    const seenAtMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
    return {
      events: [],
      cleared: { ...cleared, normal: { ...cleared.normal, seenAtMs } },
      suppressed: false,
    };
  }
  if (cleared !== undefined && nowMs < cleared.atMs + moment.cooldownMs) {
    return { events: [], cleared: { ...cleared, counted: true }, suppressed: !cleared.counted };
  }
  const episode: Episode = {
    anomalyId: moment.newId(),
    kind: moment.kind,
    ja4: moment.ja4,
    severity: severityOf(verdict),
    startedAtMs: nowMs,
    peak: verdict.score,
    heldAtMs: nowMs,
    seenAtMs: moment.seenAtMs ?? nowMs,
    updatedAtMs: nowMs,
    ...(moment.isSilenced?.() === true ? { silenced: true } : {}),
    last: verdict,
  };
  return { episode, events: [{ type: "raised", episode }], suppressed: false };
}

function clearReason(episode: Episode, { enabled, nowMs }: Moment): ClearReason | undefined {
  if (!enabled) return "disabled";
  if (nowMs - episode.seenAtMs >= CLEAR_AFTER_MS) return "quiet";
  if (nowMs - episode.heldAtMs >= CLEAR_AFTER_MS) return "recovered";
  if (nowMs - episode.startedAtMs >= NEW_NORMAL_MS) return "new_normal";
  return undefined;
}

function away({ observed, expected }: Verdict): number {
  return Math.abs(observed - expected);
}

/** `last` stays what was last told, so that the feed and a reader of the API see the same numbers. */
function follow(
  episode: Episode,
  verdict: Verdict,
  nowMs: number,
): { episode: Episode; events: EpisodeEvent[] } {
  const severity = severityOf(verdict);
  const graver = RANK[severity] > RANK[episode.severity];
  const moved =
    Math.abs(verdict.observed - episode.last.observed) > UPDATE_CHANGE * Math.abs(episode.last.observed);
  const peak = Math.max(episode.peak, verdict.score);
  const due = nowMs - episode.updatedAtMs >= UPDATE_EVERY_MS;
  if (!due || !(graver || moved || verdict.score > episode.peak))
    return { episode: { ...episode, peak }, events: [] };
  const told: Episode = {
    ...episode,
    peak,
    severity: graver ? severity : episode.severity,
    updatedAtMs: nowMs,
    last: verdict,
  };
  return { episode: told, events: [{ type: "updated", episode: told }] };
}
