/** Anomalies as they stand (contract §4): a list, one by its id, and what users say of it. The feed object keeps them. */
import * as z from "zod/mini";
import { Problem } from "../base/problem.ts";
import { rfc3339 } from "../base/time.ts";
import { cursorText } from "../feed/cursor.ts";
import { anomaly, anomalyList, feedback, feedbackInput } from "../schemas/anomalies.ts";
import { feedPosition, ja4Glob, namesOf, pageLimit } from "../schemas/common.ts";
import { EVENT_KINDS } from "../wire/event.ts";
import { readJson } from "./body.ts";
import { type Call, json, queryParameters, type Route } from "./call.ts";
import { futureCursor, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { validate, validateQuery } from "./validate.ts";

const PATH = "/v1/sites/:site/anomalies";

const listQuery = z.object({
  active: z.optional(z.enum(["true", "false"])),
  kind: z.optional(namesOf(EVENT_KINDS)),
  ja4: z.optional(ja4Glob),
  since: z.optional(feedPosition),
  limit: pageLimit,
  cursor: z.optional(feedPosition),
});
const DESCRIPTIONS = {
  active: "`true` = only those that were not cleared yet, `false` = only those that were.",
  kind: "Kinds, with commas between.",
  ja4: "A glob that knows `*` only; events of the whole site have no fingerprint and are left out.",
  since:
    "Cursor (an event's `sequence`) after which every event is wanted, oldest first; `0` = all that is kept. Absent = the newest event of each anomaly, newest first.",
  limit: PAGE_DESCRIPTIONS.limit,
  cursor:
    "`next_cursor` of the page before. An anomaly that has news between two pages moves to the front of the list.",
};

export const anomalyRoutes: Route[] = [
  {
    method: "GET",
    path: PATH,
    scope: "read",
    operationId: "listAnomalies",
    summary: "Anomalies, thresholds and site events that are kept: as they stand, or event by event.",
    parameters: queryParameters(listQuery.shape, DESCRIPTIONS),
    answers: { 200: { description: "A page.", schema: anomalyList } },
    problems: [400, 503],
    handle: list,
  },
  {
    method: "GET",
    path: `${PATH}/:id`,
    scope: "read",
    operationId: "getAnomaly",
    summary: "The newest event of one anomaly, with the feedback on it.",
    answers: { 200: { description: "The anomaly.", schema: anomaly } },
    problems: [503],
    handle: one,
  },
  {
    method: "POST",
    path: `${PATH}/:id/feedback`,
    scope: "write",
    operationId: "createFeedback",
    summary: "Say whether an anomaly was a true one; it takes the place of what was said before.",
    body: { "application/json": feedbackInput },
    answers: { 201: { description: "Kept.", schema: feedback } },
    problems: [400, 413, 415, 422, 503],
    handle: createFeedback,
  },
];

const unknown = () => new Problem(404, "unknown_anomaly", "No anomaly of this id is kept.");

async function list({ at, url }: Call): Promise<Response> {
  const { active, kind, ja4, since, limit, cursor } = validateQuery(listQuery, url.searchParams);
  const page = await at.feed().anomalies({
    filter: {
      ...(active === undefined ? {} : { active: active === "true" }),
      ...(kind === undefined ? {} : { kinds: kind.split(",") }),
      ...(ja4 === undefined ? {} : { ja4 }),
    },
    ...(since === undefined ? {} : { since: Number(since) }),
    ...(cursor === undefined ? {} : { cursor: Number(cursor) }),
    limit,
  });
  if (page === "future_cursor") throw futureCursor("Query parameter since");
  const { events, next, gap } = page;
  const anomalies = events.map((event) => JSON.parse(event) as unknown);
  const lost = gap === undefined ? {} : { gap: { from: cursorText(gap.from), to: cursorText(gap.to) } };
  return pageAnswer(url, { anomalies, ...lost }, next === undefined ? undefined : cursorText(next));
}

async function one({ at, params }: Call): Promise<Response> {
  const found = await at.feed().anomaly(params.id!);
  if (found === undefined) throw unknown();
  const { event, feedback: said } = found;
  return json({ ...(JSON.parse(event) as object), ...(said === undefined ? {} : { feedback: said }) });
}

async function createFeedback({ at, site, params, request }: Call): Promise<Response> {
  const { verdict, note } = validate(feedbackInput, await readJson(request));
  const said = {
    anomaly_id: params.id!,
    verdict,
    ...(note === undefined ? {} : { note }),
    created_at: rfc3339(Date.now()),
  };
  if (!(await at.feed().putFeedback(params.id!, said))) throw unknown();
  const location = `/v1/sites/${site}/anomalies/${encodeURIComponent(params.id!)}`;
  return json(said, 201, { location });
}
