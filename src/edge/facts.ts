/**
 * Facts: what one request and its response say of the client, as one observation (contract §3). Total over whatever
 * `request.cf` holds: the published types lack `ja4` and its signals, `detectionIds` is `{}` when empty, a zone without
 * Bot Management sends placeholders (score 99, `{}`, false). What is malformed is dropped and counted, never invented.
 * https://developers.cloudflare.com/bots/reference/bot-management-variables/
 */
import { utf8Length } from "../base/text.ts";
import { FIELD_MAX_BYTES, RAY_ID_MAX_CHARS } from "../config.ts";
import { isJa4 } from "../wire/ja4.ts";
import { addressBytes } from "./identity.ts";
import { pseudoFingerprint } from "./pseudo.ts";

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

/** The slice of a request that facts are read from; a `Request` has it. */
export interface SeenRequest {
  method: string;
  url: string;
  headers: Pick<Headers, "get">;
  cf?: unknown;
}

/** The slice of a response. */
export interface SeenResponse {
  status: number;
  headers: Pick<Headers, "get">;
}

export interface FactsOptions {
  /** Time of the request, ms. */
  nowMs?: number;
  /** A trusted header that carries the JA4 where `request.cf` has none. */
  ja4Header?: string | undefined;
  /** Make a pseudo fingerprint of TLS facts where there is no JA4. */
  orTls?: boolean;
}

/** The facts of one exchange; bodies are not touched. Never throws. */
export function facts(
  request: SeenRequest,
  response: SeenResponse,
  options: FactsOptions = {},
): ObservationRecord {
  return readFacts(request, response, options).record;
}

/** The same, with the number of fields that were there and could not be used. */
export function readFacts(
  request: SeenRequest,
  response: SeenResponse,
  options: FactsOptions,
): { record: ObservationRecord; dropped: number } {
  const record: ObservationRecord = { timestamp: options.nowMs ?? Date.now() };
  const take = new Taker(record);
  const cf = objectOf(request.cf);
  const url = urlParts(request.url);
  take.text("method", request.method, FIELD_MAX_BYTES);
  take.text("host", url.host, FIELD_MAX_BYTES);
  take.text("path", url.path, FIELD_MAX_BYTES);
  take.text("user_agent", request.headers.get("user-agent"), FIELD_MAX_BYTES);
  take.address(request.headers.get("cf-connecting-ip") ?? localAddress(cf.clientIp));
  take.text("ray_id", request.headers.get("cf-ray"), RAY_ID_MAX_CHARS);
  take.integer("asn", cf.asn, 0, 4_294_967_295);
  take.text("http_protocol", cf.httpProtocol, 16);
  take.integer("status", response.status, 100, 599);
  take.text("cache_status", response.headers.get("cf-cache-status"), 32);
  take.fingerprint(request, options);
  return { record, dropped: take.dropped };
}

/** Puts checked values into the record and counts what it had to leave out. */
class Taker {
  readonly #record: ObservationRecord;
  dropped = 0;

  constructor(record: ObservationRecord) {
    this.#record = record;
  }

  text(
    name: "method" | "host" | "path" | "user_agent" | "ray_id" | "http_protocol" | "cache_status",
    value: unknown,
    max: number,
  ): void {
    if (isAbsent(value)) return;
    // A text of n units has at most 3n bytes of UTF-8: a third of the limit is always short enough.
    if (typeof value === "string" && (value.length * 3 <= max || utf8Length(value) <= max))
      this.#record[name] = value;
    else this.dropped++;
  }

  integer(name: "asn" | "status" | "bot_score", value: unknown, min: number, max: number): void {
    if (isAbsent(value)) return;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
      this.#record[name] = value;
    else this.dropped++;
  }

  address(value: unknown): void {
    if (isAbsent(value)) return;
    if (typeof value === "string" && addressBytes(value) !== undefined) this.#record.client_ip = value;
    else this.dropped++;
  }

  /** The JA4 and what counts as known only beside one: without Bot Management the rest are placeholders. */
  fingerprint(request: SeenRequest, options: FactsOptions): void {
    const { ja4, own, dropped } = readFingerprint(request, options);
    this.dropped += dropped;
    if (ja4 === undefined) return;
    this.#record.ja4 = ja4;
    if (own) this.#botManagement(objectOf(objectOf(request.cf).botManagement));
  }

  #botManagement(bot: Fields): void {
    this.integer("bot_score", bot.score, 0, 99);
    if (typeof bot.verifiedBot === "boolean") this.#record.verified_bot = bot.verifiedBot;
    else if (!isAbsent(bot.verifiedBot)) this.dropped++;
    const ids = bot.detectionIds;
    if (Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id) && id >= 0))
      this.#record.detection_ids = ids;
    // Cloudflare's empty list is an empty object.
    else if (isEmptyObject(ids)) this.#record.detection_ids = [];
    else if (!isAbsent(ids)) this.dropped++;
    // Two forms of the same numbers: the second stands in where the first cannot be used.
    for (const signals of [bot.ja4Signals, bot.jaSignalsParsed]) {
      if (isFields(signals)) this.#record.ja4_signals ??= signals;
      else if (!isAbsent(signals)) this.dropped++;
    }
  }
}

/** Which fingerprint a request is counted under; `own` = Cloudflare's, and Bot Management's facts are known. */
interface FoundFingerprint {
  ja4: string | undefined;
  own: boolean;
  /** Values that were there and are no JA4. */
  dropped: number;
}

/** Cloudflare's JA4, else the trusted header's, else a pseudo fingerprint where that is asked for. */
export function readFingerprint(
  request: Pick<SeenRequest, "headers" | "cf">,
  options: Pick<FactsOptions, "ja4Header" | "orTls">,
): FoundFingerprint {
  const cf = objectOf(request.cf);
  const own = objectOf(cf.botManagement).ja4;
  if (typeof own === "string" && isJa4(own)) return { ja4: own, own: true, dropped: 0 };
  let dropped = isAbsent(own) ? 0 : 1;
  const header = options.ja4Header === undefined ? null : request.headers.get(options.ja4Header);
  if (header !== null && isJa4(header)) return { ja4: header, own: false, dropped };
  if (!isAbsent(header)) dropped++;
  return { ja4: options.orTls === true ? pseudoFingerprint(cf) : undefined, own: false, dropped };
}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function isEmptyObject(value: unknown): boolean {
  return isFields(value) && Object.keys(value).length === 0;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** Host and path of an absolute URL, by hand: a URL object costs more than all other facts together. */
function urlParts(url: string): { host: string; path: string } {
  const start = url.indexOf("://") + 3;
  let end = url.length;
  for (const mark of ["?", "#"]) {
    const at = url.indexOf(mark, start);
    if (at >= 0 && at < end) end = at;
  }
  const slash = url.indexOf("/", start);
  if (slash < 0 || slash >= end) return { host: hostname(url.slice(start, end)), path: "/" };
  return { host: hostname(url.slice(start, slash)), path: url.slice(slash, end) };
}

/** Without user info and port. */
function hostname(authority: string): string {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const colon = host.lastIndexOf(":");
  return (colon > host.lastIndexOf("]") ? host.slice(0, colon) : host).toLowerCase();
}

/** The local engine's `clientIp` is `address:port`; on the platform the header is there and this is not. */
function localAddress(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const colon = value.lastIndexOf(":");
  const host = colon < 0 ? value : value.slice(0, colon);
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
