/** Thresholds (contract §5): users' own rules, in force on every shard when the write is answered. */
import * as z from "zod/mini";
import { Problem } from "../base/problem.ts";
import { base64url } from "../base/random.ts";
import { rfc3339 } from "../base/time.ts";
import { THRESHOLDS_MAX } from "../config.ts";
import { pageLimit } from "../schemas/common.ts";
import {
  THRESHOLD_ID,
  type ThresholdInput,
  thresholdInput,
  thresholdList,
  thresholdOutput,
} from "../schemas/threshold.ts";
import { readJson } from "./body.ts";
import { type Call, json, type Parameter, queryParameters, type Route } from "./call.ts";
import { nextLink } from "./cursor.ts";
import { gather } from "./gather.ts";
import type { IfMatch, StoredThreshold } from "./objects.ts";
import { validate, validateQuery } from "./validate.ts";

const PATH = "/v1/sites/:site/thresholds";
const ifMatchParameter: Parameter = {
  name: "If-Match",
  in: "header",
  description: "ETags; the write happens only when the resource still has one of them.",
  schema: z.optional(z.string()),
};
const listQuery = z.object({
  limit: pageLimit,
  cursor: z.optional(z.string().check(z.regex(THRESHOLD_ID, "not a cursor of this list"))),
});
const DESCRIPTIONS = { limit: "Rows a page.", cursor: "`next_cursor` of the page before." };

export const thresholdRoutes: Route[] = [
  {
    method: "GET",
    path: PATH,
    scope: "read",
    operationId: "listThresholds",
    summary: "Thresholds by id, each with the fingerprints it is raised for.",
    parameters: queryParameters(listQuery.shape, DESCRIPTIONS),
    answers: { 200: { description: "A page.", schema: thresholdList } },
    problems: [400, 503],
    handle: list,
  },
  {
    method: "POST",
    path: PATH,
    scope: "write",
    operationId: "createThreshold",
    summary: "Create a threshold; without an id it gets one.",
    body: { "application/json": thresholdInput },
    answers: { 201: { description: "Created, in force.", schema: thresholdOutput } },
    problems: [400, 409, 413, 415, 422, 503],
    handle: create,
  },
  {
    method: "GET",
    path: `${PATH}/:id`,
    scope: "read",
    operationId: "getThreshold",
    summary: "One threshold.",
    answers: { 200: { description: "The threshold.", schema: thresholdOutput } },
    problems: [503],
    handle: one,
  },
  {
    method: "PUT",
    path: `${PATH}/:id`,
    scope: "write",
    operationId: "putThreshold",
    summary: "Create or replace a threshold.",
    parameters: [ifMatchParameter],
    body: { "application/json": thresholdInput },
    answers: {
      200: { description: "Replaced, in force.", schema: thresholdOutput },
      201: { description: "Created, in force.", schema: thresholdOutput },
    },
    problems: [400, 412, 413, 415, 422, 503],
    handle: put,
  },
  {
    method: "DELETE",
    path: `${PATH}/:id`,
    scope: "write",
    operationId: "deleteThreshold",
    summary: "Delete a threshold; what it raised is cleared.",
    parameters: [ifMatchParameter],
    answers: { 204: { description: "Deleted." } },
    problems: [412, 503],
    handle: remove,
  },
];

const absent = () => new Problem(404, "unknown_threshold", "There is no threshold of this id.");
const changed = () =>
  new Problem(412, "if_match", "The threshold has changed since: If-Match does not hold.");

function etag({ revision }: StoredThreshold): Record<string, string> {
  return { etag: `"${revision}"` };
}

/** Fingerprints that each threshold is raised for, over all shards. */
async function activeByThreshold({ at }: Call): Promise<Map<string, string[]>> {
  const { answers } = await gather(at, await at.map(), (shard) => shard.activeThresholds());
  const active = new Map<string, string[]>();
  for (const [id, ja4s] of answers.flatMap((answer) => Object.entries(answer))) {
    active.set(id, [...(active.get(id) ?? []), ...ja4s].sort());
  }
  return active;
}

