/** Families: fingerprints that share a part of their JA4 (contract §4). */
import * as z from "zod/mini";
import { type FamilyPosition, mergeFamilies } from "../reading/families.ts";
import { pageLimit } from "../schemas/common.ts";
import { familyList } from "../schemas/reading.ts";
import { PARTS } from "../window/families.ts";
import { type Call, queryParameters, type Route } from "./call.ts";
import { decodeCursor, encodeCursor, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { gather, partialOf } from "./gather.ts";
import { validateQuery } from "./validate.ts";

const familyQuery = z.object({
  part: z.enum(PARTS, "required, one of a, b, c"),
  limit: pageLimit,
  cursor: z.optional(z.string()),
});
const DESCRIPTIONS = {
  part: "Which part is shared: `a` (protocol, version, counts, ALPN), `b` (ciphers), `c` (extensions).",
  ...PAGE_DESCRIPTIONS,
};

export const familyRoutes: Route[] = [
  {
    method: "GET",
    path: "/v1/sites/:site/families",
    scope: "read",
    operationId: "listFamilies",
    summary: "Families of fingerprints by a part of their JA4, most requests first, in pages.",
    parameters: queryParameters(familyQuery.shape, DESCRIPTIONS).map((parameter) =>
      parameter.name === "part" ? { ...parameter, required: true } : parameter,
    ),
    answers: { 200: { description: "A page.", schema: familyList } },
    problems: [400, 503],
    handle: list,
  },
];

async function list({ at, url }: Call): Promise<Response> {
  const { part, limit, cursor } = validateQuery(familyQuery, url.searchParams);
  const madeFor = `families ${part}`;
  const after = cursor === undefined ? undefined : positionOf(decodeCursor(cursor, madeFor));
  const { answers, missing } = await gather(at, await at.map(), (shard) => shard.families(part));
  const { families, next } = mergeFamilies(part, answers, limit, after);
  const nextCursor =
    next === undefined
      ? undefined
      : encodeCursor({ query: madeFor, value: next.reqs, ja4: String(next.family) });
  return pageAnswer(url, { families, ...partialOf(missing) }, nextCursor);
}

/** A family stands in the place of a fingerprint in its cursors. */
function positionOf({ value, ja4 }: { value: number; ja4: string }): FamilyPosition {
  return { reqs: value, family: Number(ja4) };
}
