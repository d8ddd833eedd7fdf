/** The feed's door (contract §6): token or ticket, Origin, upgrade, query; then the feed object takes the socket. */
import * as z from "zod/mini";
import { TICKET_LIVE_MS } from "../base/feed-limits.ts";
import { hex, sha256 } from "../base/hash.ts";
import { Problem, unavailable } from "../base/problem.ts";
import { secret } from "../base/random.ts";
import { rfc3339 } from "../base/time.ts";
import { parseCursor } from "../feed/cursor.ts";
import { type FeedFilter, SEVERITIES } from "../feed/filter.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../feed/membership.ts";
import { acceptsSse } from "../feed/sse.ts";
import { feedPosition, ja4Glob, namesOf } from "../schemas/common.ts";
import { feedTicket } from "../schemas/feed.ts";
import { EVENT_KINDS, EVENT_TYPES } from "../wire/event.ts";
import { anonymous, type Principal, unauthorized } from "./auth.ts";
import { type Call, json, type Parameter, queryParameters, type Route } from "./call.ts";
import { futureCursor } from "./cursor.ts";
import { eventStream, type Upstream } from "./feed-stream.ts";
import { SUBSCRIPTION_HEADER, type Subscription } from "./objects.ts";
import { validateQuery } from "./validate.ts";

export const FEED_PATH = "/v1/sites/:site/feed";

const feedQuery = z.object({
  since: z.optional(feedPosition),
  kind: z.optional(namesOf(EVENT_KINDS)),
  type: z.optional(namesOf(EVENT_TYPES)),
  ja4: z.optional(ja4Glob),
  min_score: z.optional(z.coerce.number().check(z.gte(0), z.lte(30))),
  min_severity: z.optional(z.enum(SEVERITIES)),
  silenced: z.optional(z.enum(["true", "false"])),
  ticket: z.optional(z.string()),
});
const DESCRIPTIONS = {
  since: "Cursor after which events are wanted; `0` = all that is kept, absent = live.",
  kind: "Kinds, with commas between.",
  type: "Event types, with commas between.",
  ja4: "A glob that knows `*` only.",
  min_score: "Hides events with a lower score; those without one stay.",
  min_severity: "Hides events of lower severity.",
  silenced: "Whether silenced anomalies are shown too.",
  ticket: "A ticket instead of a token, for browsers.",
};

export const feedParameters = queryParameters(feedQuery.shape, DESCRIPTIONS);
const LAST_EVENT_ID = "last-event-id";
const lastEventId: Parameter = {
  name: "Last-Event-ID",
  in: "header",
  description: "Of server-sent events: the last `id:` received. It is newer than `since` and wins over it.",
  schema: z.string(),
};

export const feedRoutes: Route[] = [
  {
    method: "GET",
    path: FEED_PATH,
    scope: "feed",
    admits: useTicket,
    operationId: "openFeed",
    summary:
      "Anomalous fingerprints as CloudEvents: a WebSocket, or server-sent events where they are accepted.",
    parameters: [...feedParameters, lastEventId],
    answers: {
      200: {
        description: "Server-sent events, when there is no upgrade and `Accept` names them.",
        content: { "text/event-stream": z.string() },
      },
      101: { description: "The feed; subprotocols `cloudevents.json` (default) and `cloudevents.msgpack`." },
    },
    problems: [400, 426, 503],
    handle: open,
  },
  {
    method: "POST",
    path: `${FEED_PATH}-tickets`,
    scope: "feed",
    operationId: "createFeedTicket",
    summary: "A ticket that opens the feed once within 30 s, for clients that cannot send headers.",
    answers: { 201: { description: "The ticket.", schema: feedTicket } },
    problems: [503],
    handle: createTicket,
  },
];

async function createTicket({ at, site, principal }: Call): Promise<Response> {
  const ticket = secret((bytes) => crypto.getRandomValues(bytes));
  const expiresMs = Date.now() + TICKET_LIVE_MS;
  await at.feed().addTicket(hex(await sha256(ticket)), expiresMs, principal.proof);
  const location = `/v1/sites/${site}/feed?ticket=${ticket}`;
  return json({ ticket, expires_at: rfc3339(expiresMs) }, 201, { location });
}

