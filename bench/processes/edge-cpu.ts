/**
 * One run of the edge's own work in a process of its own: from a request and its response to the bytes of a frame, without
 * the platform around it, or what a peer makes of the same requests. Prints an EdgeCpuResult.
 *
 * Requests are stubs, so that what is measured is the observer and not Node's Headers. Two ways, since memory decides:
 *
 *   ready       a few requests again and again, all of them in the processor's cache: what the instructions cost
 *   just made   each made before it is taken, outside the timing, of new strings and objects, as the platform does: what the
 *               observer remembers has been driven out of the cache by then, and some agents and URLs are new
 *
 * What the observer remembers comes from a warm-up with other copies of the texts: a string that is compared with itself
 * would cost nothing.
 */
import { median } from "../../scripts/lib/bench/stats.ts";
import { KeyedHash } from "../../src/base/hash.ts";
import { EDGE_FULL_ROWS, EDGE_MAX_INFLIGHT, EDGE_MAX_ROWS, EDGE_SEND_TIMEOUT_MS } from "../../src/config.ts";
import { Batch } from "../../src/edge/batch.ts";
import { Channels } from "../../src/edge/channels.ts";
import { Exchange, type SeenRequest, type SeenResponse } from "../../src/edge/exchange.ts";
import { facts } from "../../src/edge/facts.ts";
import type { FingerprintOptions } from "../../src/edge/fingerprint.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { HOST, type Visit, visits } from "../lib/traffic.ts";

export interface EdgeCpuInput {
  readonly variant: "observe" | "read only" | "JSON of facts";
  readonly requestsAre: "ready" | "just made";
  /** Shards that a batch is split over. */
  readonly shards: number;
  /** Requests that are timed; a fifth as many again before them to warm up. */
  readonly requests: number;
}

export interface EdgeCpuResult {
  readonly request_ns: number;
  readonly request_bytes: number;
  readonly encode_ns: number;
  readonly encode_bytes: number;
  readonly wire_bytes: number;
  readonly total_ns: number;
}

/** One observer: `take` makes one thing to hold back of a request, `send` turns all that is held into bytes. */
interface Observer {
  take(request: SeenRequest, response: SeenResponse): void;
  send(): number;
}

const SITE = "shop";
/** As with the settings of an isolate: one object for all requests. */
const OPTIONS: FingerprintOptions = {};
const VISITS = 8_192;
/** Requests that are timed at once: enough for the clock, few enough for the processor's cache. */
const CHUNK = 20;
/** Requests that are taken again and again: with all that belongs to them about half a megabyte. */
const READY = 200;
/** One visit in so many has an agent, or a query, that nobody had before. */
const FRESH_AGENT = 50;
const FRESH_QUERY = 10;
/** Stretches of a batch each in which allocation is measured. */
const STRETCHES = 15;

function observer(shards: number): Observer {
  const hash = new KeyedHash(new Uint8Array(16).fill(7));
  const rows = new RowMaker(new UserAgentClassifier());
  const exchange = new Exchange();
  const limits = { fullRows: EDGE_FULL_ROWS, maxRows: EDGE_MAX_ROWS, maxInflight: EDGE_MAX_INFLIGHT };
  const times = { ageMs: 10_000, ageMaxMs: 20_000, sendTimeoutMs: EDGE_SEND_TIMEOUT_MS };
  const channels = new Channels((bytes) => bytes.fill(7));
  const batch = new Batch({ ...limits, ...times }, { channels, random: () => 0.5 });
  return {
    take: (request, response) => {
      const nowMs = Date.now();
      exchange.read(request, response, nowMs, OPTIONS);
      batch.add(SITE, "edge", rows.ofExchange(exchange, hash), exchange.dropped, nowMs);
      batch.duty(nowMs);
    },
    send: () => {
      let bytes = 0;
      const nowMs = Date.now();
      for (const taken of batch.take(nowMs)) {
        for (const drive of batch.load(taken, { epoch: 1, shards }, nowMs)) {
          for (let frame = batch.lanes.begin(drive, nowMs); frame; frame = batch.lanes.begin(drive, nowMs)) {
            bytes += frame.bytes.length;
            batch.lanes.answered(drive, frame);
          }
        }
      }
      return bytes;
    },
  };
}

/** What one writes first: the observation of each request as a line of JSON. */
function jsonLines(): Observer {
  const encoder = new TextEncoder();
  let lines: string[] = [];
  return {
    take: (request, response) => {
      lines.push(JSON.stringify(facts(request, response, { nowMs: Date.now() })));
    },
    send: () => {
      const bytes = encoder.encode(lines.join("\n"));
      lines = [];
      return bytes.length;
    },
  };
}

