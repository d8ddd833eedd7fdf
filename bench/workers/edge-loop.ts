/**
 * The observer's own work inside the engine, on real `Request` and `Response` objects, over and over within one call: its
 * CPU is read from outside, since the engine's clock stands still meanwhile. `?variant=read` reads the same headers and
 * members and makes nothing of them: the platform's share, which no observer can do without.
 */
import { DurableObject } from "cloudflare:workers";
import { KeyedHash } from "../../src/base/hash.ts";
import { EDGE_FULL_ROWS, EDGE_MAX_INFLIGHT, EDGE_MAX_ROWS, EDGE_SEND_TIMEOUT_MS } from "../../src/config.ts";
import { Batch } from "../../src/edge/batch.ts";
import { Channels } from "../../src/edge/channels.ts";
import { Exchange } from "../../src/edge/exchange.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { visits } from "../lib/traffic.ts";

export class FingerprintShard extends DurableObject {}
export class Census extends DurableObject {}
export class AnomalyFeed extends DurableObject {}
export class Settings extends DurableObject {}

const REQUESTS = 200;

function observed(requests: readonly Request[], response: Response, count: number): number {
  const hash = new KeyedHash(new Uint8Array(16).fill(7));
  const rows = new RowMaker(new UserAgentClassifier());
  const exchange = new Exchange();
  const limits = { fullRows: EDGE_FULL_ROWS, maxRows: EDGE_MAX_ROWS, maxInflight: EDGE_MAX_INFLIGHT };
  const times = { ageMs: 10_000, ageMaxMs: 20_000, sendTimeoutMs: EDGE_SEND_TIMEOUT_MS };
  const channels = new Channels((bytes) => bytes.fill(7));
  const batch = new Batch({ ...limits, ...times }, { channels, random: () => 0.5 });
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const nowMs = Date.now();
    exchange.read(requests[i % REQUESTS]!, response, nowMs, {});
    batch.add("shop", "edge", rows.ofExchange(exchange, hash), exchange.dropped, nowMs);
    if (!batch.duty(nowMs).send || batch.rows < EDGE_FULL_ROWS) continue;
    for (const taken of batch.take(nowMs)) {
      for (const drive of batch.load(taken, { epoch: 1, shards: 1 }, nowMs)) {
        for (let frame = batch.lanes.begin(drive, nowMs); frame; frame = batch.lanes.begin(drive, nowMs)) {
          bytes += frame.bytes.length;
          batch.lanes.answered(drive, frame);
        }
      }
    }
  }
  return bytes;
}

function onlyRead(requests: readonly Request[], response: Response, count: number): number {
  let seen = 0;
  for (let i = 0; i < count; i++) {
    const request = requests[i % REQUESTS]!;
    const { headers } = request;
    const cf = request.cf as unknown as { asn: number; httpProtocol: string; botManagement: { ja4: string } };
    seen += Date.now() % 2;
    seen += request.method.length + request.url.length + (headers.get("user-agent")?.length ?? 0);
    seen += (headers.get("cf-connecting-ip")?.length ?? 0) + (headers.get("cf-ray")?.length ?? 0);
    seen += response.status + (response.headers.get("cf-cache-status")?.length ?? 0);
    seen += cf.asn + cf.httpProtocol.length + cf.botManagement.ja4.length;
  }
  return seen;
}

export default {
  fetch(request: Request): Response {
    const { searchParams } = new URL(request.url);
    const count = Number(searchParams.get("count"));
    const requests = visits(REQUESTS).map(
      ({ url, headers, cf }) => new Request(url, { headers, cf: cf as RequestInit["cf"] & object }),
    );
    const response = new Response(null, { headers: { "cf-cache-status": "HIT" } });
    const work = searchParams.get("variant") === "read" ? onlyRead : observed;
    return Response.json({ result: work(requests, response, count) });
  },
};
