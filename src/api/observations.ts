/** `POST …/observations` (contract §3): decode → collect → claim the key → dispatch → settle. */
import * as z from "zod/mini";
import { joined } from "../base/bytes.ts";
import { sha256, shardOf } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import { BODY_OBSERVATIONS_MAX, IDEMPOTENCY_KEY_MAX_CHARS } from "../config.ts";
import { type Collected, collect } from "../edge/collect.ts";
import { ChannelIds, type FrameIds, parcels, seededIds } from "../edge/dispatch.ts";
import { type IngestAnswer, ingestAnswer, observation } from "../schemas/observation.ts";
import { NO_COUNTERS } from "../wire/frame-builder.ts";
import { BODY_TYPES, BodyError, type BodyType, records } from "../wire/records.ts";
import { mediaType, readIngestBody } from "./body.ts";
import { type Call, json, type Route } from "./call.ts";
import { incomplete, sendFrames, settled } from "./ingest.ts";
import type { ShardMap, ShardObject } from "./objects.ts";

const list = z.array(observation);

export const observationRoutes: Route[] = [
  {
    method: "POST",
    path: "/v1/sites/:site/observations",
    scope: "ingest",
    operationId: "postObservations",
    summary: "Send observations. 202 means that every accepted one is on disk in its shard.",
    parameters: [
      {
        name: "Idempotency-Key",
        in: "header",
        description:
          "At most 128 characters, kept 2 h: the same key and body answer as the first time and count nothing.",
        schema: z.optional(z.string().check(z.minLength(1), z.maxLength(IDEMPOTENCY_KEY_MAX_CHARS))),
      },
      {
        name: "Content-Encoding",
        in: "header",
        description: "`gzip` or absent.",
        schema: z.optional(z.enum(["gzip", "identity"])),
      },
    ],
    body: { "application/x-ndjson": observation, "application/json": list, "application/msgpack": list },
    answers: { 202: { description: "Counted.", schema: ingestAnswer } },
    problems: [400, 409, 413, 415, 422, 503],
    handle: postObservations,
  },
];

async function postObservations(call: Call): Promise<Response> {
  const type = BODY_TYPES.find((known) => known === mediaType(call.request));
  if (type === undefined)
    throw new Problem(415, "content_type", `Content-Type must be one of ${BODY_TYPES.join(", ")}.`);
  const key = idempotencyKey(call.request);
  const bytes = await readIngestBody(call.request);
  const map = await call.at.map();
  const hash = await call.objects.hash();
  const decode = (nowMs: number) =>
    decodeBody(type, bytes, (found) => collect(found, nowMs, map, hash, call.agents));
  const nowMs = Date.now();
  const collected = decode(nowMs);
  if (key === undefined) {
    const ids = new ChannelIds(call.channels, call.site, map.epoch);
    try {
      return accepted(await send(call, map, collected, ids));
    } finally {
      ids.close();
    }
  }
  const home = call.at.shard(map, shardOf(key, map.shards, map.epoch));
  const named = joined([new TextEncoder().encode(`${type}\n`), bytes]);
  const claimed = await claim(home, key, await sha256(named));
  if ("answer" in claimed) {
    await home.noteDuplicate(collected.accepted);
    return accepted(JSON.parse(claimed.answer) as IngestAnswer);
  }
  const answer = await settled(home, key, async () => {
    // Judged by the clock of the key's first try, or a repeat would make other frames out of what has expired since.
    const same = claimed.firstMs === nowMs ? collected : decode(claimed.firstMs);
    return send(call, map, same, seededIds(`key/${call.site}/${key}`));
  });
  return accepted(answer);
}

function accepted(answer: IngestAnswer): Response {
  return json(answer, 202);
}

function idempotencyKey(request: Request): string | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (key === "" || key.length > IDEMPOTENCY_KEY_MAX_CHARS) {
    throw new Problem(
      400,
      "idempotency_key",
      `Idempotency-Key must have 1 to ${IDEMPOTENCY_KEY_MAX_CHARS} characters.`,
    );
  }
  return key;
}

function decodeBody<T>(type: BodyType, bytes: Uint8Array, use: (found: ReturnType<typeof records>) => T): T {
  try {
    return use(records(type, bytes, BODY_OBSERVATIONS_MAX));
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.reason === "too_many") throw new Problem(413, "too_many", error.message);
    throw new Problem(400, "undecodable", error.message);
  }
}

async function claim(
  home: ShardObject,
  key: string,
  bodyHash: Uint8Array,
): Promise<{ firstMs: number } | { answer: string }> {
  const claimed = await home.claim(key, bodyHash);
  switch (claimed.state) {
    case "new":
      return { firstMs: claimed.firstMs };
    case "done":
      return { answer: claimed.answer };
    case "running":
      throw new Problem(409, "key_running", "A request with this Idempotency-Key is still running.");
    case "other_body":
      throw new Problem(422, "key_reused", "This Idempotency-Key was used with another body.");
  }
}

async function send(call: Call, map: ShardMap, collected: Collected, ids: FrameIds): Promise<IngestAnswer> {
  const { accepted: count, rejected, expired, withoutJa4, errors } = collected;
  const list = await parcels(collected.builders, ids, "observations", { ...NO_COUNTERS, rejected, expired });
  const outcome = await sendFrames(call, map, list);
  if (outcome.failed.length > 0) throw incomplete(outcome, call.random());
  return { accepted: count, rejected, expired, without_ja4: withoutJa4, errors };
}