/** A ticket is used up by the first try, whatever becomes of it. What it opens ends with the token that made it. */
async function useTicket({ url, at, site }: Omit<Call, "principal">): Promise<Principal | undefined> {
  const ticket = url.searchParams.get("ticket");
  if (ticket === null) return undefined;
  const used = await at.feed().useTicket(hex(await sha256(ticket)));
  if (used === false) throw unauthorized("The ticket is not known, used or expired.");
  return { ...anonymous("ticket", [site]), ...used };
}

async function open(call: Call): Promise<Response> {
  const { request, url, options } = call;
  const origin = request.headers.get("origin");
  const own = [url.origin, ...options.allowedOrigins, options.publicUrl];
  if (origin !== null && !own.includes(origin.toLowerCase())) {
    throw new Problem(
      403,
      "origin",
      "This Origin may not open the feed; ALLOWED_ORIGINS lists those that may.",
    );
  }
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") return openSocket(call);
  if (acceptsSse(request.headers.get("accept"))) return openStream(call);
  throw new Problem(426, "upgrade", "The feed is a WebSocket, or with Accept: text/event-stream a stream.", {
    headers: { upgrade: "websocket", connection: "Upgrade" },
  });
}

function openSocket(call: Call): Promise<Response> {
  const protocol = chosenProtocol(call.request);
  return subscribe(call, subscriptionOf(call.url.searchParams, protocol ?? SUBPROTOCOLS[0]), protocol);
}

async function openStream(call: Call): Promise<Response> {
  const { request, url, wait } = call;
  const asked = subscriptionOf(url.searchParams, "cloudevents.json");
  const last = request.headers.get(LAST_EVENT_ID) ?? "";
  const lastSequence = parseCursor(last);
  if (last !== "" && lastSequence === undefined)
    throw new Problem(400, "last_event_id", "Header Last-Event-ID: not a cursor.");
  const subscription = { ...asked, ...(lastSequence === undefined ? {} : { since: lastSequence }) };
  // A member of the platform's own Response, which tests outside of it do not know.
  const { webSocket } = (await subscribe(call, subscription, undefined)) as { webSocket?: Upstream | null };
  if (!webSocket) throw unavailable("The feed does not answer now.");
  const origin = request.headers.get("origin");
  return new Response(eventStream(webSocket, wait, request.signal), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // A browser gives a page of another origin nothing without; this one was checked.
      ...(origin === null ? {} : { "access-control-allow-origin": origin, vary: "Origin" }),
    },
  });
}

/** The feed object's answer: a socket, 101. Throws 400 for a cursor of the future, 401 when the token has ended. */
async function subscribe(
  { at, url, principal }: Call,
  asked: Subscription,
  protocol: Subprotocol | undefined,
): Promise<Response> {
  const { proof } = principal;
  const subscription: Subscription = { ...asked, ...(proof === undefined ? {} : { proof }) };
  const headers = new Headers({ upgrade: "websocket", [SUBSCRIPTION_HEADER]: JSON.stringify(subscription) });
  if (protocol !== undefined) headers.set("sec-websocket-protocol", protocol);
  const response = await at.feed().fetch(new Request(url.origin, { headers }));
  if (response.status === 400) throw futureCursor("The cursor");
  if (response.status === 401) throw unauthorized("The token was revoked or has expired.");
  return response;
}

function subscriptionOf(query: URLSearchParams, protocol: Subprotocol): Subscription {
  const asked = validateQuery(feedQuery, query);
  const filter: FeedFilter = {
    ...(asked.kind === undefined ? {} : { kinds: asked.kind.split(",") }),
    ...(asked.type === undefined ? {} : { types: asked.type.split(",") }),
    ...(asked.ja4 === undefined ? {} : { ja4: asked.ja4 }),
    ...(asked.min_score === undefined ? {} : { minScore: asked.min_score }),
    ...(asked.min_severity === undefined ? {} : { minSeverity: asked.min_severity }),
    ...(asked.silenced === "true" ? { silenced: true } : {}),
  };
  return { ...(asked.since === undefined ? {} : { since: Number(asked.since) }), filter, protocol };
}

/** The first offered subprotocol that we speak; `undefined` when none was offered. Throws 400 for others only. */
function chosenProtocol(request: Request): Subprotocol | undefined {
  const offered = request.headers.get("sec-websocket-protocol");
  if (offered === null) return undefined;
  for (const name of offered.split(",")) {
    const known = SUBPROTOCOLS.find((protocol) => protocol === name.trim());
    if (known !== undefined) return known;
  }
  throw new Problem(400, "subprotocol", `The subprotocols are ${SUBPROTOCOLS.join(" and ")}.`);
}
