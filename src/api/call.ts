/** One API call on its way through the router, and how routes are described. */
import type * as z from "zod/mini";
import type { Log } from "../base/log.ts";
import type { Channels } from "../edge/channels.ts";
import type { Peers } from "../edge/peers.ts";
import type { UserAgentClassifier } from "../edge/user-agent.ts";
import type { Options, Scope } from "../options.ts";
import type { AccessKeys } from "./access.ts";
import type { Principal } from "./auth.ts";
import type { Credentials } from "./credentials.ts";
import type { Objects, SiteObjects } from "./objects.ts";
import type { RateLimits } from "./rate-limit.ts";

export interface Services {
  options: Options;
  objects: Objects;
  agents: UserAgentClassifier;
  peers: Peers;
  channels: Channels;
  credentials: Credentials;
  /** Absent = Cloudflare Access is not configured. */
  access: AccessKeys | undefined;
  limits: RateLimits;
  /** The dashboard's files; absent = there is none. */
  assets: ((request: Request) => Promise<Response>) | undefined;
  /** In [0, 1). */
  random(): number;
  /** Waits that many ms, and rejects when `signal` aborts; the platform's `scheduler.wait`. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  log: Log;
}

export interface Call extends Services {
  request: Request;
  url: URL;
  /** Path values, percent-decoded. */
  params: Record<string, string>;
  principal: Principal;
  /** The id that answers name as `instance`, and log lines and the audit record too. */
  requestId: string;
  /** The path's site; empty on routes without one. */
  site: string;
  /** The objects of that site. */
  at: SiteObjects;
}

export interface Parameter {
  name: string;
  in: "query" | "header";
  description: string;
  /** Absent = it may be left out. */
  required?: boolean;
  schema: z.ZodMiniType;
}

/** The documented parameters of a query's schema, one for each member. */
export function queryParameters<Shape extends Record<string, z.ZodMiniType>>(
  shape: Shape,
  descriptions: Record<keyof Shape & string, string>,
): Parameter[] {
  return Object.entries(shape).map(([name, schema]) => ({
    name,
    in: "query",
    description: descriptions[name]!,
    schema,
  }));
}

/** A successful answer; one of JSON has a schema, others have one by media type. */
export interface RouteAnswer {
  description: string;
  schema?: z.ZodMiniType;
  content?: Record<string, z.ZodMiniType>;
}

/** A route: what the router runs and what the OpenAPI document says, in one place. */
export interface Route {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** itty-router's form, such as `/v1/sites/:site/summary`. */
  path: string;
  /** `undefined` = answers without a token; `any` = every valid token. */
  scope: Scope | "any" | undefined;
  /** Lets in who has another proof than a token (the feed's tickets); `undefined` = there is none. */
  admits?: (call: Omit<Call, "principal">) => Promise<Principal | undefined>;
  operationId: string;
  summary: string;
  parameters?: Parameter[];
  /**
   * How the audit record names it. By default every route that needs `write` or `admin` and is no GET is recorded under its
   * operationId: `putThreshold` → `threshold.put`. False = it changes nothing.
   */
  audit?: string | false;
  /** Body schemas by media type. */
  body?: Record<string, z.ZodMiniType>;
  /** A body that is accepted, for readers of the document; for generators, which cannot guess what belongs together. */
  example?: unknown;
  /** Whether no body at all will do, too. */
  optionalBody?: true;
  /** Schema of the successful answers by status; `undefined` = no body. */
  answers: Record<number, RouteAnswer>;
  /** Problem statuses beyond those that every route has. */
  problems?: number[];
  handle(call: Call): Promise<Response> | Response;
}

/** Whether requests count against the caller's rate limit: ingest and the feed have limits of their own. */
export function isLimited({ scope }: Route): boolean {
  return scope !== undefined && scope !== "ingest" && scope !== "feed";
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}
