/** What is read back (contract §4). Answers never hold null or NaN: what cannot be computed has no key. */
import * as z from "zod/mini";
import { LOOKUP_MAX } from "../base/read-limits.ts";
import { components, count, ja4, partial, rank, ratio, sampled, time } from "./common.ts";

const optionalCount = z.optional(count);
const optionalRatio = z.optional(ratio);
const probability = z.number().check(z.gt(0), z.lte(1));

const windowNumbers = z
  .object({
    from: time,
    reqs: count,
    ips: optionalCount,
    uas: optionalCount,
    paths: optionalCount,
    asns: optionalCount,
    hosts: optionalCount,
    h2h3_ratio: optionalRatio,
    heuristic_ratio: optionalRatio,
    browser_ratio: optionalRatio,
    bot_ratio: optionalRatio,
    cache_ratio: optionalRatio,
    error_ratio: optionalRatio,
  })
  .register(components, {
    id: "WindowNumbers",
    description:
      "Numbers over (from, as_of]. ips, uas, paths, asns (networks), hosts (sites) are distinct counts; a ratio's denominator is the requests for which the fact is known.",
  });

const signals = {
  h2h3_ratio_1h: optionalRatio,
  heuristic_ratio_1h: optionalRatio,
  browser_ratio_1h: optionalRatio,
  cache_ratio_1h: optionalRatio,
  reqs_rank_1h: z.optional(rank),
  uas_rank_1h: z.optional(rank),
  paths_rank_1h: z.optional(rank),
  ips_rank_1h: z.optional(rank),
  reqs_quantile_1h: optionalRatio,
  ips_quantile_1h: optionalRatio,
  population: optionalCount,
};

const localSignals = z
  .object({
    ...signals,
    bot_ratio_1h: optionalRatio,
    error_ratio_1h: optionalRatio,
    asns_1h: optionalCount,
    hosts_1h: optionalCount,
  })
  .register(components, {
    id: "LocalSignals",
    description:
      "This site's signals, named as Cloudflare's: rank 1 = nobody has more; quantile = share with fewer.",
  });

const globalSignals = z
  .object({
    ...signals,
    // Cloudflare's ranks come as numbers; nothing promises integers.
    reqs_rank_1h: z.optional(z.number()),
    uas_rank_1h: z.optional(z.number()),
    paths_rank_1h: z.optional(z.number()),
    ips_rank_1h: z.optional(z.number()),
    seen_at: time,
  })
  .register(components, {
    id: "GlobalSignals",
    description:
      "Cloudflare's newest signals of the fingerprint, at most an hour old. population = rank / (1 − quantile).",
  });

const divergence = z
  .object({
    signal: z.string(),
    local: ratio,
    expected: ratio,
    global: ratio,
    p: probability,
    score: z.number(),
  })
  .register(components, {
    id: "Divergence",
    description: "A local ratio against the global one passed through this site's usual offset.",
  });

const combinedRatio = z.object({ value: ratio, low: ratio, high: ratio }).register(components, {
  id: "Combined",
  description:
    "Local and global together: the global ratio, passed through this site's usual offset, as the prior of what was counted here; with its central 95 % interval. Only for ratios that are known globally.",
});

const names = z.array(
  z
    .object({ name: z.string(), source: z.string(), confidence: z.enum(["low", "medium"]) })
    .register(components, {
      id: "ClientName",
      description:
        "A client that is publicly known to send the fingerprint: a hint, no identity. Empty when none is known.",
    }),
);

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });

const botScore = z
  .object({
    histogram: z.array(z.tuple([z.int().check(z.gte(1), z.lte(99)), count])),
    detection_ids: z.array(z.tuple([count, count])),
  })
  .register(components, {
    id: "BotScore",
    description:
      "What Bot Management said of the requests of the last hour, exactly. `histogram`: pairs of a bot score and the number of requests that had it, ascending; a score of 0 means not computed and is left out. `detection_ids`: pairs of a detection id and its number of requests, the most frequent first, 20 at most; of a request its first 8 different ids count.",
  });

