/** Ingest (contract §3). The record's schema is for the document and the tests; the hot path has its own decoder. */
import * as z from "zod/mini";
import { FIELD_MAX_BYTES, RAY_ID_MAX_CHARS } from "../config.ts";
import { components, ja4, recordCounts } from "./common.ts";

const absent = z.union([z.null(), z.literal("")]);
const text = z.optional(z.union([z.string().check(z.maxLength(FIELD_MAX_BYTES)), z.null()]));
const integer = (min: number, max: number) =>
  z.optional(z.union([z.int().check(z.gte(min), z.lte(max)), absent]));

export const observation = z
  .looseObject({
    timestamp: z.union([z.int().check(z.gte(100_000_000_000)), z.iso.datetime({ offset: true })]),
    ja4: z.optional(z.union([ja4, absent])),
    client_ip: z.optional(z.union([z.ipv4(), z.ipv6(), absent])),
    user_agent: text,
    path: text,
    host: text,
    method: text,
    asn: integer(0, 4_294_967_295),
    http_protocol: text,
    status: integer(100, 599),
    cache_status: text,
    bot_score: integer(0, 99),
    bot_score_src: text,
    detection_ids: z.optional(z.union([z.array(z.int().check(z.gte(0))), z.strictObject({}), absent])),
    verified_bot: z.optional(z.union([z.boolean(), absent])),
    ja4_signals: z.optional(z.union([z.looseObject({}), absent])),
    ray_id: z.optional(z.union([z.string().check(z.maxLength(RAY_ID_MAX_CHARS)), z.null()])),
  })
  .register(components, {
    id: "Observation",
    description:
      "One request as a site saw it. All but `timestamp` optional; unknown keys are ignored; absent, null and the empty string mean the same. `client_ip` is never stored, only a keyed hash of it for at most 65 minutes.",
  });

export const ingestAnswer = z
  .object({
    ...recordCounts,
  })
  .register(components, {
    id: "IngestAnswer",
    description:
      "`accepted + rejected + expired` = records; `without_ja4` is part of `accepted`; the first 100 errors. Every accepted observation is on disk in its shard.",
  });
export type IngestAnswer = z.infer<typeof ingestAnswer>;
