/** The `data` of `hellotide.anomaly.*` (contract §6): numbers finite and rounded to what they are worth. */
import type { WindowName } from "../config.ts";
import { P_MIN, SCORE_MAX } from "./tail.ts";
import type { Because, ClearReason, Episode, EpisodeEvent, Evidence, KindName, Severity } from "./types.ts";
import { round, SHARE_UNIT, share } from "./words.ts";

/** The summary names what most requests share, from these shares on. */
const MOSTLY_SHARE = 0.5;
const FROM_SHARE = 0.4;

export interface AnomalyData {
  anomaly_id: string;
  kind: KindName;
  ja4: string;
  severity: Severity;
  score: number;
  p: number;
  window: WindowName;
  observed: number;
  expected: number;
  low: number;
  high: number;
  unit: string;
  started_at: string;
  silenced: boolean;
  grouped: boolean;
  because: Because[];
  evidence: Evidence;
  url: string;
  summary: string;
  reason?: ClearReason;
  ended_at?: string;
}

/** Where a reader looks at the fingerprint; `origin` has no slash at its end. */
export function fingerprintUrl(origin: string, site: string, ja4: string): string {
  return `${origin}/#/sites/${site}/fingerprints/${encodeURIComponent(ja4)}`;
}

/** The feed's type of an episode's event. */
export function anomalyType(event: EpisodeEvent): `hellotide.anomaly.${EpisodeEvent["type"]}` {
  return `hellotide.anomaly.${event.type}`;
}

/** The data of any of an episode's events. `atMs`: event time at which it happened. */
export function anomalyData(event: EpisodeEvent, evidence: Evidence, url: string, atMs: number): AnomalyData {
  const data = runningData(event.episode, evidence, url);
  if (event.type !== "cleared") return data;
  return { ...data, reason: event.reason, ended_at: new Date(atMs).toISOString() };
}

/** An active anomaly as the API lists it. */
function runningData(episode: Episode, evidence: Evidence, url: string): AnomalyData {
  const { last } = episode;
  const show = last.unit === SHARE_UNIT ? share : round;
  return {
    anomaly_id: episode.anomalyId,
    kind: episode.kind,
    ja4: episode.ja4,
    severity: episode.severity,
    score: Math.round(Math.min(Math.max(last.score, 0), SCORE_MAX) * 100) / 100,
    p: tidyP(last.p),
    window: last.window,
    observed: show(last.observed),
    expected: show(last.expected),
    low: show(last.low),
    high: show(last.high),
    unit: last.unit,
    started_at: new Date(episode.startedAtMs).toISOString(),
    silenced: episode.silenced === true,
    grouped: false,
    because: last.because.map(tidyBecause),
    evidence,
    url,
    summary: withEvidence(last.summary, evidence),
  };
}

/** Two significant digits, above 0, at most 1. */
function tidyP(p: number): number {
  return Number.isFinite(p) ? Math.min(Math.max(Number(p.toPrecision(2)), P_MIN), 1) : 1;
}

function tidyBecause({ signal, local, expected, global, p }: Because): Because {
  const show = signal.includes("ratio") ? share : round;
  const told = { signal, local: show(local), expected: show(expected), p: tidyP(p) };
  return global === undefined ? told : { ...told, global: show(global) };
}

/** "…, mostly POST /login from AS64500": only what enough of the requests share. */
export function withEvidence(summary: string, evidence: Evidence): string {
  const method = evidence.methods[0];
  const path = evidence.paths[0];
  const asn = evidence.asns[0];
  const mostly = [method, path]
    .filter((top) => top !== undefined && top[1] >= MOSTLY_SHARE)
    .map((top) => top?.[0]);
  const from = asn !== undefined && asn[1] >= FROM_SHARE ? `from AS${asn[0]}` : undefined;
  if (mostly.length === 0) return from === undefined ? summary : `${summary}, mostly ${from}`;
  return `${summary}, mostly ${mostly.join(" ")}${from === undefined ? "" : ` ${from}`}`;
}
