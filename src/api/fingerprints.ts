/** Reading fingerprints and the site's summary (contract §4). */
import * as z from "zod/mini";
import { shardOf } from "../base/hash.ts";
import { Problem, unavailable } from "../base/problem.ts";
import { rfc3339 } from "../base/time.ts";
import { type ListQuery, mergeLists } from "../reading/list.ts";
import { mergeRelated } from "../reading/related.ts";
import { mergeSummaries } from "../reading/summary.ts";
import { ja4Glob, pageLimit, windowName } from "../schemas/common.ts";
import {
  fingerprint,
  fingerprintList,
  lookupAnswer,
  lookupRequest,
  related,
  SORTS,
  timeline,
} from "../schemas/reading.ts";
import { summary } from "../schemas/summary.ts";
import { isJa4 } from "../wire/ja4.ts";
import { readJson } from "./body.ts";
import { type Call, json, queryParameters, type Route } from "./call.ts";
import { decodeCursor, encodeCursor, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { gather, partialOf } from "./gather.ts";
import { validate, validateQuery } from "./validate.ts";

const listQuery = z.object({
  sort: z._default(z.enum(SORTS), "reqs"),
  order: z._default(z.enum(["asc", "desc"]), "desc"),
  window: z._default(windowName, "1h"),
  ja4: z.optional(ja4Glob),
  limit: pageLimit,
  cursor: z.optional(z.string()),
});
const DESCRIPTIONS = {
  sort: "What to sort by; what is absent comes as the smallest.",
  order: "Direction; fingerprints with equal values come in alphabetical order.",
  window: "The window of the numbers; fingerprints without a request in it are left out.",
  ja4: "A glob that knows `*` only.",
  ...PAGE_DESCRIPTIONS,
};

export const fingerprintRoutes: Route[] = [
  {
    method: "GET",
    path: "/v1/sites/:site/fingerprints",
    scope: "read",
    operationId: "listFingerprints",
    summary: "Fingerprints of the site, sorted, in pages.",
    parameters: queryParameters(listQuery.shape, DESCRIPTIONS),
    answers: { 200: { description: "A page.", schema: fingerprintList } },
    problems: [400, 503],
    handle: list,
  },
  {
    method: "GET",
    path: "/v1/sites/:site/fingerprints/:ja4",
    scope: "read",
    operationId: "getFingerprint",
    summary: "Everything known of one fingerprint; 404 when it was not seen in the last hour.",
    answers: { 200: { description: "The full form.", schema: fingerprint } },
    problems: [400, 503],
    handle: one,
  },
  {
    method: "POST",
    path: "/v1/sites/:site/fingerprints/lookup",
    scope: "read",
    operationId: "lookupFingerprints",
    summary: "Up to 100 fingerprints at once.",
    body: { "application/json": lookupRequest },
    answers: { 200: { description: "Full forms and what is missing.", schema: lookupAnswer } },
    problems: [400, 413, 415, 422, 503],
    handle: lookup,
  },
  {
    method: "GET",
    path: "/v1/sites/:site/fingerprints/:ja4/timeline",
    scope: "read",
    operationId: "getTimeline",
    summary: "A fingerprint's last 60 minutes, one by one, with what was expected of each.",
    answers: { 200: { description: "60 minutes, oldest first.", schema: timeline } },
    problems: [400, 503],
    handle: history,
  },
  {
    method: "GET",
    path: "/v1/sites/:site/fingerprints/:ja4/related",
    scope: "read",
    operationId: "listRelatedFingerprints",
    summary: "Fingerprints of the site that share a part with one.",
    answers: { 200: { description: "At most 50 a part, most requests first.", schema: related } },
    problems: [400, 503],
    handle: relatives,
  },
  {
    method: "GET",
    path: "/v1/sites/:site/summary",
    scope: "read",
    operationId: "getSummary",
    summary: "The site in numbers: what came in, what was dropped and why, its shards.",
    answers: { 200: { description: "The summary.", schema: summary } },
    problems: [503],
    handle: async ({ at, site }) => {
      const { answers, missing } = await gather(at, await at.map(), (shard) => shard.summary());
      return json({ ...mergeSummaries(site, answers, Date.now()), ...partialOf(missing) });
    },
  },
];

async function list({ at, url }: Call): Promise<Response> {
  const asked = validateQuery(listQuery, url.searchParams);
  const { sort, order, window, ja4, cursor } = asked;
  const madeFor = [sort, order, window, ja4 ?? "*"].join(" ");
  const query: ListQuery = {
    sort,
    order,
    window,
    ja4,
    limit: asked.limit,
    after: cursor === undefined ? undefined : decodeCursor(cursor, madeFor),
  };
  const { answers, missing } = await gather(at, await at.map(), (shard) => shard.list(query));
  const { rows, next } = mergeLists(
    query,
    answers.map((answer) => answer.rows),
  );
  const nextCursor = next === undefined ? undefined : encodeCursor({ query: madeFor, ...next });
  const asOf = rfc3339(Math.min(...answers.map(({ asOfMs }) => asOfMs)));
  return pageAnswer(url, { as_of: asOf, fingerprints: rows, ...partialOf(missing) }, nextCursor);
}

/** The path's fingerprint; throws 400 for what is none. */
function ja4Of({ params }: Call): string {
  const ja4 = params.ja4!;
  if (!isJa4(ja4)) throw new Problem(400, "ja4", "The path does not name a JA4 fingerprint.");
  return ja4;
}

function unseen(): Problem {
  return new Problem(404, "unseen", "The fingerprint was not seen in the last hour.");
}

async function one(call: Call): Promise<Response> {
  const ja4 = ja4Of(call);
  const { at } = call;
  const map = await at.map();
  const { found, missing } = await at.shard(map, shardOf(ja4, map.shards, map.epoch)).read([ja4]);
  const form = found[0];
  if (form === undefined) throw unseen();
  return json({ ...form, ...partialOf(missing) });
}

async function history(call: Call): Promise<Response> {
  const ja4 = ja4Of(call);
  const { at } = call;
  const map = await at.map();
  const answer = await at.shard(map, shardOf(ja4, map.shards, map.epoch)).timeline(ja4);
  if (answer === undefined) throw unseen();
  return json(answer);
}

async function relatives(call: Call): Promise<Response> {
  const ja4 = ja4Of(call);
  const { at } = call;
  const map = await at.map();
  const { answers, missing } = await gather(at, map, (shard) => shard.related(ja4));
  if (!answers.some(({ isSeen }) => isSeen)) {
    // Only its own shard can say that it was not seen.
    if (missing.includes(shardOf(ja4, map.shards, map.epoch)))
      throw unavailable("The fingerprint's shard does not answer.");
    throw unseen();
  }
  return json({ same: mergeRelated(answers), ...partialOf(missing) });
}

async function lookup({ at, request }: Call): Promise<Response> {
  const wanted = validate(lookupRequest, await readJson(request)).ja4;
  const map = await at.map();
  const byShard = Map.groupBy(new Set(wanted), (ja4) => shardOf(ja4, map.shards, map.epoch));
  const { answers, missing } = await gather(at, map, async (shard, index) => {
    const mine = byShard.get(index);
    return mine === undefined ? { found: [], missing: [] } : shard.read(mine);
  });
  const found = new Map(answers.flatMap((answer) => answer.found).map((form) => [form.ja4, form]));
  const order = [...new Set(wanted)];
  return json({
    fingerprints: order.flatMap((ja4) => found.get(ja4) ?? []),
    // A fingerprint on a shard that did not answer is not known to be missing.
    missing: order.filter((ja4) => !found.has(ja4) && !missing.includes(shardOf(ja4, map.shards, map.epoch))),
    ...partialOf([...missing, ...answers.flatMap((answer) => answer.missing)]),
  });
}
