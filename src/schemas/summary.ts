/** The site in numbers (contract §4 `summary`). */
import * as z from "zod/mini";
import type { Totals } from "../ingest/totals.ts";
import { COUNTERS, SOURCES } from "../wire/frame.ts";
import { components, count, partial, sampled, time } from "./common.ts";

const siteWindow = z.object({
  from: time,
  reqs: count,
  fingerprints: count,
  without_ja4: count,
  without_signals: count,
});

export const summary = z
  .object({
    site: z.string(),
    as_of: time,
    ranks_as_of: z.optional(time),
    windows: z.object({ "1m": siteWindow, "5m": siteWindow, "1h": siteWindow }),
    sampled,
    since_start: z.object({
      accepted: count,
      duplicate: count,
      late: count,
      future: count,
      stale: count,
      shed: count,
      overflow: count,
      suppressed: count,
      ...Object.fromEntries(COUNTERS.map((name) => [name, count])),
    } as Record<
      keyof Omit<Totals, "counters" | "sources" | "results" | "withoutJa4"> | (typeof COUNTERS)[number],
      typeof count
    >),
    sources: z.partialRecord(z.enum(SOURCES), count),
    warm_up: z.optional(z.object({ until: time, kinds: z.array(z.string()) })),
    shards: z.array(
      z.object({
        shard: count,
        as_of: time,
        fingerprints: count,
        bytes: count,
        /** Bytes by part: what is reserved, not only what is in use. */
        memory: z.record(z.string(), count),
        /** Fingerprints in full; those that had to leave, and distinct counts made coarser, to stay within memory. */
        tracked: count,
        evicted: count,
        folded: count,
        /** Bot scores and detection ids that were not counted, for want of room. */
        scores_lost: count,
        /** Calls refused for overload since the shard woke up; what was refused for good is in `shed`. */
        calls_refused: count,
      }),
    ),
    partial,
  })
  .register(components, {
    id: "Summary",
    description:
      "The site in numbers. `reqs` counts every accepted request, those without a JA4 too; `since_start` counts everything that was accepted or dropped since the site's first start. What was sent is one of `accepted`, `late` (older than the hour when it arrived), `future` (too far ahead of the shard's clock), `duplicate` (counted before), `stale` (too old to tell), `shed` (refused for overload), `rejected`, `expired`, `lost_at_edge`; `overflow` is part of `accepted`. `sampled`: the hour holds sampled Logpush uploads; the windows count the requests that they stand for, `since_start` and `sources` the records.",
  });
export type SummaryAnswer = z.infer<typeof summary>;