export const fingerprint = z
  .object({
    site: z.string(),
    ja4,
    source: z.optional(z.literal("tls")),
    as_of: time,
    sampled,
    ranks_as_of: z.optional(time),
    first_seen: time,
    last_seen: time,
    windows: z.object({ "1m": windowNumbers, "5m": windowNumbers, "1h": windowNumbers }),
    local: localSignals,
    global: z.optional(globalSignals),
    combined: z.optional(
      z.object({
        h2h3_ratio_1h: z.optional(combinedRatio),
        heuristic_ratio_1h: z.optional(combinedRatio),
        browser_ratio_1h: z.optional(combinedRatio),
        cache_ratio_1h: z.optional(combinedRatio),
      }),
    ),
    divergence: z.array(divergence),
    expected: z.optional(z.object({ reqs_1m: interval })),
    blast_radius: z.optional(
      z.object({ share_of_reqs: ratio, share_of_browser_reqs: optionalRatio }).register(components, {
        id: "BlastRadius",
        description:
          "What blocking the fingerprint would have hit in the last hour: its share of the site's requests, and of those with a browser's user agent (absent when the site has none).",
      }),
    ),
    bot_score: z.optional(botScore),
    waf_expression: z.optional(z.string()),
    score: z.optional(z.number()),
    anomalies: z.array(z.object({ anomaly_id: z.string(), kind: z.string() })),
    names,
    partial,
  })
  .register(components, {
    id: "Fingerprint",
    description:
      "Everything known of one fingerprint on one site. `sampled`: the hour of its shard holds sampled Logpush uploads, whose counts are scaled up; distinct counts are of the records that came.",
  });
export type FingerprintAnswer = z.infer<typeof fingerprint>;

export const fingerprintRow = z
  .object({
    ja4,
    reqs: count,
    ips: optionalCount,
    uas: optionalCount,
    paths: optionalCount,
    browser_ratio: optionalRatio,
    score: z.optional(z.number()),
    last_seen: time,
    names,
  })
  .register(components, {
    id: "FingerprintRow",
    description: "One fingerprint in a list, numbers of the asked window.",
  });
export type FingerprintRow = z.infer<typeof fingerprintRow>;

export const fingerprintList = z
  .object({
    as_of: time,
    fingerprints: z.array(fingerprintRow),
    next_cursor: z.optional(z.string()),
    partial,
  })
  .register(components, {
    id: "FingerprintList",
    description: "A page; `next_cursor` is absent on the last one.",
  });

export const timeline = z
  .object({
    ja4,
    as_of: time,
    minutes: z.array(
      z.object({
        from: time,
        reqs: count,
        ips: optionalCount,
        uas: optionalCount,
        paths: optionalCount,
        error_ratio: optionalRatio,
        expected: z.optional(interval),
      }),
    ),
    partial,
  })
  .register(components, {
    id: "Timeline",
    description:
      "The last 60 minutes, oldest first; the last one is still filling. `expected` is what the minutes before it made usual; absent where there are fewer than 10 of them. `ips`, `uas`, `paths` are exact where the shard can count them again from its log, and absent for minutes further back than it reads for one answer.",
  });
export type TimelineAnswer = z.infer<typeof timeline>;

const relatedRows = z.array(fingerprintRow);
export const related = z
  .object({ same: z.object({ a: relatedRows, b: relatedRows, c: relatedRows }), partial })
  .register(components, {
    id: "Related",
    description:
      "Other fingerprints of the site's last hour with the same part a (protocol, version, counts, ALPN), b (ciphers), c (extensions): most requests first, at most 50 each, numbers of the hour. A pseudo fingerprint has no parts and nothing related.",
  });
export type RelatedAnswer = z.infer<typeof related>;

export const family = z
  .object({
    part: z.enum(["a", "b", "c"]),
    value: z.string(),
    reqs_1h: count,
    fingerprints_1h: count,
    newborn_1m: count,
  })
  .register(components, {
    id: "Family",
    description:
      "The fingerprints that share a part of their JA4. `newborn_1m`: those that came in the last minute and were not there in the hour before.",
  });
export type FamilyAnswer = z.infer<typeof family>;

export const familyList = z
  .object({ families: z.array(family), next_cursor: z.optional(z.string()), partial })
  .register(components, {
    id: "FamilyList",
    description: "A page, most requests first; `next_cursor` is absent on the last one.",
  });

export const SORTS = ["reqs", "ips", "uas", "paths", "score", "last_seen"] as const;
export const lookupRequest = z
  .strictObject({ ja4: z.array(ja4).check(z.minLength(1), z.maxLength(LOOKUP_MAX)) })
  .register(components, { id: "LookupRequest", description: "Up to 100 fingerprints." });

export const lookupAnswer = z
  .object({ fingerprints: z.array(fingerprint), missing: z.array(ja4), partial })
  .register(components, {
    id: "LookupAnswer",
    description: "Full forms, and those not seen in the last hour.",
  });

export const sites = z
  .object({ sites: z.array(z.string()) })
  .register(components, { id: "Sites", description: "The sites that the token may see." });

export const health = z
  .object({ status: z.literal("ok"), version: z.string() })
  .register(components, { id: "Health", description: "The Worker answers; no object was touched." });