/** The floor: the same headers and members read, and nothing made of them but a number that depends on all. */
function readOnly(): Observer {
  let seen = 0;
  const note = (value: unknown) => {
    seen += typeof value === "string" ? value.length : typeof value === "number" ? value : 1;
  };
  return {
    take: (request, response) => {
      const { headers } = request;
      const cf = request.cf as { botManagement: Record<string, unknown> } & Record<string, unknown>;
      const bot = cf.botManagement;
      const signals = bot.ja4Signals as Record<string, unknown>;
      note(Date.now());
      note(request.method);
      note(request.url);
      note(headers.get("user-agent"));
      note(headers.get("cf-connecting-ip"));
      note(headers.get("cf-ray"));
      note(response.status);
      note(response.headers.get("cf-cache-status"));
      for (const value of [cf.asn, cf.httpProtocol, bot.ja4, bot.score, bot.verifiedBot, bot.detectionIds])
        note(value);
      note(signals.h2h3_ratio_1h);
      note(signals.heuristic_ratio_1h);
      note(signals.browser_ratio_1h);
      note(signals.cache_ratio_1h);
      note(signals.reqs_rank_1h);
      note(signals.uas_rank_1h);
      note(signals.paths_rank_1h);
      note(signals.ips_rank_1h);
      note(signals.reqs_quantile_1h);
      note(signals.ips_quantile_1h);
    },
    send: () => (seen > 0 ? 1 : 0),
  };
}

/** A text that nobody has looked at yet. */
function fresh(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/** Visits as texts, of which requests are made again and again. */
class Source {
  readonly #visits: readonly { visit: Visit; cf: string }[];
  #made = 0;

  constructor() {
    this.#visits = visits(VISITS).map((visit) => ({ visit, cf: JSON.stringify(visit.cf) }));
  }

  /** The next `count`; `again` begins at the first. */
  make(count: number, again = false): SeenRequest[] {
    if (again) this.#made = 0;
    return Array.from({ length: count }, () => this.#request(this.#made++));
  }

  #request(n: number): SeenRequest {
    const { visit, cf } = this.#visits[n % VISITS]!;
    const query = n % FRESH_QUERY === 0 ? `${visit.url.includes("?") ? "&" : "?"}visit=${n}` : "";
    const agent = n % FRESH_AGENT === 1 ? ` Visit/${n}` : "";
    const all = new Map(Object.entries(visit.headers).map(([name, value]) => [name, fresh(value)]));
    all.set("user-agent", fresh(`${visit.headers["user-agent"]}${agent}`));
    all.set("host", HOST);
    const headers = { get: (name: string) => all.get(name) ?? null };
    return { method: "GET", url: fresh(visit.url + query), headers, cf: JSON.parse(cf) as unknown };
  }
}

const RESPONSE: SeenResponse = {
  status: 200,
  headers: { get: (name) => (name === "cf-cache-status" ? "HIT" : null) },
};

/** Lists of CHUNK requests without an end. */
function* chunks({ requestsAre }: EdgeCpuInput, source: Source): Generator<SeenRequest[]> {
  if (requestsAre === "just made") for (;;) yield source.make(CHUNK);
  const ready = source.make(READY, true);
  for (let at = 0; ; at = (at + CHUNK) % READY) yield ready.slice(at, at + CHUNK);
}

/** CPU of `count` requests: medians over chunks and batches, so that what interrupts one of them does not count. */
function timed(one: Observer, requests: Generator<SeenRequest[]>, count: number) {
  const requestNs: number[] = [];
  const encodeNs: number[] = [];
  let wire = 0;
  for (let done = 0; done < count; done += EDGE_FULL_ROWS) {
    for (let i = 0; i < EDGE_FULL_ROWS; i += CHUNK) {
      const chunk = requests.next().value as SeenRequest[];
      const from = process.hrtime.bigint();
      for (const request of chunk) one.take(request, RESPONSE);
      requestNs.push(Number(process.hrtime.bigint() - from) / CHUNK);
    }
    const from = process.hrtime.bigint();
    wire += one.send();
    encodeNs.push(Number(process.hrtime.bigint() - from) / EDGE_FULL_ROWS);
  }
  const [request_ns, encode_ns] = [median(requestNs), median(encodeNs)];
  const wire_bytes = wire / (encodeNs.length * EDGE_FULL_ROWS);
  return { request_ns, encode_ns, total_ns: request_ns + encode_ns, wire_bytes };
}

/** Bytes that a request allocates, on the heap and beside it: medians over batches, or a collection would count as negative. */
function allocated(one: Observer, requests: Generator<SeenRequest[]>) {
  const bytes = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const request: number[] = [];
  const encode: number[] = [];
  for (let stretch = 0; stretch < STRETCHES; stretch++) {
    const batch: SeenRequest[] = [];
    while (batch.length < EDGE_FULL_ROWS) batch.push(...(requests.next().value as SeenRequest[]));
    const before = bytes();
    for (const seen of batch) one.take(seen, RESPONSE);
    const between = bytes();
    one.send();
    request.push((between - before) / EDGE_FULL_ROWS);
    encode.push((bytes() - between) / EDGE_FULL_ROWS);
  }
  return { request_bytes: median(request), encode_bytes: median(encode) };
}

const input = JSON.parse(process.argv[2] ?? "") as EdgeCpuInput;
const variants = { observe: () => observer(input.shards), "read only": readOnly, "JSON of facts": jsonLines };
const one = variants[input.variant]();
const source = new Source();
timed(one, chunks({ ...input, requestsAre: "just made" }, source), input.requests / 5);
timed(one, chunks(input, source), input.requests / 5);
const requests = chunks(input, source);
const result: EdgeCpuResult = { ...timed(one, requests, input.requests), ...allocated(one, requests) };
process.stdout.write(JSON.stringify(result));
