/**
 * The API's front door: request id, route, token, scope, site, handler, problem. The order is the contract's: no token is
 * 401 before anything else is told; a path value that cannot be is 400; then 403, 404, 405.
 */
import { Router } from "itty-router";
import { errorClass } from "../base/log.ts";
import { asProblem, Problem, problemResponse } from "../base/problem.ts";
import { ulid } from "../base/random.ts";
import { isSite } from "../options.ts";
import { auditAction, audited } from "./audit.ts";
import { anonymous, authenticate, type Principal, requireScope, requireSite } from "./auth.ts";
import { type Call, isLimited, type Route, type Services } from "./call.ts";
import { openapiRoute } from "./openapi.ts";
import { page } from "./pages.ts";
import { routes } from "./routes.ts";

/** Where a matched route and its path values are put; itty-router fills a plain request-like object. */
interface Matched {
  route: Route;
  params: Record<string, string>;
}

type Match = (request: {
  method: string;
  url: string;
  params?: Record<string, string>;
}) => Promise<Matched | undefined>;

const matcher = Router();
for (const route of [...routes, openapiRoute]) {
  const found = ({ params }: { params: Record<string, string> }): Matched => ({ route, params });
  matcher[route.method.toLowerCase() as "get"](route.path, found);
}
const match: Match = (request) => matcher.fetch(request as never) as Promise<Matched | undefined>;

/** What is known of a request on its way, whatever becomes of it. */
interface Passage {
  requestId: string;
  /** Header fields that every answer from now on carries. */
  headers: Record<string, string>;
}

/** Answers one API request; never throws. */
export async function answer(request: Request, services: Services): Promise<Response> {
  const passage: Passage = {
    requestId: ulid(Date.now(), (bytes) => crypto.getRandomValues(bytes)),
    headers: {},
  };
  const response = await respond(request, services, passage).catch((thrown: unknown) => {
    const problem = asProblem(thrown);
    const instance = passage.requestId;
    if (problem.status === 500)
      services.log({ event: "request_failed", instance, error: errorClass(thrown) });
    return problemResponse(problem, instance);
  });
  for (const [name, value] of Object.entries(passage.headers)) response.headers.set(name, value);
  return response;
}

async function respond(request: Request, services: Services, passage: Passage): Promise<Response> {
  const url = new URL(request.url);
  const matched = await match({ method: request.method, url: request.url });
  if (matched === undefined)
    return (await page(request, url, services)) ?? refuseRoute(request, url, services);
  const { route } = matched;
  const params = decodeParams(matched.params);
  const site = params.site ?? "";
  const { requestId } = passage;
  const open = { request, url, params, site, requestId, at: services.objects.site(site), ...services };
  const principal = await admit(route, open, passage);
  const call = { ...open, principal };
  const action = auditAction(route);
  if (action === undefined) return route.handle(call);
  return audited(call, action, async () => route.handle(call));
}

/** Checks token, rate, path, scope and site as the route asks for. */
async function admit(route: Route, open: Omit<Call, "principal">, passage: Passage): Promise<Principal> {
  const { request, options, site, params } = open;
  if (route.scope === undefined) return anonymous("anonymous");
  const bare = request.headers.get("authorization") === null;
  if (bare && route.admits !== undefined && isSite(site) && options.sites.has(site)) {
    const admitted = await route.admits(open);
    if (admitted !== undefined) return admitted;
  }
  const principal = await authenticate(request, open, Date.now);
  if (isLimited(route)) passage.headers = open.limits.count(principal.id, Date.now());
  if (params.site !== undefined && !isSite(site)) {
    throw new Problem(400, "site_name", "A site's name has 1 to 63 of a–z, 0–9 and -.");
  }
  if (route.scope !== "any") requireScope(principal, route.scope);
  if (params.site !== undefined) requireSite(principal, site, options.sites);
  return principal;
}

/** 405 where the path exists with another method, 404 where it does not; what lies behind tokens is told to holders only. */
async function refuseRoute(request: Request, url: URL, services: Services): Promise<never> {
  if (url.pathname.startsWith("/v1/")) await authenticate(request, services, Date.now);
  const others: string[] = [];
  for (const method of ["GET", "POST", "PUT", "DELETE"]) {
    if ((await match({ method, url: request.url })) !== undefined) others.push(method);
  }
  if (others.length > 0) {
    const allow = others.join(", ");
    throw new Problem(405, "method", `This path answers ${allow}.`, { headers: { allow } });
  }
  throw new Problem(404, "unknown_route", "There is nothing at this path.");
}

function decodeParams(params: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(
      Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    throw new Problem(400, "path", "The path has a percent-encoding that cannot be decoded.");
  }
}
