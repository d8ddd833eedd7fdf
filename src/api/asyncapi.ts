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
  thresholdEvent,
} from "../schemas/feed.ts";
import type { Route } from "./call.ts";
import { FEED_PATH, feedParameters } from "./feed.ts";
import { type Json, namedSchemas, plain } from "./json-schema.ts";

/** What the server sends, and in what order a client first meets it. */
const SENT = {
  hello: helloEvent,
  anomaly: anomalyEvent,
  threshold: thresholdEvent,
  checkpoint: checkpointEvent,
  gap: gapEvent,
  error: errorEvent,
  pong: pongFrame,
};
const RECEIVED = { ack: ackFrame, ping: pingFrame };

/** `server`: where it is served, such as `http://127.0.0.1:8787`. */
export function asyncapiDocument(server: string): Json {
  const { host, protocol } = new URL(server);
  const messages = { ...SENT, ...RECEIVED };
  const refs = (names: object, base: string) =>
    Object.keys(names).map((name) => ({ $ref: `${base}/${name}` }));
  const schemas = namedSchemas();
  return {
    asyncapi: "3.0.0",
    info: {
      title: "HelloTide feed",
      version: VERSION,
      description: [
        "Anomalous TLS fingerprints of a site as CloudEvents 1.0, over a WebSocket or as Server-Sent Events.",
        `Stored events carry a \`sequence\`, strictly increasing in a site: the cursor to resume with (\`since\`, or \`Last-Event-ID\`). Frames of the type \`hellotide.feed.*\` are about the connection and carry none.`,
        `Over WebSocket the subprotocol \`cloudevents.json\` (the default) has text frames, \`cloudevents.msgpack\` the same maps as MessagePack in binary frames; clients' frames are JSON text of at most ${FEED_CLIENT_FRAME_MAX_BYTES} bytes in both. With \`Accept: text/event-stream\` each event is \`id:\` (its sequence), \`event:\` (its type) and \`data:\` (the JSON). A client is expected to be heard of every ${FEED_HEARTBEAT_S} s.`,
      ].join("\n\n"),
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    servers: {
      this: {
        host,
        protocol: protocol === "https:" ? "wss" : "ws",
        description: "This server.",
        security: [
          { $ref: "#/components/securitySchemes/token" },
          { $ref: "#/components/securitySchemes/ticket" },
        ],
      },
    },
    channels: {
      feed: {
        address: FEED_PATH.replace(/:(\w+)/g, "{$1}"),
        title: "The feed of one site",
        servers: [{ $ref: "#/servers/this" }],
        parameters: { site: { description: "Name of the site." } },
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { method: "GET", query: queryOf(), bindingVersion: "0.1.0" } },
      },
    },
    operations: {
      sendEvents: {
        action: "send",
        channel: { $ref: "#/channels/feed" },
        summary: "Events, and frames about the connection.",
        messages: refs(SENT, "#/channels/feed/messages"),
      },
      receiveFrames: {
        action: "receive",
        channel: { $ref: "#/channels/feed" },
        summary: "Signs of life: what a client has taken, or a ping.",
        messages: refs(RECEIVED, "#/channels/feed/messages"),
      },
    },
    components: {
      messages: Object.fromEntries(
        Object.entries(messages).map(([name, schema]) => [name, messageOf(name, schema, schemas)]),
      ),
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
        Object.values(messages).map((schema) => plain(schema)),
        schemas,
      ),
    },
  };
}

function messageOf(name: string, schema: z.ZodMiniType, schemas: Json): Json {
  const payload = plain(schema);
  const id = String(payload.$ref).split("/").at(-1)!;
  const { description } = schemas[id] as { description?: string };
  return { name, title: id, summary: description, contentType: "application/json", payload };
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
