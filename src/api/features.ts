/**
 * Every fingerprint of a site as a feature row, in order, streamed (contract §4). Each shard hands out pages in order of the
 * fingerprints and they are merged here, a page of each held at a time, as fast as the client reads.
 *
 * A shard that does not answer at the start is named in a header. One that is gone later breaks the stream off: a status
 * that was sent cannot be taken back, and half a file must not look like a whole one.
 */
import * as z from "zod/mini";
import { FEATURES_CHUNK_CHARS, FEATURES_HELD_ROWS } from "../base/read-limits.ts";
import { retry } from "../base/retry.ts";
import { SHARD_TRIES } from "../config.ts";
import { type FeaturePage, type FeatureQuery, featureHead } from "../reading/features.ts";
import { ja4Glob } from "../schemas/common.ts";
import { FEATURE_FORMATS, type FeatureFormat, featureLine } from "../schemas/features.ts";
import { type Call, queryParameters, type Route } from "./call.ts";
import { gather } from "./gather.ts";
import { validateQuery } from "./validate.ts";

const MEDIA_TYPES: Record<FeatureFormat, string> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
};
/** RFC 9651 dictionary: `missing_shards=(0 2)`. */
const PARTIAL_HEADER = "x-hellotide-partial";

const featuresQuery = z.object({
  format: z.optional(z.enum(FEATURE_FORMATS)),
  ja4: z.optional(ja4Glob),
});
const DESCRIPTIONS = {
  format: "Absent = CSV where `Accept` names `text/csv`, else NDJSON.",
  ja4: "A glob that knows `*` only.",
};

export const featureRoutes: Route[] = [
  {
    method: "GET",
    path: "/v1/sites/:site/features",
    scope: "read",
    operationId: "exportFeatures",
    summary: "One row of numbers a fingerprint, in order of the fingerprints, streamed.",
    parameters: queryParameters(featuresQuery.shape, DESCRIPTIONS),
    answers: {
      200: {
        description:
          "Columns in a fixed order, to which only is added within a `feature_version`. The header `x-hellotide-partial: missing_shards=(0 2)` names shards that did not answer; when one stops answering later, the stream breaks off.",
        content: { "application/x-ndjson": featureLine, "text/csv": z.string() },
      },
    },
    problems: [400, 503],
    handle: exportFeatures,
  },
];

/** A shard's page that is being read, and how to get the next one. */
interface Reading {
  page: FeaturePage;
  /** Next row of the page. */
  at: number;
  next(after: string): Promise<FeaturePage>;
}

async function exportFeatures({ at, url, request, wait, random }: Call): Promise<Response> {
  const { format: asked, ja4 } = validateQuery(featuresQuery, url.searchParams);
  const accepts = request.headers.get("accept") ?? "";
  const format = asked ?? (accepts.includes("text/csv") ? "csv" : "ndjson");
  const map = await at.map();
  const limit = Math.ceil(FEATURES_HELD_ROWS / map.shards);
  const query: FeatureQuery = { ...(ja4 === undefined ? {} : { ja4 }), limit, format };
  const { answers, missing } = await gather(at, map, async (shard): Promise<Reading> => {
    const pageAfter = (after?: string) =>
      retry(() => shard.features({ ...query, ...(after === undefined ? {} : { after }) }), {
        tries: SHARD_TRIES,
        wait,
        random,
      });
    return { page: await pageAfter(), at: 0, next: pageAfter };
  });
  const absent = [...new Set([...missing, ...answers.flatMap(({ page }) => page.missing)])].sort(
    (a, b) => a - b,
  );
  return new Response(streamOf(mergedText(featureHead(format), answers)), {
    headers: {
      "content-type": MEDIA_TYPES[format],
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(absent.length === 0 ? {} : { [PARTIAL_HEADER]: `missing_shards=(${absent.join(" ")})` }),
    },
  });
}

/** The shards' rows in one order, in pieces of some ten kilobytes. */
async function* mergedText(head: string, readings: readonly Reading[]): AsyncGenerator<string, void> {
  let text = head;
  for (;;) {
    const first = firstOf(readings);
    if (first === undefined) break;
    const { page } = first;
    text += page.lines[first.at]!;
    first.at++;
    if (first.at === page.ja4s.length && !page.isLast) {
      first.page = await first.next(page.ja4s[page.ja4s.length - 1]!);
      first.at = 0;
    }
    if (text.length >= FEATURES_CHUNK_CHARS) {
      yield text;
      text = "";
    }
  }
  if (text !== "") yield text;
}

/** The one whose next row comes first; shards are few, so all are looked at. */
function firstOf(readings: readonly Reading[]): Reading | undefined {
  let first: Reading | undefined;
  for (const reading of readings) {
    const ja4 = reading.page.ja4s[reading.at];
    if (ja4 === undefined) continue;
    if (first === undefined || ja4 < first.page.ja4s[first.at]!) first = reading;
  }
  return first;
}

/** Made only as fast as it is read. */
function streamOf(texts: AsyncGenerator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await texts.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => {
      await texts.return();
    },
  });
}
