/** What the simulator makes: observations as users send them (contract §3), oldest first. */
import type { GlobalSignalName } from "../wire/signal-names.ts";

export type WorldSignals = Partial<Record<GlobalSignalName, number>>;

export interface ObservationRecord {
  timestamp: number;
  ja4?: string;
  client_ip: string;
  user_agent?: string;
  path: string;
  host: string;
  method: string;
  asn: number;
  http_protocol: string;
  status: number;
  cache_status: string;
  bot_score: number;
  bot_score_src: string;
  detection_ids: number[];
  verified_bot: boolean;
  ja4_signals?: WorldSignals;
  ray_id: string;
}

/** Traffic that can be asked for any stretch of time, in any order, and always answers the same. */
export interface Traffic {
  /** The observations of [fromMs, toMs), oldest first. */
  between(fromMs: number, toMs: number): ObservationRecord[];
}

export function byTime(records: ObservationRecord[]): ObservationRecord[] {
  return records.sort((a, b) => a.timestamp - b.timestamp);
}
