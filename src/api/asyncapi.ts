/**
 * The AsyncAPI 3 document of the feed (https://www.asyncapi.com/docs/reference/specification/v3.0.0), made from the same
 * schemas as the OpenAPI document. In it the server is the application: it sends events and receives clients' frames.
 */
import * as z from "zod/mini";
import { FEED_CLIENT_FRAME_MAX_BYTES, FEED_HEARTBEAT_S } from "../base/feed-limits.ts";
import { VERSION } from "../config.ts";
import {
  ackFrame,
  anomalyEvent,
  checkpointEvent,
  errorEvent,
  gapEvent,
  helloEvent,
  pingFrame,
  pongFrame,
  siteEvent,
  thresholdEvent,
  webhookTestEvent,
} from "../schemas/feed.ts";
import type { Route } from "./call.ts";
import { FEED_PATH, feedParameters } from "./feed.ts";
import { type Json, namedSchemas, plain } from "./json-schema.ts";

type Schemas = Readonly<Record<string, z.ZodMiniType>>;

/** What is kept, and also told by webhooks. */
const STORED: Schemas = { anomaly: anomalyEvent, threshold: thresholdEvent, site: siteEvent };
/** What webhooks alone are told. */
const TOLD: Schemas = { test: webhookTestEvent };
/** What the server sends as CloudEvents, in whatever encoding. */
const EVENTS: Schemas = {
  hello: helloEvent,
  ...STORED,
  checkpoint: checkpointEvent,
  gap: gapEvent,
  error: errorEvent,
};
/** JSON text in every subprotocol. */
const PONG: Schemas = { pong: pongFrame };
const RECEIVED: Schemas = { ack: ackFrame, ping: pingFrame };

const JSON_TYPE = "application/json";
/** The media type of MessagePack, as requests have it too (contract §3). */
const PACKED_TYPE = "application/msgpack";
/** CloudEvents HTTP binding 1.0.2, structured mode. */
const WEBHOOK_TYPE = "application/cloudevents+json";

/** Standard Webhooks 1.0.0: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. */
const webhookHeaders = z.object({
  "webhook-id": z.string().check(z.describe("The same for every try: how a repeat is told.")),
  "webhook-timestamp": z
    .string()
    .check(z.regex(/^\d+$/), z.describe("Of this try, seconds since the epoch.")),
  "webhook-signature": z
    .string()
    .check(
      z.regex(/^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$/),
      z.describe("HMAC-SHA-256 of `id.timestamp.body`; two of them while a secret is being rotated."),
    ),
});

/** `server`: where it is served, such as `http://127.0.0.1:8787`. */
export function asyncapiDocument(server: string): Json {
  const { host, protocol } = new URL(server);
  const secure = protocol === "https:";
  const schemas = namedSchemas();
  const address = FEED_PATH.replace(/:(\w+)/g, "{$1}");
  const parameters = { site: { description: "Name of the site." } };
  const security = [
    { $ref: "#/components/securitySchemes/token" },
    { $ref: "#/components/securitySchemes/ticket" },
  ];
  const packed = suffixed(EVENTS, "Packed");
  const webhooks = suffixed({ ...STORED, ...TOLD }, "Webhook");
  return {
    asyncapi: "3.0.0",
    info: {
      title: "HelloTide feed",
      version: VERSION,
      description: [
        "Anomalous TLS fingerprints of a site as CloudEvents 1.0, over a WebSocket or as Server-Sent Events.",
        `Stored events carry a \`sequence\`, strictly increasing in a site: the cursor to resume with (\`since\`, or \`Last-Event-ID\`). Frames of the type \`hellotide.feed.*\` are about the connection and carry none.`,
        `There is one channel for each way to read the feed, all at one address. Clients' frames are JSON text of at most ${FEED_CLIENT_FRAME_MAX_BYTES} bytes, whatever the encoding of the events. A client is expected to be heard of every ${FEED_HEARTBEAT_S} s.`,
      ].join("\n\n"),
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: JSON_TYPE,
    servers: {
      this: { host, protocol: secure ? "wss" : "ws", description: "This server.", security },
      stream: {
        host,
        protocol: secure ? "https" : "http",
        description: "This server, for Server-Sent Events.",
        security,
      },
      receiver: {
        host: "{receiver}",
        protocol: "https",
        description: "Whoever a webhook was made for.",
        variables: { receiver: { description: "Host of the webhook's `url`." } },
      },
    },
    channels: {
      feed: {
        address,
        title: "The feed of one site as JSON",
        description: "Text frames; the subprotocol `cloudevents.json`, which is also meant by none.",
        servers: [{ $ref: "#/servers/this" }],
        parameters,
        messages: messagesOf({ ...EVENTS, ...PONG, ...RECEIVED }),
        bindings: { ws: webSocket("cloudevents.json") },
      },
      feedPacked: {
        address,
        title: "The feed of one site as MessagePack",
        description: "The same maps in binary frames; clients' frames and `pong` stay text.",
        servers: [{ $ref: "#/servers/this" }],
        parameters,
        messages: messagesOf({ ...packed, ...PONG, ...RECEIVED }),
        bindings: { ws: webSocket("cloudevents.msgpack") },
      },
      feedStream: {
        address,
        title: "The feed of one site as Server-Sent Events",
        description:
          "GET with `Accept: text/event-stream`. Each event is `id:` (its sequence), `event:` (its type) and `data:` (the JSON); `Last-Event-ID` resumes. The query is that of the WebSocket.",
        servers: [{ $ref: "#/servers/stream" }],
        parameters,
        messages: messagesOf(EVENTS),
      },
      webhook: {
        // No address: it is the receiver's.
        title: "A webhook of one site, in the format `cloudevents`",
        description:
          "POST to the webhook's `url`, signed. The formats `slack` and `pagerduty` are as those services describe them.",
        servers: [{ $ref: "#/servers/receiver" }],
        messages: messagesOf(webhooks),
      },
    },
    operations: {
      sendEvents: send("feed", "Events, and frames about the connection.", { ...EVENTS, ...PONG }),
      receiveFrames: {
        ...send("feed", "Signs of life: what a client has taken, or a ping.", RECEIVED),
        action: "receive",
      },
      sendPacked: send("feedPacked", "The same events as MessagePack.", { ...packed, ...PONG }),
      receivePackedFrames: {
        ...send("feedPacked", "The same signs of life, as text.", RECEIVED),
        action: "receive",
      },
      streamEvents: send("feedStream", "The same events as Server-Sent Events.", EVENTS),
      callWebhook: {
        ...send("webhook", "Each event that the webhook asks for, again until it is taken.", webhooks),
        bindings: { http: { method: "POST", bindingVersion: "0.3.0" } },
      },
    },
    components: {
      messages: {
        ...described({ ...EVENTS, ...PONG, ...RECEIVED }, JSON_TYPE, schemas),
        ...described(packed, PACKED_TYPE, schemas),
        ...described(webhooks, WEBHOOK_TYPE, schemas, plain(webhookHeaders)),
      },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "A token with the scope `feed`." },
        ticket: {
          type: "httpApiKey",
          in: "query",
          name: "ticket",
          description: "For browsers, which cannot send headers: good once within 30 s.",
        },
      },
      schemas: reachable(
        Object.values({ ...EVENTS, ...TOLD, ...PONG, ...RECEIVED }).map((schema) => plain(schema)),
        schemas,
      ),
    },
  };
}

