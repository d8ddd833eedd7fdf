/** Logpush uploads (contract §3). The record's schema is for the document; `src/wire/logpush.ts` reads them by hand. */
import * as z from "zod/mini";
import { SAMPLED_MAX } from "../config.ts";
import { components, count, recordCounts } from "./common.ts";

const field = z.optional(z.unknown());

export const logpushRecord = z
  .looseObject({
    EdgeStartTimestamp: z.union([z.number(), z.string()]),
    JA4: field,
    JA4Signals: field,
    BotScore: field,
    BotScoreSrc: field,
    BotDetectionIDs: field,
    VerifiedBotCategory: field,
    ClientIP: field,
    ClientASN: field,
    ClientRequestHost: field,
    ClientRequestMethod: field,
    ClientRequestPath: field,
    ClientRequestURI: field,
    ClientRequestProtocol: field,
    ClientRequestUserAgent: field,
    CacheCacheStatus: field,
    EdgeResponseStatus: field,
    RayID: field,
    WorkerSubrequest: field,
  })
  .register(components, {
    id: "LogpushRecord",
    description:
      "One line of Cloudflare Logpush's `http_requests` data set under Cloudflare's names. All but `EdgeStartTimestamp` (unixnano, unix or rfc3339) optional; a field of another type than Cloudflare's is left out and counted in `fields_dropped`; other fields are ignored. Without `ClientRequestPath` the path is that of `ClientRequestURI`. Lines with `WorkerSubrequest: true` are skipped.",
  });

/** As it stands in a query: a decimal from 1/SAMPLED_MAX to 1. */
export const sampleRate = z
  .string()
  .check(
    z.refine(
      (text) => /^(0?\.\d+|[01](\.0*)?)$/.test(text) && Number(text) * SAMPLED_MAX >= 1 && Number(text) <= 1,
      `must be a number from ${1 / SAMPLED_MAX} to 1`,
    ),
  );

export const logpushAnswer = z
  .object({
    ...recordCounts,
    skipped: count,
    sampled: z.optional(z.number().check(z.gte(1 / SAMPLED_MAX), z.lte(1))),
    duplicate: z.optional(z.literal(true)),
  })
  .register(components, {
    id: "LogpushAnswer",
    description:
      "`accepted + rejected + expired + skipped` = records; `without_ja4` is part of `accepted`; `skipped` are subrequests of Workers; the first 100 errors. `sampled`: the rate by which the counts of the windows were scaled; the numbers here are those of the records. `duplicate`: the same body was counted before, the numbers are those of then, and nothing was counted now. Every accepted record is on disk in its shard.",
  });
export type LogpushAnswer = z.infer<typeof logpushAnswer>;
