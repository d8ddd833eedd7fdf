/**
 * The storm guard (contract §5): past so many raises of a site in a stretch of time, anomalies and thresholds together,
 * further ones are grouped: kept and marked, not delivered one by one, and so are their updates and ends. One site event of
 * kind `storm` says that it began, another that it is over, how many were grouped, and which were the strongest. Pure: state
 * in, decision out; who keeps the events keeps the state with them.
 */
import type { FeedEvent } from "../wire/event.ts";

export interface StormSettings {
  /** Raises that are delivered one by one … */
  raises: number;
  /** … in so many ms. */
  perMs: number;
}

/** One grouped anomaly, as the storm's events list it. */
export interface Grouped {
  anomaly_id: string;
  kind: string;
  severity: "info" | "warning" | "critical";
  /** Absent = of the whole site. */
  ja4?: string;
  /** Absent = a threshold. */
  score?: number;
  threshold?: string;
}

export interface Storm {
  anomalyId: string;
  startedAtMs: number;
  grouped: number;
  strongest: Grouped[];
}

/** Plain data, stored as JSON. */
export interface StormState {
  /** Times of the newest raises, at most as many as are delivered one by one, oldest first, ms. */
  raisedAtMs: number[];
  storm?: Storm;
}

/** Before the first raise. */
export const CALM: StormState = { raisedAtMs: [] };

/** Grouped anomalies that the storm's events list. */
const STRONGEST_MAX = 10;

const SEVERITY_RANK = { info: 0, warning: 1, critical: 2 };

/** Whether the event begins an anomaly that would be delivered. Site events and what is silenced are none of a storm's. */
export function isRaise({ type, data }: FeedEvent): boolean {
  return (
    (type === "hellotide.anomaly.raised" || type === "hellotide.threshold.raised") && data.silenced !== true
  );
}

/** Takes a raise: the state after it, and whether it is grouped. */
export function noteRaise(
  state: StormState,
  event: FeedEvent,
  settings: StormSettings,
  nowMs: number,
  newId: () => string,
): { state: StormState; grouped: boolean } {
  const { raises, perMs } = settings;
  const recent = state.raisedAtMs.filter((atMs) => atMs > nowMs - perMs);
  const grouped = state.storm !== undefined || recent.length >= raises;
  const raisedAtMs = [...recent, nowMs].slice(-raises);
  if (!grouped) return { state: { raisedAtMs }, grouped };
  const storm = state.storm ?? { anomalyId: newId(), startedAtMs: nowMs, grouped: 0, strongest: [] };
  const strongest = [...storm.strongest, groupedOf(event)].sort(byStrength).slice(0, STRONGEST_MAX);
  const grown = { ...storm, grouped: storm.grouped + 1, strongest };
  return { state: { raisedAtMs, storm: grown }, grouped };
}

/** When a running storm is over if nothing more is raised, ms: then the stretch holds fewer raises than are let through. */
export function stormEndMs(
  { raisedAtMs, storm }: StormState,
  { raises, perMs }: StormSettings,
): number | undefined {
  if (storm === undefined) return undefined;
  // The settings may have grown since.
  return raisedAtMs.length < raises ? storm.startedAtMs : raisedAtMs[raisedAtMs.length - raises]! + perMs;
}

/** The data of the storm's events (contract §6). */
export interface StormData {
  anomaly_id: string;
  kind: "storm";
  severity: "critical";
  started_at: string;
  ended_at?: string;
  reason?: "recovered";
  silenced: false;
  grouped: false;
  /** Raises that were grouped so far. */
  raises: number;
  strongest: Grouped[];
  url: string;
  summary: string;
}

/** `endedAt`: of a clear only. Always critical: what it hides may be. */
export function stormData(storm: Storm, url: string, startedAt: string, endedAt?: string): StormData {
  const { anomalyId, grouped, strongest } = storm;
  const count = `${grouped} raise${grouped === 1 ? "" : "s"}`;
  return {
    anomaly_id: anomalyId,
    kind: "storm",
    severity: "critical",
    started_at: startedAt,
    ...(endedAt === undefined ? {} : { ended_at: endedAt, reason: "recovered" }),
    silenced: false,
    grouped: false,
    raises: grouped,
    strongest,
    url,
    summary:
      endedAt === undefined
        ? "So much is raised at once that further raises are grouped"
        : `The storm is over: ${count} grouped`,
  };
}

function groupedOf({ data }: FeedEvent): Grouped {
  const { anomaly_id, kind, severity, ja4, score, threshold } = data;
  return {
    anomaly_id: anomaly_id ?? "",
    kind,
    severity,
    ...(ja4 === undefined ? {} : { ja4 }),
    ...(score === undefined ? {} : { score }),
    ...(threshold === undefined ? {} : { threshold }),
  };
}

/** Graver first, then the higher score; what has none after what has. */
function byStrength(a: Grouped, b: Grouped): number {
  const graver = SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity];
  return graver !== 0 ? graver : (b.score ?? -1) - (a.score ?? -1);
}
