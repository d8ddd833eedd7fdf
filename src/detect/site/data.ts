/** The `data` of a site event that detection raises (contract §6). */
import { rfc3339 } from "../../base/time.ts";
import { round, share } from "../words.ts";
import type { SiteEpisodeEvent, SiteKind } from "./events.ts";

export interface SiteData {
  anomaly_id: string;
  kind: SiteKind;
  severity: "info" | "warning" | "critical";
  started_at: string;
  ended_at?: string;
  reason?: string;
  silenced: false;
  grouped: false;
  window: "1m";
  observed: number;
  expected: number;
  unit: string;
  url: string;
  summary: string;
}

/** `atMs`: event time at which it happened. */
export function siteData(event: SiteEpisodeEvent, url: string, atMs: number): SiteData {
  const { anomalyId, kind, severity, startedAtMs, observed, expected, unit, summary } = event.episode;
  const show = unit.startsWith("share") ? share : round;
  return {
    anomaly_id: anomalyId,
    ...{ kind, severity },
    started_at: rfc3339(startedAtMs),
    ...(event.type === "cleared" ? { ended_at: rfc3339(atMs), reason: event.reason } : {}),
    silenced: false,
    grouped: false,
    window: "1m",
    observed: show(observed),
    expected: show(expected),
    ...{ unit, url, summary },
  };
}