async function list(call: Call): Promise<Response> {
  const { limit, cursor } = validateQuery(listQuery, call.url.searchParams);
  const [found, active] = await Promise.all([
    call.at.settings().thresholds(cursor ?? "", limit + 1),
    activeByThreshold(call),
  ]);
  const page = found.slice(0, limit);
  const next = found.length > limit ? page[page.length - 1]?.body.id : undefined;
  const items = page.map(({ body }) => ({ ...body, active: active.get(body.id) ?? [] }));
  return json(
    { items, ...(next === undefined ? {} : { next_cursor: next }) },
    200,
    next === undefined ? {} : nextLink(call.url, next),
  );
}

async function one(call: Call): Promise<Response> {
  const [stored, active] = await Promise.all([
    call.at.settings().threshold(call.params.id!),
    activeByThreshold(call),
  ]);
  if (stored === undefined) throw absent();
  return json({ ...stored.body, active: active.get(stored.body.id) ?? [] }, 200, etag(stored));
}

async function create(call: Call): Promise<Response> {
  const input = await readInput(call.request);
  const id =
    input.id ??
    `t-${base64url(crypto.getRandomValues(new Uint8Array(8)))
      .toLowerCase()
      .replace(/[^a-z0-9]/g, "0")}`;
  return write(call, id, input, "create", undefined);
}

async function put(call: Call): Promise<Response> {
  const id = call.params.id!;
  if (!THRESHOLD_ID.test(id)) throw new Problem(400, "threshold_id", "An id has 1 to 63 of a–z, 0–9 and -.");
  const ifMatch = parseIfMatch(call.request);
  const input = await readInput(call.request);
  if (input.id !== undefined && input.id !== id) {
    const errors = [{ pointer: "/id", detail: "not the id of the path" }];
    throw new Problem(422, "invalid", "The body has values that are not allowed.", { errors });
  }
  return write(call, id, input, "replace", ifMatch);
}

async function remove(call: Call): Promise<Response> {
  const result = await call.at.settings().deleteThreshold(call.params.id!, parseIfMatch(call.request));
  if (result === "absent") throw absent();
  if (result === "changed") throw changed();
  return new Response(null, { status: 204 });
}

async function readInput(request: Request): Promise<ThresholdInput> {
  const input = validate(thresholdInput, await readJson(request));
  // Stored times have one spelling, whatever zone they were written in.
  return input.expires_at === undefined
    ? input
    : { ...input, expires_at: rfc3339(Date.parse(input.expires_at)) };
}

async function write(
  call: Call,
  id: string,
  input: ThresholdInput,
  mode: "create" | "replace",
  ifMatch: IfMatch,
): Promise<Response> {
  const result = await call.at.settings().putThreshold(id, input, mode, ifMatch);
  switch (result.outcome) {
    case "exists":
      throw new Problem(409, "threshold_exists", "There is a threshold of this id already.");
    case "changed":
      throw changed();
    case "full":
      throw new Problem(422, "too_many_thresholds", `A site has at most ${THRESHOLDS_MAX} thresholds.`);
    case "replaced":
      return json(result.stored.body, 200, etag(result.stored));
    case "created": {
      const location = `/v1/sites/${call.site}/thresholds/${id}`;
      return json(result.stored.body, 201, { ...etag(result.stored), location });
    }
  }
}

/** Strong comparison (RFC 9110 §13.1.1): a weak tag matches nothing. */
function parseIfMatch(request: Request): IfMatch {
  const header = request.headers.get("if-match");
  if (header === null) return undefined;
  if (header.trim() === "*") return "any";
  return header.split(",").flatMap((tag) => {
    const revision = /^\s*"(\d+)"\s*$/.exec(tag)?.[1];
    return revision === undefined ? [] : Number(revision);
  });
}
