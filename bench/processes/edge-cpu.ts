/**
 * One run of the edge's own work in a process of its own: what `observe` does per request without the platform around it,
 * or what a plain observer would do. Prints an EdgeCpuResult.
 *
 * Requests are stubs, so that what is measured is the observer and not Node's Headers.
 */
import { median } from "../../scripts/lib/bench/stats.ts";
import { KeyedHash } from "../../src/base/hash.ts";
import { EDGE_FULL_ROWS, EDGE_MAX_INFLIGHT, EDGE_MAX_ROWS, EDGE_SEND_TIMEOUT_MS } from "../../src/config.ts";
import { Batch } from "../../src/edge/batch.ts";
import { parcels } from "../../src/edge/dispatch.ts";
import { readFacts, type SeenRequest, type SeenResponse } from "../../src/edge/facts.ts";
import { toRow } from "../../src/edge/row.ts";
import { ShardedFrames } from "../../src/edge/sharded.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { NO_COUNTERS } from "../../src/wire/frame-builder.ts";
import { parseObservation } from "../../src/wire/observation.ts";
import { HOST, visits } from "../lib/traffic.ts";

export interface EdgeCpuInput {
  readonly variant: "observe" | "naive";
  /** Requests that are timed; a fifth as many again before them to warm up. */
  readonly requests: number;
}

export interface EdgeCpuResult {
  readonly request_ns: number;
  readonly request_bytes: number;
  readonly encode_ns: number;
  readonly wire_bytes: number;
  readonly total_ns: number;
}

/** One observer: `take` makes one thing to hold back of a request, `send` turns all that is held into bytes. */
interface Observer {
  take(request: SeenRequest, response: SeenResponse): void;
  held(): number;
  send(): Promise<number>;
}

const SITE = "shop";
const SHARDS = 4;
const POOL = 4_096;
/** All of them together fit the young generation that the runner asks for, so that nothing is collected in between. */
const STRETCHES = 15;
const STRETCH_REQUESTS = 1_000;

function observer(): Observer {
  const hash = new KeyedHash(new Uint8Array(16).fill(7));
  const agents = new UserAgentClassifier();
  const limits = { fullRows: EDGE_FULL_ROWS, maxRows: EDGE_MAX_ROWS, maxInflight: EDGE_MAX_INFLIGHT };
  const batch = new Batch({ ...limits, ageMs: 10_000, sendTimeoutMs: EDGE_SEND_TIMEOUT_MS });
  let flushes = 0;
  return {
    take: (request, response) => {
      const nowMs = Date.now();
      const { record, dropped } = readFacts(request, response, { nowMs });
      const observation = parseObservation(record, nowMs);
      const row = "expired" in observation ? "expired" : toRow(observation, hash, agents);
      if (typeof row === "string") throw new Error(`a request of the benchmark is refused: ${row}`);
      batch.add(SITE, "edge", row, dropped, nowMs);
    },
    held: () => batch.rows,
    send: async () => {
      let bytes = 0;
      for (const { rows } of batch.take()) {
        const frames = new ShardedFrames({ epoch: 1, shards: SHARDS });
        for (const [i, row] of rows.entries()) frames.add(row, i);
        const list = await parcels(frames.builders, `edge/bench/${++flushes}`, "edge", NO_COUNTERS);
        for (const parcel of list) bytes += parcel.bytes.length;
      }
      return bytes;
    },
  };
}

/** What one writes first: the same facts, unchecked, as one line of JSON a request. */
function naive(): Observer {
  const encoder = new TextEncoder();
  let lines: string[] = [];
  return {
    take: (request, response) => {
      const cf = request.cf as { botManagement: Record<string, unknown> } & Record<string, unknown>;
      const url = new URL(request.url);
      const { botManagement: bot } = cf;
      lines.push(
        JSON.stringify({
          timestamp: Date.now(),
          method: request.method,
          host: url.hostname,
          path: url.pathname,
          user_agent: request.headers.get("user-agent"),
          client_ip: request.headers.get("cf-connecting-ip"),
          ray_id: request.headers.get("cf-ray"),
          asn: cf.asn,
          http_protocol: cf.httpProtocol,
          status: response.status,
          cache_status: response.headers.get("cf-cache-status"),
          ja4: bot.ja4,
          bot_score: bot.score,
          verified_bot: bot.verifiedBot,
          detection_ids: bot.detectionIds,
          ja4_signals: bot.ja4Signals,
        }),
      );
    },
    held: () => lines.length,
    send: async () => {
      const bytes = encoder.encode(lines.join("\n"));
      lines = [];
      return bytes.length;
    },
  };
}

function requests(): SeenRequest[] {
  return visits(POOL).map(({ url, headers, cf }) => {
    const all = new Map(Object.entries({ ...headers, host: HOST }));
    return { method: "GET", url, headers: { get: (name: string) => all.get(name) ?? null }, cf };
  });
}

const RESPONSE: SeenResponse = {
  status: 200,
  headers: { get: (name) => (name === "cf-cache-status" ? "HIT" : null) },
};

/** Times of `count` requests in batches as the edge sends them, ns. */
async function timed(one: Observer, pool: readonly SeenRequest[], count: number) {
  let requestNs = 0;
  let encodeNs = 0;
  let bytes = 0;
  for (let done = 0; done < count; done += EDGE_FULL_ROWS) {
    const from = process.hrtime.bigint();
    for (let i = 0; i < EDGE_FULL_ROWS; i++) one.take(pool[(done + i) % POOL]!, RESPONSE);
    const between = process.hrtime.bigint();
    bytes += await one.send();
    requestNs += Number(between - from);
    encodeNs += Number(process.hrtime.bigint() - between);
  }
  const rounded = Math.ceil(count / EDGE_FULL_ROWS) * EDGE_FULL_ROWS;
  return { request_ns: requestNs / rounded, encode_ns: encodeNs / rounded, wire_bytes: bytes / rounded };
}

/** Bytes that taking a request allocates, on the heap and beside it: the median of many short stretches without a GC. */
function allocated(one: Observer, pool: readonly SeenRequest[]): number {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("needs --expose-gc");
  collect();
  const bytes = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const stretches = Array.from({ length: STRETCHES }, (_, stretch) => {
    const before = bytes();
    for (let i = 0; i < STRETCH_REQUESTS; i++) {
      one.take(pool[(stretch * STRETCH_REQUESTS + i) % POOL]!, RESPONSE);
    }
    return (bytes() - before) / STRETCH_REQUESTS;
  });
  return median(stretches);
}

const input = JSON.parse(process.argv[2] ?? "") as EdgeCpuInput;
const one = input.variant === "observe" ? observer() : naive();
const pool = requests();
await timed(one, pool, input.requests / 5);
const times = await timed(one, pool, input.requests);
const request_bytes = allocated(one, pool);
const result: EdgeCpuResult = { ...times, total_ns: times.request_ns + times.encode_ns, request_bytes };
process.stdout.write(JSON.stringify(result));
