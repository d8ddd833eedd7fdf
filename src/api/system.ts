/** Routes about the service itself. */
import { VERSION } from "../config.ts";
import { health, sites } from "../schemas/reading.ts";
import { visibleSites } from "./auth.ts";
import { json, type Route } from "./call.ts";

export const systemRoutes: Route[] = [
  {
    method: "GET",
    path: "/healthz",
    scope: undefined,
    operationId: "getHealth",
    summary: "Whether the Worker answers; touches no object.",
    answers: { 200: { description: "It does.", schema: health } },
    handle: () => json({ status: "ok", version: VERSION }),
  },
  {
    method: "GET",
    path: "/v1/sites",
    scope: "any",
    operationId: "listSites",
    summary: "The sites that the token may see.",
    answers: { 200: { description: "In alphabetical order.", schema: sites } },
    handle: ({ principal, options }) => json({ sites: visibleSites(principal, options.sites) }),
  },
];
