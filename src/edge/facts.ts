/** Facts: one exchange as one observation (contract §3), for Workers that hand it on. */
import { Exchange, type SeenRequest, type SeenResponse } from "./exchange.ts";
import type { FingerprintOptions } from "./fingerprint.ts";

/** One observation as users send it; keys that are absent are not known. */
export interface ObservationRecord {
  timestamp: number;
  ja4?: string;
  client_ip?: string;
  user_agent?: string;
  path?: string;
  host?: string;
  method?: string;
  asn?: number;
  http_protocol?: string;
  status?: number;
  cache_status?: string;
  bot_score?: number;
  detection_ids?: number[];
  verified_bot?: boolean;
  ja4_signals?: Record<string, unknown>;
  ray_id?: string;
}

export interface FactsOptions extends FingerprintOptions {
  /** Time of the request, ms. */
  nowMs?: number;
}

/** Nothing in it outlives a call: it is read and written out without a pause. */
const exchange = new Exchange();

/** The facts of one exchange; bodies are not touched. Never throws. */
export function facts(
  request: SeenRequest,
  response: SeenResponse,
  options: FactsOptions = {},
): ObservationRecord {
  exchange.read(request, response, options.nowMs ?? Date.now(), options);
  return recordOf(exchange);
}

/** What was read, with a key for everything that is known. */
export function recordOf(read: Exchange): ObservationRecord {
  const record: ObservationRecord = { timestamp: read.timestampMs };
  if (read.method !== undefined) record.method = read.method;
  if (read.hostFits) record.host = read.url.host;
  if (read.pathFits) record.path = read.url.path;
  if (read.userAgent !== undefined) record.user_agent = read.userAgent;
  if (read.clientIp !== undefined) record.client_ip = read.clientIp;
  if (read.rayId !== undefined) record.ray_id = read.rayId;
  if (read.asn !== undefined) record.asn = read.asn;
  if (read.httpProtocol !== undefined) record.http_protocol = read.httpProtocol;
  if (read.status !== undefined) record.status = read.status;
  if (read.cacheStatus !== undefined) record.cache_status = read.cacheStatus;
  if (read.ja4 !== undefined) record.ja4 = read.ja4;
  if (read.botScore !== undefined) record.bot_score = read.botScore;
  if (read.verifiedBot !== undefined) record.verified_bot = read.verifiedBot;
  if (read.detectionIds !== undefined) record.detection_ids = read.detectionIds.slice();
  if (read.ja4Signals !== undefined) record.ja4_signals = read.ja4Signals;
  return record;
}
