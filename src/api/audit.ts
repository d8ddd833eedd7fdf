/**
 * The record of every change (contract §2): who, what, when. It is written before the change is tried, and a change that cannot
 * be recorded is refused: an account whose record can be kept away by bad luck, or by whoever makes it, proves nothing.
 * How the change ended is added afterwards; a record without that tells that nobody knows.
 */
import * as z from "zod/mini";
import { errorClass } from "../base/log.ts";
import { asProblem, unavailable } from "../base/problem.ts";
import { pageLimit } from "../schemas/common.ts";
import { auditList } from "../schemas/token.ts";
import { type Call, queryParameters, type Route } from "./call.ts";
import { firstPage, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { validateQuery } from "./validate.ts";

const listQuery = z.object({
  limit: pageLimit,
  cursor: z.optional(z.string().check(z.regex(/^\d{16}$/, "not a cursor of this list"))),
});

export const auditRoutes: Route[] = [
  {
    method: "GET",
    path: "/v1/audit",
    scope: "admin",
    operationId: "listAudit",
    summary: "Every change, newest first; kept 90 days or 100,000 records.",
    parameters: queryParameters(listQuery.shape, PAGE_DESCRIPTIONS),
    answers: { 200: { description: "A page.", schema: auditList } },
    problems: [400, 503],
    handle: list,
  },
];

async function list({ url, objects, principal }: Call): Promise<Response> {
  const { limit, cursor } = validateQuery(listQuery, url.searchParams);
  const before = cursor === undefined ? undefined : Number(cursor);
  // What belongs to no site, tokens above all, is shown to callers for every site only.
  const sites = principal.sites.includes("*") ? undefined : [...principal.sites];
  const found = await objects.account().audit(before, limit + 1, sites);
  const { items, next } = firstPage(found, limit);
  return pageAnswer(url, { items }, next);
}

/** How the record names what a route does; `undefined` when it changes nothing that is recorded. */
export function auditAction({ audit, method, scope, operationId }: Route): string | undefined {
  if (audit === false) return undefined;
  if (audit !== undefined) return audit;
  if (method === "GET" || (scope !== "write" && scope !== "admin")) return undefined;
  const [verb = "", ...what] = operationId.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  return `${what.join("_")}.${verb}`;
}

/** Runs a change between its two records. Throws 503, and the change is not tried, when it cannot be recorded. */
export async function audited(
  call: Call,
  action: string,
  change: () => Promise<Response>,
): Promise<Response> {
  const { principal, site, params, requestId } = call;
  const account = call.objects.account();
  const [target] = Object.entries(params).flatMap(([name, value]) => (name === "site" ? [] : [value]));
  const start = {
    actor: principal.actor,
    action,
    request_id: requestId,
    ...(site === "" ? {} : { site }),
    ...(target === undefined ? {} : { target }),
  };
  let record: number;
  try {
    record = await account.startAudit(start);
  } catch (error) {
    call.log({ event: "audit_refused", instance: requestId, error: errorClass(error) });
    throw unavailable("The change cannot be recorded now, so it was not made.");
  }
  const end = async (status: number, made?: string) => {
    try {
      await account.endAudit(record, status, made);
    } catch (error) {
      // The record itself is there, and stays without a status.
      call.log({ event: "audit_open", instance: requestId, error: errorClass(error) });
    }
  };
  try {
    const response = await change();
    await end(response.status, createdId(response));
    return response;
  } catch (thrown) {
    await end(asProblem(thrown).status);
    throw thrown;
  }
}

/** Id of the resource that was created. */
function createdId(response: Response): string | undefined {
  if (response.status !== 201) return undefined;
  const last = response.headers.get("location")?.split("/").pop();
  return last === undefined ? undefined : decodeURIComponent(last);
}
