/**
 * Facts → row: yes and no become flag bits, identities become keyed hashes. Behind this file no address, agent, path or host
 * exists any more except in samples (which never carry an address).
 */
import type { KeyedHash } from "../base/hash.ts";
import { DETECTION_ID_MAX, DETECTIONS_A_ROW_MAX } from "../config.ts";
import {
  factBits,
  HAS_ASN,
  HAS_HOST,
  HAS_IP,
  HAS_PATH,
  HAS_SIGNALS,
  HAS_UA,
  SCORE_SHIFT,
  YES_BITS,
} from "../wire/flags.ts";
import type { Row } from "../wire/frame-builder.ts";
import { isCacheable, isH2H3, type Observation } from "../wire/observation.ts";
import { GLOBAL_SIGNALS, readSignals } from "../wire/signal-names.ts";
import type { Exchange } from "./exchange.ts";
import { AddressParser } from "./identity.ts";
import { TextCache } from "./text-cache.ts";
import type { UrlReader } from "./url.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

/**
 * One row at a time, filled anew for every observation: whoever keeps it copies it. Frames do (`FrameBuilder.add`), and
 * what only a sample needs is made only when it is asked for.
 */
class ReusedRow implements Row {
  timestampMs = 0;
  ja4 = "";
  flags = 0;
  ipHash = 0;
  uaHash = 0;
  pathHash = 0;
  hostHash = 0;
  asnNumber = 0;
  signals: Float64Array | undefined;
  host: string | undefined;
  method: string | undefined;
  status: number | undefined;
  asn: number | undefined;
  rayId: string | undefined;
  detectionIds: readonly number[] | undefined;
  /** The path, or the URL that it is cut out of. */
  pathSource: string | UrlReader | undefined;

  get path(): string | undefined {
    const source = this.pathSource;
    return typeof source === "object" ? source.path : source;
  }
}

const H2H3 = factBits("h2h3", true);
const HEURISTIC = factBits("heuristic", true);
const BROWSER = factBits("browser", true);
const BOT = factBits("bot", true);
const CACHE = factBits("cache", true);
const ERROR = factBits("error", true);

/** A fact's bits, from those of its yes: `factBits` looks its name up, which for all of them would cost as much as an identity. */
function bits(yes: number, fact: boolean | undefined): number {
  return fact === undefined ? 0 : fact ? yes : yes & ~YES_BITS;
}

/** 0 = not computed, the same as not known. */
function scoreBits(score: number | undefined): number {
  return score === undefined ? 0 : score << SCORE_SHIFT;
}

/** The first different ids that fit a frame; `undefined` = none. Most requests have none: nothing is made for those. */
function detectionsToCount(ids: readonly number[] | undefined): readonly number[] | undefined {
  if (ids === undefined || ids.length === 0) return undefined;
  const counted: number[] = [];
  for (let i = 0; i < ids.length && counted.length < DETECTIONS_A_ROW_MAX; i++) {
    const id = ids[i]!;
    if (id <= DETECTION_ID_MAX && !counted.includes(id)) counted.push(id);
  }
  return counted;
}

/** Cloudflare's own three names first: whatever else proxies write is looked at letter by letter. */
function protocolBits(name: string | undefined): number {
  if (name === "HTTP/2" || name === "HTTP/3") return H2H3;
  return bits(H2H3, name === "HTTP/1.1" ? false : isH2H3(name));
}

/** Cloudflare has a dozen names for cache statuses; other proxies may have others. */
const CACHE_STATUSES = { slots: 32, maxChars: 32, tail: 4, spread: 0 };

/** Makes rows, one after the other. */
export class RowMaker {
  readonly #agents: UserAgentClassifier;
  readonly #row = new ReusedRow();
  readonly #signals = new Float64Array(GLOBAL_SIGNALS.length);
  readonly #address = new AddressParser();
  readonly #cacheStatuses = new TextCache<number>(CACHE_STATUSES);

  constructor(agents: UserAgentClassifier) {
    this.#agents = agents;
  }

