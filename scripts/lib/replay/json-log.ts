/** Logs of one JSON object a line: observations, Traefik's access log, Cloudflare Logpush `http_requests`. */
import { isIP } from "node:net";
import { parseRfc3339 } from "../../../src/base/time.ts";
import { known, type LineParser, type LogRecord, type Parsed, pathOf } from "./record.ts";

type Json = Readonly<Record<string, unknown>>;

/** Numbers below are seconds, not milliseconds (contract §3). */
const MS_MIN = 1e11;

/** The object of a line, or what is wrong. */
export function parseObject(text: string): Json | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  return isObject(value) ? value : "not a JSON object";
}

export const parseNdjson: LineParser = (text) => {
  const object = parseObject(text);
  if (typeof object === "string") return { fault: object };
  if (isTraefik(object)) return traefik(object);
  const { timestamp, ...fields } = object;
  const timeMs = typeof timestamp === "string" ? parseRfc3339(timestamp) : timestamp;
  if (typeof timeMs !== "number" || !Number.isInteger(timeMs) || timeMs < MS_MIN) {
    return { fault: "timestamp is neither integer milliseconds nor an RFC 3339 time" };
  }
  // The fields as they are: whether they are good is the server's to say.
  return { record: { timeMs, fields } };
};

export const parseLogpush: LineParser = (text) => {
  const object = parseObject(text);
  if (typeof object === "string") return { fault: object };
  // What Cloudflare uploads first, to see whether the destination takes it.
  if (object.content === "tests") return { skipped: "validation upload" };
  // Requests of a Worker to its own zone: each belongs to one that is in the log anyway.
  if (object.WorkerSubrequest === true) return { skipped: "WorkerSubrequest" };
  const timeMs = edgeTime(text, object.EdgeStartTimestamp);
  if (timeMs === undefined) return { fault: "EdgeStartTimestamp is missing or not a time" };
  return { record: { timeMs, fields: logpushFields(object) } };
};

export function isLogpush(object: Json): boolean {
  return "EdgeStartTimestamp" in object || "ClientRequestMethod" in object || object.content === "tests";
}

function isTraefik(object: Json): boolean {
  return !("timestamp" in object) && "StartUTC" in object && "RequestMethod" in object;
}

/** https://doc.traefik.io/traefik/observability/access-logs/ */
function traefik(object: Json): Parsed {
  const timeMs = typeof object.StartUTC === "string" ? parseRfc3339(object.StartUTC) : undefined;
  if (timeMs === undefined) return { fault: "StartUTC is not an RFC 3339 time" };
  const path = text(object.RequestPath);
  const record: LogRecord = {
    timeMs,
    fields: known({
      client_ip: address(object.ClientHost),
      host: text(object.RequestHost),
      user_agent: text(object["request_User-Agent"]),
      method: text(object.RequestMethod),
      path: path === undefined ? undefined : pathOf(path),
      http_protocol: text(object.RequestProtocol),
      status: integer(object.DownstreamStatus, 100, 599),
    }),
  };
  return { record };
}

/** Cloudflare's names → ours. A field of another type is left out, as the Logpush endpoint does it (contract §3). */
function logpushFields(log: Json): Record<string, unknown> {
  const path = text(log.ClientRequestPath) ?? text(log.ClientRequestURI);
  return known({
    ja4: text(log.JA4),
    client_ip: address(log.ClientIP),
    user_agent: text(log.ClientRequestUserAgent),
    path: path === undefined ? undefined : pathOf(path),
    host: text(log.ClientRequestHost),
    method: text(log.ClientRequestMethod),
    asn: integer(log.ClientASN, 0, 4_294_967_295),
    http_protocol: text(log.ClientRequestProtocol),
    status: integer(log.EdgeResponseStatus, 100, 599),
    cache_status: text(log.CacheCacheStatus),
    bot_score: integer(log.BotScore, 0, 99),
    bot_score_src: text(log.BotScoreSrc),
    detection_ids: Array.isArray(log.BotDetectionIDs) ? log.BotDetectionIDs.filter(isId) : undefined,
    verified_bot: verifiedBot(log),
    ja4_signals: isObject(log.JA4Signals) ? log.JA4Signals : undefined,
    ray_id: text(log.RayID),
  });
}

function verifiedBot({ BotScoreSrc: source, VerifiedBotCategory: category }: Json): boolean | undefined {
  if (source === undefined && category === undefined) return undefined;
  return source === "Verified Bot" || text(category) !== undefined;
}

/**
 * `unixnano`, `unix` or `rfc3339`. A number is taken from the text: JSON.parse rounds 19 digits to multiples of 256, which
 * can fall on the other side of a millisecond.
 */
function edgeTime(line: string, value: unknown): number | undefined {
  if (typeof value === "string" && !/^\d+$/.test(value)) return parseRfc3339(value);
  // Inside another string the name's quotes would be escaped, so this finds the key only.
  const digits = /"EdgeStartTimestamp"\s*:\s*"?(\d+)/.exec(line)?.[1];
  if (digits === undefined) return undefined;
  // 10 digits are seconds, 13, 16 and 19 the smaller units.
  const finer = Math.floor((digits.length - 9) / 3);
  if (finer < 0 || finer > 3) return undefined;
  return finer === 0 ? Number(digits) * 1_000 : Number(digits.slice(0, digits.length - 3 * (finer - 1)));
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function address(value: unknown): string | undefined {
  return typeof value === "string" && isIP(value) !== 0 ? value : undefined;
}

function integer(value: unknown, min: number, max: number): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
    ? value
    : undefined;
}

function isId(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
