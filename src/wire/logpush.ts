/**
 * A record of Cloudflare Logpush's `http_requests` data set → the fields of an observation.
 * https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
 *
 * What Cloudflare adds to a field later must not cost the record: a value of another type or range than ours is left out
 * and counted (contract §3). Only a record without a time is none.
 */

import { fitsUtf8 } from "../base/text.ts";
import { parseRfc3339 } from "../base/time.ts";
import { FIELD_MAX_BYTES, RAY_ID_MAX_CHARS } from "../config.ts";
import { isJa4 } from "./ja4.ts";

export type LogpushRecord =
  /** Observation fields under the names of the API; `dropped` = how many were left out. */
  | { fields: Record<string, unknown>; dropped: number }
  /** No request of a visitor's: a Worker's own one, or the upload that Cloudflare tries a destination with. */
  | { skipped: "subrequest" | "validation" }
  | { fault: string };

type Json = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

const isText =
  (maxBytes: number): Check =>
  (value) =>
    typeof value === "string" && fitsUtf8(value, maxBytes);
const isInteger =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
const isObject: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isFingerprint: Check = (value) => typeof value === "string" && isJa4(value);
const areDetections: Check = (value) =>
  Array.isArray(value)
    ? value.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)
    : isObject(value) && Object.keys(value as object).length === 0;

/** Cloudflare's name, ours, and what it must be. The path, verified bots and the time have rules of their own. */
const FIELDS: readonly (readonly [string, string, Check])[] = [
  ["JA4", "ja4", isFingerprint],
  // Whether it is an address is seen where it is hashed.
  ["ClientIP", "client_ip", isText(64)],
  ["ClientRequestUserAgent", "user_agent", isText(FIELD_MAX_BYTES)],
  ["ClientRequestHost", "host", isText(FIELD_MAX_BYTES)],
  ["ClientRequestMethod", "method", isText(FIELD_MAX_BYTES)],
  ["ClientASN", "asn", isInteger(0, 4_294_967_295)],
  ["ClientRequestProtocol", "http_protocol", isText(FIELD_MAX_BYTES)],
  ["EdgeResponseStatus", "status", isInteger(100, 599)],
  ["CacheCacheStatus", "cache_status", isText(FIELD_MAX_BYTES)],
  ["BotScore", "bot_score", isInteger(0, 99)],
  ["BotScoreSrc", "bot_score_src", isText(FIELD_MAX_BYTES)],
  ["BotDetectionIDs", "detection_ids", areDetections],
  ["JA4Signals", "ja4_signals", isObject],
  ["RayID", "ray_id", isText(RAY_ID_MAX_CHARS)],
];
const isField = isText(FIELD_MAX_BYTES);

/** One line. Never throws; a fault does not repeat what the line says. */
export function readLogpush(line: Uint8Array): LogpushRecord {
  let text: string;
  try {
    text = utf8.decode(line);
  } catch {
    return { fault: "the line is not UTF-8" };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: "the line is not JSON" };
  }
  if (!isObject(value)) return { fault: "a record is an object" };
  return readRecord(value as Json, text);
}

function readRecord(log: Json, text: string): LogpushRecord {
  if (log.EdgeStartTimestamp === undefined && log.content === "tests") return { skipped: "validation" };
  // It belongs to a request that is in the log anyway.
  if (log.WorkerSubrequest === true) return { skipped: "subrequest" };
  if (isAbsent(log.EdgeStartTimestamp)) return { fault: "EdgeStartTimestamp is missing" };
  const timestamp = edgeTime(log.EdgeStartTimestamp, text);
  if (timestamp === undefined)
    return { fault: "EdgeStartTimestamp is neither unixnano nor unix nor an RFC 3339 time" };
  const fields: Record<string, unknown> = { timestamp };
  let dropped = 0;
  const take = (name: string, ours: string, check: Check) => {
    const value = log[name];
    if (isAbsent(value)) return;
    if (check(value)) fields[ours] = value;
    else dropped++;
  };
  for (const [name, ours, check] of FIELDS) take(name, ours, check);
  take("ClientRequestPath", "path", isField);
  if (fields.path === undefined) take("ClientRequestURI", "path", isField);
  const verified = verifiedBot(log);
  if (typeof verified === "boolean") fields.verified_bot = verified;
  else if (verified === "wrong") dropped++;
  return { fields, dropped };
}

/** Yes by the score's source or by a category; no where another source gave the score; else not known. */
function verifiedBot({ BotScoreSrc: source, VerifiedBotCategory: category }: Json) {
  const by = typeof source === "string" ? source.toLowerCase() : "";
  if (by === "verified bot") return true;
  if (!isAbsent(category)) return typeof category === "string" ? true : "wrong";
  return by === "" || by === "not computed" ? undefined : false;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** Each ends where the next smaller unit of a time in this century begins. */
const SECONDS_END = 1e11;
const MS_END = 1e14;
const MICROS_END = 1e17;

/**
 * ms of `unixnano`, `unix` (also ms and µs) or `rfc3339`, as numbers or texts; rounded down. 19 digits are taken from the
 * text of the record: JSON.parse rounds them to multiples of 256 ns, which can fall on the other side of a millisecond.
 */
function edgeTime(value: unknown, record: string): number | undefined {
  if (typeof value === "string")
    return /^\d{1,19}$/.test(value) ? msOf(Number(value), value) : parseRfc3339(value);
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) return undefined;
  return msOf(value, Number.isSafeInteger(value) ? String(value) : digitsOf(value, record));
}

function msOf(value: number, digits: string | undefined): number {
  // By way of whole µs, the finest that a double holds of a second's fraction.
  if (value < SECONDS_END) return Math.floor(Math.round(value * 1e6) / 1_000);
  if (value < MS_END) return Math.floor(value);
  const finer = value < MICROS_END ? 3 : 6;
  return digits === undefined ? Math.floor(value / 10 ** finer) : Number(digits.slice(0, -finer));
}

const TIME_DIGITS = /"EdgeStartTimestamp"\s*:\s*(\d+)(?=[\s,}])/g;

/** The digits that the number was parsed from: inside another object the same name may stand with another number. */
function digitsOf(value: number, record: string): string | undefined {
  for (const [, digits] of record.matchAll(TIME_DIGITS)) if (Number(digits) === value) return digits;
  return undefined;
}