  /** The row of an exchange, its identities under the key of `hash`; valid until the next call. */
  ofExchange(read: Exchange, hash: KeyedHash): Row {
    const row = this.#row;
    const { url, ja4, status, asn, detectionIds, ja4Signals } = read;
    let flags = protocolBits(read.httpProtocol) | this.#cacheBits(read.cacheStatus);
    if (detectionIds !== undefined) flags |= bits(HEURISTIC, detectionIds.length > 0);
    if (status !== undefined) flags |= bits(ERROR, status >= 400);
    flags |= this.#agent(read.userAgent, read.verifiedBot, hash);
    if (read.clientIp !== undefined) flags |= HAS_IP;
    if (read.pathFits) flags |= HAS_PATH;
    if (read.hostFits) flags |= HAS_HOST;
    if (asn !== undefined) flags |= HAS_ASN;
    const signalled = ja4 !== undefined && ja4Signals !== undefined && readSignals(ja4Signals, this.#signals);
    if (signalled) flags |= HAS_SIGNALS;
    if (ja4 !== undefined) flags |= scoreBits(read.botScore);
    row.timestampMs = read.timestampMs;
    row.ja4 = ja4 ?? "";
    row.flags = flags;
    row.ipHash = read.clientIp === undefined ? 0 : read.address.hash(hash);
    row.pathHash = read.pathFits ? url.pathHash(hash) : 0;
    row.hostHash = read.hostFits ? url.hostHash(hash) : 0;
    row.asnNumber = asn ?? 0;
    row.signals = signalled ? this.#signals : undefined;
    row.pathSource = read.pathFits ? url : undefined;
    row.host = read.hostFits ? url.host : undefined;
    row.method = read.method;
    row.status = status;
    row.asn = asn;
    row.rayId = read.rayId;
    row.detectionIds = ja4 === undefined ? undefined : detectionsToCount(detectionIds);
    return row;
  }

  /** The row of an observation, valid until the next call; a string (what is wrong) when its address is none. */
  ofObservation(observation: Observation, hash: KeyedHash): Row | string {
    const { clientIp, path, host, ja4, status, asn, signals } = observation;
    const row = this.#row;
    if (clientIp !== undefined && !this.#address.parse(clientIp))
      return "client_ip is not an IPv4 or IPv6 address";
    let flags =
      bits(HEURISTIC, observation.heuristic) | bits(H2H3, observation.h2h3) | bits(CACHE, observation.cache);
    if (status !== undefined) flags |= bits(ERROR, status >= 400);
    flags |= this.#agent(observation.userAgent, observation.verifiedBot, hash);
    if (clientIp !== undefined) flags |= HAS_IP;
    if (path !== undefined) flags |= HAS_PATH;
    if (host !== undefined) flags |= HAS_HOST;
    if (asn !== undefined) flags |= HAS_ASN;
    // Signals belong to a fingerprint; without one there is nothing that they could describe.
    const signalled = ja4 !== undefined && signals !== undefined;
    if (signalled) {
      flags |= HAS_SIGNALS;
      for (let i = 0; i < GLOBAL_SIGNALS.length; i++)
        this.#signals[i] = signals[GLOBAL_SIGNALS[i]!] ?? Number.NaN;
    }
    // Scores and detections belong to a fingerprint as well.
    if (ja4 !== undefined) flags |= scoreBits(observation.botScore);
    row.timestampMs = observation.timestampMs;
    row.ja4 = ja4 ?? "";
    row.flags = flags;
    row.ipHash = clientIp === undefined ? 0 : this.#address.hash(hash);
    row.pathHash = path === undefined ? 0 : hash.text(path);
    row.hostHash = host === undefined ? 0 : hash.text(host);
    row.asnNumber = asn ?? 0;
    row.signals = signalled ? this.#signals : undefined;
    row.pathSource = path;
    row.host = host;
    row.method = observation.method;
    row.status = status;
    row.asn = asn;
    row.rayId = observation.rayId;
    row.detectionIds = ja4 === undefined ? undefined : detectionsToCount(observation.detectionIds);
    return row;
  }

  /** Flag bits of an agent, whose hash goes to the row. What Cloudflare verified counts more than what it says of itself. */
  #agent(userAgent: string | undefined, verifiedBot: boolean | undefined, hash: KeyedHash): number {
    if (userAgent === undefined) {
      this.#row.uaHash = 0;
      return bits(BOT, verifiedBot);
    }
    const agent = this.#agents.classify(userAgent, hash);
    this.#row.uaHash = agent.hash;
    return HAS_UA | bits(BROWSER, agent.browser) | bits(BOT, verifiedBot ?? agent.bot);
  }

  #cacheBits(status: string | undefined): number {
    if (status === undefined) return 0;
    const known = this.#cacheStatuses.get(status);
    if (known !== undefined) return known;
    const found = bits(CACHE, isCacheable(status));
    this.#cacheStatuses.set(status, found);
    return found;
  }
}