/** The same messages under names of their own, for another encoding. */
function suffixed(messages: Schemas, suffix: string): Schemas {
  return Object.fromEntries(Object.entries(messages).map(([name, schema]) => [`${name}${suffix}`, schema]));
}

function messagesOf(messages: Schemas): Json {
  return Object.fromEntries(
    Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
  );
}

function send(channel: string, summary: string, messages: Schemas): Json {
  return {
    action: "send",
    channel: { $ref: `#/channels/${channel}` },
    summary,
    messages: Object.keys(messages).map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  };
}

/** The messages themselves; summaries are the schemas' own. */
function described(messages: Schemas, contentType: string, schemas: Json, headers?: Json): Json {
  return Object.fromEntries(
    Object.entries(messages).map(([name, schema]) => {
      const payload = plain(schema);
      const id = String(payload.$ref).split("/").at(-1)!;
      const { description } = schemas[id] as { description?: string };
      const message = { name, title: id, summary: description, contentType, payload };
      return [name, headers === undefined ? message : { ...message, headers }];
    }),
  );
}

/** The upgrade request: https://github.com/asyncapi/bindings/blob/master/websockets/README.md. */
function webSocket(subprotocol: string): Json {
  const headers = {
    type: "object",
    properties: { "Sec-WebSocket-Protocol": { type: "string", const: subprotocol } },
  };
  return { method: "GET", query: queryOf(), headers, bindingVersion: "0.1.0" };
}

/** The query of the upgrade request, which is where a subscription is described. */
function queryOf(): Json {
  const properties = feedParameters.map(({ name, description, schema }) => [
    name,
    { description, ...plain(schema, "input") },
  ]);
  return { type: "object", properties: Object.fromEntries(properties) };
}

/** The named schemas that these lead to. */
function reachable(from: unknown[], schemas: Json): Json {
  const found: Json = {};
  const queue = [JSON.stringify(from)];
  for (const text of queue) {
    for (const [, id] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
      if (id === undefined || id in found) continue;
      found[id] = schemas[id];
      queue.push(JSON.stringify(schemas[id]));
    }
  }
  return found;
}

export const asyncapiRoute: Route = {
  method: "GET",
  path: "/asyncapi.json",
  scope: undefined,
  operationId: "getAsyncapi",
  summary: "The feed's document.",
  answers: { 200: { description: "AsyncAPI 3.0.", schema: z.looseObject({ asyncapi: z.string() }) } },
  handle: ({ url, options }) =>
    new Response(JSON.stringify(asyncapiDocument(options.publicUrl ?? url.origin)), {
      headers: { "content-type": "application/json", "cache-control": "max-age=300" },
    }),
};
