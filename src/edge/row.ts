/**
 * Facts → row: yes and no become flag bits, identities become keyed hashes. Behind this file no address, agent, path or host
 * exists any more except in samples (which never carry an address).
 */
import type { KeyedHash } from "../base/hash.ts";
import {
  factBits,
  HAS_ASN,
  HAS_HOST,
  HAS_IP,
  HAS_PATH,
  HAS_SIGNALS,
  HAS_UA,
  type Ratio,
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
  /** The path, or the URL that it is cut out of. */
  pathSource: string | UrlReader | undefined;

  get path(): string | undefined {
    const source = this.pathSource;
    return typeof source === "object" ? source.path : source;
  }
}

/**
 * A fact's bits for no and for yes, worked out once: `factBits` looks its name up in a table, which seven times a request
 * would cost as much as an identity.
 */
class Fact {
  readonly #no: number;
  readonly #yes: number;

  constructor(ratio: Ratio) {
    this.#no = factBits(ratio, false);
    this.#yes = factBits(ratio, true);
  }

  bits(fact: boolean | undefined): number {
    return fact === undefined ? 0 : fact ? this.#yes : this.#no;
  }
}

const H2H3 = new Fact("h2h3");
const HEURISTIC = new Fact("heuristic");
const BROWSER = new Fact("browser");
const BOT = new Fact("bot");
const CACHE = new Fact("cache");
const ERROR = new Fact("error");

/** Cloudflare has a dozen names for protocols and cache statuses; other proxies may have others. */
const NAMES = { slots: 32, maxChars: 32, tail: 4, spread: 2 };

/** Flag bits by name. */
class NamedBits {
  readonly #bitsOf: (name: string) => number;
  readonly #known = new TextCache<number>(NAMES);

  constructor(bitsOf: (name: string) => number) {
    this.#bitsOf = bitsOf;
  }

  of(name: string | undefined): number {
    if (name === undefined) return 0;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const bits = this.#bitsOf(name);
    this.#known.set(name, bits);
    return bits;
  }
}

/** Makes rows, one after the other. */
export class RowMaker {
  readonly #agents: UserAgentClassifier;
  readonly #row = new ReusedRow();
  readonly #signals = new Float64Array(GLOBAL_SIGNALS.length);
  readonly #address = new AddressParser();
  readonly #protocols = new NamedBits((name) => H2H3.bits(isH2H3(name)));
  readonly #cacheStatuses = new NamedBits((name) => CACHE.bits(isCacheable(name)));

  constructor(agents: UserAgentClassifier) {
    this.#agents = agents;
  }

  /** The row of an exchange, its identities under the key of `hash`; valid until the next call. */
  ofExchange(read: Exchange, hash: KeyedHash): Row {
    const row = this.#start(read.timestampMs, read.ja4);
    if (read.clientIp !== undefined) this.#ip(read.address, hash);
    this.#agent(read.userAgent, read.verifiedBot, hash);
    const { url } = read;
    if (read.pathFits) this.#path(url, url.pathHash(hash));
    if (read.hostFits) this.#host(url.host, url.hostHash(hash));
    const detected = read.detectionIds === undefined ? undefined : read.detectionIds.length > 0;
    row.flags |=
      HEURISTIC.bits(detected) |
      this.#protocols.of(read.httpProtocol) |
      this.#cacheStatuses.of(read.cacheStatus);
    this.#shown(read.method, read.status, read.asn, read.rayId);
    if (
      read.ja4 !== undefined &&
      read.ja4Signals !== undefined &&
      readSignals(read.ja4Signals, this.#signals)
    )
      this.#withSignals();
    return row;
  }

  /** The row of an observation, valid until the next call; a string (what is wrong) when its address is none. */
  ofObservation(observation: Observation, hash: KeyedHash): Row | string {
    const { clientIp, path, host, signals } = observation;
    const row = this.#start(observation.timestampMs, observation.ja4);
    if (clientIp !== undefined) {
      if (!this.#address.parse(clientIp)) return "client_ip is not an IPv4 or IPv6 address";
      this.#ip(this.#address, hash);
    }
    this.#agent(observation.userAgent, observation.verifiedBot, hash);
    if (path !== undefined) this.#path(path, hash.text(path));
    if (host !== undefined) this.#host(host, hash.text(host));
    row.flags |=
      HEURISTIC.bits(observation.heuristic) | H2H3.bits(observation.h2h3) | CACHE.bits(observation.cache);
    this.#shown(observation.method, observation.status, observation.asn, observation.rayId);
    // Signals belong to a fingerprint; without one there is nothing that they could describe.
    if (observation.ja4 !== undefined && signals !== undefined) {
      for (let i = 0; i < GLOBAL_SIGNALS.length; i++)
        this.#signals[i] = signals[GLOBAL_SIGNALS[i]!] ?? Number.NaN;
      this.#withSignals();
    }
    return row;
  }

  #start(timestampMs: number, ja4: string | undefined): ReusedRow {
    const row = this.#row;
    row.timestampMs = timestampMs;
    row.ja4 = ja4 ?? "";
    row.flags = 0;
    row.ipHash = 0;
    row.uaHash = 0;
    row.pathHash = 0;
    row.hostHash = 0;
    row.asnNumber = 0;
    row.signals = undefined;
    row.host = undefined;
    row.pathSource = undefined;
    return row;
  }

  #ip(address: AddressParser, hash: KeyedHash): void {
    this.#row.flags |= HAS_IP;
    this.#row.ipHash = address.hash(hash);
  }

  /** What Cloudflare verified counts more than what the agent says of itself. */
  #agent(userAgent: string | undefined, verifiedBot: boolean | undefined, hash: KeyedHash): void {
    const row = this.#row;
    if (userAgent === undefined) {
      row.flags |= BOT.bits(verifiedBot);
      return;
    }
    const agent = this.#agents.classify(userAgent, hash);
    row.flags |= HAS_UA | BROWSER.bits(agent.browser) | BOT.bits(verifiedBot ?? agent.bot);
    row.uaHash = agent.hash;
  }

  #path(source: string | UrlReader, hash: number): void {
    const row = this.#row;
    row.flags |= HAS_PATH;
    row.pathSource = source;
    row.pathHash = hash;
  }

  #host(host: string, hash: number): void {
    const row = this.#row;
    row.flags |= HAS_HOST;
    row.host = host;
    row.hostHash = hash;
  }

  #shown(
    method: string | undefined,
    status: number | undefined,
    asn: number | undefined,
    rayId: string | undefined,
  ): void {
    const row = this.#row;
    row.method = method;
    row.status = status;
    row.asn = asn;
    row.rayId = rayId;
    if (status !== undefined) row.flags |= ERROR.bits(status >= 400);
    if (asn === undefined) return;
    row.flags |= HAS_ASN;
    row.asnNumber = asn;
  }

  #withSignals(): void {
    this.#row.flags |= HAS_SIGNALS;
    this.#row.signals = this.#signals;
  }
}
