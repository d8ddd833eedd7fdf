/**
 * One observation as users send it (contract §3), decoded by hand: this is the ingest path, where a schema library
 * costs more than the work. The zod schema in `src/schemas/observation.ts` documents the same shape; a test holds the two
 * together.
 */
import { fitsUtf8 } from "../base/text.ts";
import { parseRfc3339 } from "../base/time.ts";
import { FIELD_MAX_BYTES, FUTURE_MAX_MS, PAST_MAX_MS, RAY_ID_MAX_CHARS } from "../config.ts";
import { isJa4 } from "./ja4.ts";
import { GLOBAL_SIGNALS, type GlobalSignalName, readSignals } from "./signal-names.ts";

/** A decoded observation; what was absent, `null` or `""` is undefined. */
export interface Observation {
  timestampMs: number;
  ja4: string | undefined;
  clientIp: string | undefined;
  userAgent: string | undefined;
  path: string | undefined;
  host: string | undefined;
  method: string | undefined;
  asn: number | undefined;
  h2h3: boolean | undefined;
  status: number | undefined;
  cache: boolean | undefined;
  heuristic: boolean | undefined;
  verifiedBot: boolean | undefined;
  /** 0–99; 0 = not computed. */
  botScore: number | undefined;
  /** As they were sent. */
  detectionIds: readonly number[] | undefined;
  signals: Partial<Record<GlobalSignalName, number>> | undefined;
  rayId: string | undefined;
}

/** Why a record was not accepted. `expired` is no fault of the record's, so it has no detail. */
export type Refusal = { expired: true } | { expired: false; detail: string };

/** What a record is refused with: `throw` would cost a stack for each bad record of a hostile body. */
class FieldFault {
  readonly detail: string;
  constructor(detail: string) {
    this.detail = detail;
  }
}

/** Decodes one record. Never throws; a fault names its field and never repeats the value. */
export function parseObservation(record: unknown, nowMs: number): Observation | Refusal {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return { expired: false, detail: "an observation is an object" };
  }
  const fields = record as Record<string, unknown>;
  const time = timestamp(fields.timestamp, nowMs);
  if (typeof time !== "number") return time;
  const ja4 = text(fields, "ja4", 64);
  const clientIp = text(fields, "client_ip", 64);
  const userAgent = text(fields, "user_agent", FIELD_MAX_BYTES);
  const path = text(fields, "path", FIELD_MAX_BYTES);
  const host = text(fields, "host", FIELD_MAX_BYTES);
  const method = text(fields, "method", FIELD_MAX_BYTES);
  const asn = integer(fields, "asn", 0, 4_294_967_295);
  const protocol = text(fields, "http_protocol", FIELD_MAX_BYTES);
  const status = integer(fields, "status", 100, 599);
  const cacheStatus = text(fields, "cache_status", FIELD_MAX_BYTES);
  const botScore = integer(fields, "bot_score", 0, 99);
  const source = text(fields, "bot_score_src", FIELD_MAX_BYTES);
  const detections = detectionIds(fields.detection_ids);
  const verifiedBot = boolean(fields, "verified_bot");
  const signals = globalSignals(fields.ja4_signals);
  const rayId = text(fields, "ray_id", RAY_ID_MAX_CHARS);
  for (const field of [ja4, clientIp, userAgent, path, host, method, asn, protocol, status, cacheStatus]) {
    if (field instanceof FieldFault) return { expired: false, detail: field.detail };
  }
  for (const field of [botScore, source, detections, verifiedBot, signals, rayId]) {
    if (field instanceof FieldFault) return { expired: false, detail: field.detail };
  }
  if (typeof ja4 === "string" && !isJa4(ja4)) {
    return {
      expired: false,
      detail: "ja4 is not a JA4 fingerprint such as t13d1516h2_8daaf6152771_02713d6af862",
    };
  }
  return {
    timestampMs: time,
    ja4: ja4 as string | undefined,
    clientIp: clientIp as string | undefined,
    userAgent: userAgent as string | undefined,
    path: withoutQuery(path as string | undefined),
    host: (host as string | undefined)?.toLowerCase(),
    method: method as string | undefined,
    asn: asn as number | undefined,
    h2h3: isH2H3(protocol as string | undefined),
    status: status as number | undefined,
    cache: isCacheable(cacheStatus as string | undefined),
    heuristic: isHeuristic(source as string | undefined, detections as readonly number[] | undefined),
    verifiedBot: verifiedBot as boolean | undefined,
    botScore: botScore as number | undefined,
    detectionIds: detections as readonly number[] | undefined,
    signals: signals as Observation["signals"],
    rayId: rayId as string | undefined,
  };
}

