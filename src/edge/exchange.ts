/**
 * What one request and its response say of the client, read into one object that the next exchange uses again: the edge
 * does this for every visitor, so nothing is allocated on the way. Total over whatever `request.cf` holds: the published
 * types lack `ja4` and its signals, `detectionIds` is `{}` when empty, a zone without Bot Management sends placeholders
 * (score 99, `{}`, false). What is malformed is dropped and counted, never invented.
 * https://developers.cloudflare.com/bots/reference/bot-management-variables/
 */
import { fitsUtf8 } from "../base/text.ts";
import { FIELD_MAX_BYTES, RAY_ID_MAX_CHARS } from "../config.ts";
import { isAbsent, isEmptyObject, isFields, objectOf } from "./fields.ts";
import { type FingerprintOptions, headerJa4, knownJa4 } from "./fingerprint.ts";
import { AddressParser } from "./identity.ts";
import { pseudoFingerprint } from "./pseudo.ts";
import { UrlReader } from "./url.ts";

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

const ASN_MAX = 4_294_967_295;
const PROTOCOL_MAX_BYTES = 16;
const CACHE_STATUS_MAX_BYTES = 32;

/** The facts of the exchange read last; `undefined` = not known. */
export class Exchange {
  /** ms. */
  timestampMs = 0;
  ja4: string | undefined;
  clientIp: string | undefined;
  /** `clientIp`, parsed. */
  readonly address = new AddressParser();
  userAgent: string | undefined;
  /** Host and path; what is longer than a field may be is not used. */
  readonly url = new UrlReader();
  hostFits = false;
  pathFits = false;
  method: string | undefined;
  asn: number | undefined;
  httpProtocol: string | undefined;
  status: number | undefined;
  cacheStatus: string | undefined;
  botScore: number | undefined;
  verifiedBot: boolean | undefined;
  detectionIds: readonly number[] | undefined;
  /** Flat (`ja4Signals`) or in groups (`jaSignalsParsed`), not checked further. */
  ja4Signals: Record<string, unknown> | undefined;
  rayId: string | undefined;
  /** Fields that were there and could not be used. */
  dropped = 0;

  /** Reads one exchange, of which `nowMs` is the time; bodies are not touched. Throws only what the platform throws. */
  read(request: SeenRequest, response: SeenResponse, nowMs: number, options: FingerprintOptions): void {
    const { headers } = request;
    const cf = objectOf(request.cf);
    this.dropped = 0;
    this.timestampMs = nowMs;
    this.method = this.#text(request.method, FIELD_MAX_BYTES);
    this.#url(request.url);
    this.userAgent = this.#text(headers.get("user-agent"), FIELD_MAX_BYTES);
    this.clientIp = this.#address(headers.get("cf-connecting-ip") ?? localAddress(cf.clientIp));
    this.rayId = this.#text(headers.get("cf-ray"), RAY_ID_MAX_CHARS);
    this.asn = this.#integer(cf.asn, 0, ASN_MAX);
    this.httpProtocol = this.#text(cf.httpProtocol, PROTOCOL_MAX_BYTES);
    this.status = this.#integer(response.status, 100, 599);
    this.cacheStatus = this.#text(response.headers.get("cf-cache-status"), CACHE_STATUS_MAX_BYTES);
    this.#fingerprint(request, cf, options);
  }

  #text(value: unknown, maxBytes: number): string | undefined {
    if (isAbsent(value)) return undefined;
    if (typeof value === "string" && fitsUtf8(value, maxBytes)) return value;
    this.dropped++;
    return undefined;
  }

  #integer(value: unknown, min: number, max: number): number | undefined {
    if (isAbsent(value)) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    this.dropped++;
    return undefined;
  }

  #address(value: unknown): string | undefined {
    if (isAbsent(value)) return undefined;
    if (typeof value === "string" && this.address.parse(value)) return value;
    this.dropped++;
    return undefined;
  }

  #url(text: string): void {
    const { url } = this;
    url.read(text);
    const { host } = url;
    this.hostFits = host !== "" && fitsUtf8(host, FIELD_MAX_BYTES);
    if (!this.hostFits && host !== "") this.dropped++;
    this.pathFits = url.pathChars * 3 <= FIELD_MAX_BYTES || fitsUtf8(url.path, FIELD_MAX_BYTES);
    if (!this.pathFits) this.dropped++;
  }

  /** Cloudflare's JA4, else the trusted header's, else a pseudo fingerprint where that is asked for. */
  #fingerprint(request: SeenRequest, cf: Record<string, unknown>, options: FingerprintOptions): void {
    this.botScore = undefined;
    this.verifiedBot = undefined;
    this.detectionIds = undefined;
    this.ja4Signals = undefined;
    const bot = objectOf(cf.botManagement);
    this.ja4 = knownJa4(bot.ja4);
    if (this.ja4 !== undefined) {
      this.#botManagement(bot);
      return;
    }
    if (!isAbsent(bot.ja4)) this.dropped++;
    const header = headerJa4(request, options);
    this.ja4 = knownJa4(header);
    if (this.ja4 !== undefined) return;
    if (!isAbsent(header)) this.dropped++;
    if (options.orTls === true) this.ja4 = pseudoFingerprint(cf);
  }

  /** What counts as known only beside a JA4: without Bot Management these are placeholders. */
  #botManagement(bot: Record<string, unknown>): void {
    this.botScore = this.#integer(bot.score, 0, 99);
    const { verifiedBot, detectionIds } = bot;
    if (typeof verifiedBot === "boolean") this.verifiedBot = verifiedBot;
    else if (!isAbsent(verifiedBot)) this.dropped++;
    if (isIds(detectionIds)) this.detectionIds = detectionIds;
    // Cloudflare's empty list is an empty object.
    else if (isEmptyObject(detectionIds)) this.detectionIds = NO_IDS;
    else if (!isAbsent(detectionIds)) this.dropped++;
    // Two forms of the same numbers: the second stands in where the first cannot be used.
    this.#signals(bot.ja4Signals);
    this.#signals(bot.jaSignalsParsed);
  }

  #signals(value: unknown): void {
    if (isFields(value)) this.ja4Signals ??= value;
    else if (!isAbsent(value)) this.dropped++;
  }
}

const NO_IDS: readonly number[] = Object.freeze([]);

function isIds(value: unknown): value is number[] {
  if (!Array.isArray(value)) return false;
  // As `every` does, holes are passed over.
  for (let i = 0; i < value.length; i++) {
    if (i in value && !(Number.isSafeInteger(value[i]) && value[i] >= 0)) return false;
  }
  return true;
}

/** The local engine's `clientIp` is `address:port`; on the platform the header is there and this is not. */
function localAddress(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const colon = value.lastIndexOf(":");
  const host = colon < 0 ? value : value.slice(0, colon);
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
