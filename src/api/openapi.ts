/** The OpenAPI 3.1 document, made from the routes and their schemas; nothing of it is written twice. */
import * as z from "zod/mini";
import { VERSION } from "../config.ts";
import { SITE_FORM } from "../options.ts";
import { ja4, problem } from "../schemas/common.ts";
import "../schemas/feed.ts";
import { isLimited, type Route } from "./call.ts";
import { type Json, namedSchemas, plain } from "./json-schema.ts";
import { routes } from "./routes.ts";

const SITE = { type: "string", pattern: SITE_FORM.source };
const PATH_PARAMETERS: Record<string, { description: string; schema: Json }> = {
  site: { description: "Name of the site.", schema: SITE },
  ja4: { description: "A JA4 fingerprint, or a pseudo fingerprint `x` + 24 hex digits.", schema: plain(ja4) },
  id: { description: "Id of the resource.", schema: { type: "string" } },
};
const PROBLEMS: Record<number, string> = {
  400: "A malformed path value, query, header, or a body that cannot be decoded.",
  401: "No token, or one that is unknown, expired or revoked; a used or expired ticket.",
  403: "The token lacks the scope or the site; a foreign Origin.",
  404: "Unknown route, id, site, or a fingerprint not seen in the last hour.",
  405: "Another method; `Allow` names those that there are.",
  409: "The id exists; a request with the same Idempotency-Key is still running.",
  412: "If-Match does not hold.",
  413: "Too large.",
  415: "Wrong content type or encoding.",
  422: "Well-formed but not allowed; the same Idempotency-Key with another body.",
  426: "The feed without a WebSocket upgrade.",
  429: "More requests than one token may send; try again after `Retry-After`.",
  503: "Something does not answer now; try again after `Retry-After`.",
};

function problemAnswer(status: number): [string, Json] {
  const content = { "application/problem+json": { schema: plain(problem) } };
  return [String(status), { description: PROBLEMS[status] ?? "A problem.", content }];
}

function operation(route: Route): Json {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    ...PATH_PARAMETERS[name!],
  }));
  const parameters = (route.parameters ?? []).map(({ schema, ...rest }) => ({
    ...rest,
    schema: plain(schema),
  }));
  const statuses = new Set(route.problems ?? []);
  if (route.scope !== undefined) statuses.add(401).add(503);
  if (isLimited(route)) statuses.add(429);
  if (route.scope !== undefined && route.scope !== "any") statuses.add(403);
  if (inPath.length > 0) statuses.add(404).add(400);
  const answers = Object.entries(route.answers).map(([status, { description, schema, content }]) => {
    const bodies = content ?? (schema === undefined ? undefined : { "application/json": schema });
    return [
      status,
      bodies === undefined ? { description } : { description, content: contentOf(bodies, "output") },
    ];
  });
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [tagOf(route.path)],
    security: securityOf(route),
    ...(inPath.length + parameters.length === 0 ? {} : { parameters: [...inPath, ...parameters] }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: route.optionalBody !== true, content: requestOf(route) } }),
    responses: Object.fromEntries([...answers, ...[...statuses].sort((a, b) => a - b).map(problemAnswer)]),
  };
}

/** The scope that is needed, as role names (OpenAPI 3.1, security requirement object). */
function securityOf({ scope }: Route): Json[] {
  if (scope === undefined) return [];
  const roles = scope === "any" ? [] : [scope];
  return [{ token: roles }, { access: roles }];
}

function requestOf({ body = {}, example }: Route): Json {
  const content = contentOf(body, "input") as Record<string, Json>;
  if (example === undefined) return content;
  return Object.fromEntries(Object.entries(content).map(([type, media]) => [type, { ...media, example }]));
}

function contentOf(body: Record<string, z.ZodMiniType>, io: "input" | "output"): Json {
  return Object.fromEntries(
    Object.entries(body).map(([type, schema]) => [type, { schema: plain(schema, io) }]),
  );
}

const TAGS: Record<string, string> = {
  service: "The service itself.",
  observations: "Getting observations in.",
  fingerprints: "Reading fingerprints.",
  features: "Feature rows for models.",
  summary: "The site in numbers.",
  thresholds: "Users' own rules.",
  silences: "What is kept, but not delivered.",
  detection: "How the built-in kinds are set.",
  settings: "All settings of a site as one document.",
  anomalies: "Anomalies as they stand, and what users say of them.",
  feed: "The feed of anomalous fingerprints.",
  tokens: "Who may do what.",
  audit: "Who did what.",
};

function tagOf(path: string): string {
  const parts = path.split("/");
  const part = parts[parts[2] === "sites" ? 4 : 2] ?? "service";
  return part.startsWith("feed") ? "feed" : part in TAGS ? part : "service";
}

/** The whole document. */
export function openapiDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const route of [...routes, openapiRoute]) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "HelloTide",
      version: VERSION,
      description:
        "Which TLS clients behave strangely on a site, while it happens, and how that compares with the rest of the Internet. Answers never hold null: what cannot be computed has no key.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "This server." }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "Scopes: ingest, read, feed, write, admin." },
        access: {
          type: "apiKey",
          in: "header",
          name: "Cf-Access-Jwt-Assertion",
          description: "Cloudflare Access, where it is configured.",
        },
      },
      schemas: namedSchemas(),
    },
  };
}

let document: string | undefined;

export const openapiRoute: Route = {
  method: "GET",
  path: "/openapi.json",
  scope: undefined,
  operationId: "getOpenapi",
  summary: "This document.",
  answers: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.string() }) } },
  handle: () => {
    document ??= JSON.stringify(openapiDocument());
    return new Response(document, {
      headers: { "content-type": "application/json", "cache-control": "max-age=300" },
    });
  },
};