function timestamp(value: unknown, nowMs: number): number | Refusal {
  const fault = (detail: string): Refusal => ({ expired: false, detail });
  let ms: number | undefined;
  if (typeof value === "number") {
    if (!Number.isInteger(value)) return fault("timestamp is not an integer number of milliseconds");
    if (value < 1e11) return fault("timestamp is not in milliseconds (seconds?)");
    ms = value;
  } else if (typeof value === "string" && value !== "") {
    ms = parseRfc3339(value);
  } else if (value === undefined || value === null || value === "") {
    return fault("timestamp is missing");
  }
  if (ms === undefined) return fault("timestamp is neither integer milliseconds nor an RFC 3339 time");
  if (ms > nowMs + FUTURE_MAX_MS) return fault("timestamp is more than 60 s ahead of the server's clock");
  if (ms < nowMs - PAST_MAX_MS) return { expired: true };
  return ms;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

function text(
  fields: Record<string, unknown>,
  name: string,
  maxBytes: number,
): string | undefined | FieldFault {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== "string") return new FieldFault(`${name} is not a string`);
  return fitsUtf8(value, maxBytes) ? value : new FieldFault(`${name} is longer than ${maxBytes} bytes`);
}

function integer(
  fields: Record<string, unknown>,
  name: string,
  min: number,
  max: number,
): number | undefined | FieldFault {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    return new FieldFault(`${name} is not an integer from ${min} to ${max}`);
  }
  return value;
}

function boolean(fields: Record<string, unknown>, name: string): boolean | undefined | FieldFault {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  return typeof value === "boolean" ? value : new FieldFault(`${name} is not a boolean`);
}

const NO_IDS: readonly number[] = Object.freeze([]);

/** What Bot Management's heuristics named; Cloudflare sends `{}` for an empty list. */
function detectionIds(value: unknown): readonly number[] | undefined | FieldFault {
  if (isAbsent(value)) return undefined;
  if (Array.isArray(value)) {
    if (value.every((id) => Number.isSafeInteger(id) && id >= 0)) return value as number[];
  } else if (typeof value === "object" && value !== null && Object.keys(value).length === 0) {
    return NO_IDS;
  }
  return new FieldFault("detection_ids is not an array of integers");
}

/** Cloudflare's ten names, flat or grouped as in `jaSignalsParsed`; everything that is no usable number is dropped. */
function globalSignals(value: unknown): Observation["signals"] | FieldFault {
  if (isAbsent(value)) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return new FieldFault("ja4_signals is not an object");
  }
  if (!readSignals(value as Record<string, unknown>, dense)) return undefined;
  const signals: Partial<Record<GlobalSignalName, number>> = {};
  for (let i = 0; i < dense.length; i++) if (!Number.isNaN(dense[i])) signals[GLOBAL_SIGNALS[i]!] = dense[i]!;
  return signals;
}

/** Filled and read out without a pause. */
const dense = new Float64Array(GLOBAL_SIGNALS.length);

function withoutQuery(path: string | undefined): string | undefined {
  const at = path === undefined ? -1 : path.indexOf("?");
  return at < 0 ? path : path!.slice(0, at);
}

/** HTTP/2 and HTTP/3 against HTTP/1.x; other names are not known. */
export function isH2H3(protocol: string | undefined): boolean | undefined {
  switch (protocol?.toUpperCase()) {
    case "HTTP/2":
    case "HTTP/2.0":
    case "HTTP/3":
    case "HTTP/3.0":
      return true;
    case "HTTP/1.0":
    case "HTTP/1.1":
      return false;
    default:
      return undefined;
  }
}

const CACHEABLE = new Set([
  "hit",
  "miss",
  "expired",
  "updating",
  "stale",
  "revalidated",
  "stream_hit",
  "deferred",
]);
const UNCACHEABLE = new Set(["dynamic", "bypass", "ignored"]);

/** Cloudflare's cache statuses as "cacheable response" (contract §4). */
export function isCacheable(cacheStatus: string | undefined): boolean | undefined {
  const status = cacheStatus?.toLowerCase();
  if (status === undefined) return undefined;
  if (CACHEABLE.has(status)) return true;
  return UNCACHEABLE.has(status) ? false : undefined;
}

const SCORE_SOURCES = new Set([
  "heuristics",
  "machine learning",
  "behavioral analysis",
  "verified bot",
  "js fingerprinting",
  "cloudflare service",
]);

/** Scored by heuristics; where the source is not known, a detection id says so too. */
function isHeuristic(
  source: string | undefined,
  detections: readonly number[] | undefined,
): boolean | undefined {
  const name = source?.toLowerCase();
  if (name !== undefined && SCORE_SOURCES.has(name)) return name === "heuristics";
  return detections && detections.length > 0;
}
