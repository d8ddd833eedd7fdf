/** The `data` of `hellotide.threshold.*` (contract §6). */
import { rfc3339 } from "../base/time.ts";
import type { WindowName } from "../config.ts";
import type { Evidence, Severity } from "../detect/types.ts";
import { SITE_SUBJECT, type ThresholdChange, type ThresholdClearReason } from "./rule.ts";

export interface ThresholdData {
  anomaly_id: string;
  kind: "threshold";
  threshold: string;
  /** Absent = of the whole site. */
  ja4?: string;
  severity: Severity;
  signal: string;
  window?: WindowName;
  observed?: number;
  value: number;
  started_at: string;
  ended_at?: string;
  reason?: ThresholdClearReason;
  silenced: boolean;
  grouped: boolean;
  evidence: Evidence;
  url: string;
  summary: string;
}

const WINDOW_WORDS: Record<WindowName, string> = {
  "1m": "the last minute",
  "5m": "5 minutes",
  "1h": "the last hour",
};

export function thresholdData(
  change: ThresholdChange,
  evidence: Evidence,
  url: string,
  nowMs: number,
): ThresholdData {
  const { thresholdId, ja4, observed } = change;
  const { signal, window, op, value } = change.told;
  const shown = observed === undefined ? "not known" : String(Math.round(observed * 10_000) / 10_000);
  const what = `${signal}${window === undefined ? "" : ` in ${WINDOW_WORDS[window]}`} is ${shown}`;
  return {
    anomaly_id: change.anomalyId,
    kind: "threshold",
    threshold: thresholdId,
    ...(ja4 === SITE_SUBJECT ? {} : { ja4 }),
    severity: change.severity,
    signal,
    ...(window === undefined ? {} : { window }),
    ...(observed === undefined ? {} : { observed }),
    value,
    started_at: rfc3339(change.startedAtMs),
    ...(change.reason === undefined ? {} : { ended_at: rfc3339(nowMs), reason: change.reason }),
    silenced: change.silenced,
    grouped: false,
    evidence,
    url,
    summary:
      change.type === "raised"
        ? `${thresholdId}: ${what}, the threshold is ${op} ${value}`
        : `${thresholdId}: over (${change.reason})`,
  };
}
