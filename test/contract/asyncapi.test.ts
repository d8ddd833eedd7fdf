/** /asyncapi.json: linted by the specification's own parser, and held against what the feed really sends. */
import { randomBytes } from "node:crypto";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Unpackr } from "msgpackr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testEvent } from "../../durable-objects/webhook-wiring.ts";
import { lintAsyncApi } from "../../scripts/lib/asyncapi-lint.ts";
import type { Random } from "../../src/base/random.ts";
import { bodyOf, type ToldEvent } from "../../src/webhooks/format.ts";
import { makeSecret, signedHeaders } from "../../src/webhooks/signature.ts";
import { EVENT_TYPES } from "../../src/wire/event.ts";
import { type Client, createClient } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type FeedEvent, openFeed } from "../support/stream.ts";
import { putRule, raiseEach, rule } from "./helpers/rules.ts";

const SITE = "shop";
const ROOT = "https://hellotide.test/asyncapi.json";

interface Reference {
  readonly $ref: string;
}
interface Message {
  readonly contentType: string;
  readonly payload: Reference;
  readonly headers?: object;
}
type Named<T> = Readonly<Record<string, T>>;
interface Document {
  readonly servers: Named<{ readonly host: string; readonly protocol: string }>;
  readonly channels: Named<{
    readonly messages: Named<Reference>;
    readonly bindings?: { readonly ws?: { readonly query: { readonly properties: object } } };
  }>;
  readonly components: {
    readonly messages: Named<Message>;
    readonly schemas: Named<{ readonly properties: { readonly type?: object } }>;
  };
}
const QUERY = ["since", "kind", "type", "ja4", "min_score", "min_severity", "silenced", "ticket"];

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let document: Document;

beforeAll(async () => {
  server = await startServer({ sites: [SITE], env: { TICK: "1s" } });
  client = createClient(server);
  const answer = await client.get("/asyncapi.json", { token: null });
  expect(answer.status).toBe(200);
  document = answer.json<Document>();
}, 30_000);
afterAll(() => server?.stop());

const lastOf = (text: string): string => text.split("/").at(-1) ?? "";

/** The messages of a channel. */
function messagesOf(channel: string): Message[] {
  const references = Object.values(document.channels[channel]?.messages ?? {});
  return references.map(({ $ref }) => document.components.messages[lastOf($ref)] as Message);
}

/** The one message of a channel that describes frames of this type; a text says why there is none. */
function messageOf(channel: string, type: unknown): Message | string {
  const found = messagesOf(channel).filter(({ payload }) => {
    const schema = document.components.schemas[lastOf(payload.$ref)];
    return JSON.stringify(schema?.properties.type ?? {}).includes(JSON.stringify(type));
  });
  return found.length === 1 ? (found[0] as Message) : `${String(type)} is described ${found.length} times`;
}

function faultsBy(schema: object, value: unknown): string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: ROOT, ...document });
  const validate = ajv.compile(schema);
  return validate(value) ? [] : [ajv.errorsText(validate.errors)];
}

/** Why a frame is not as its message says; empty when it is. */
function faultsOf(frame: Readonly<Record<string, unknown>>, channel = "feed"): string[] {
  const message = messageOf(channel, frame.type);
  if (typeof message === "string") return [message];
  const faults = faultsBy({ $ref: `${ROOT}${message.payload.$ref}` }, frame);
  return faults.map((fault) => `${String(frame.type)}: ${fault}`);
}

describe("the AsyncAPI document", () => {
  it("ASY-1: is served without a token, names this server, and the parser has nothing to say", async () => {
    expect(document.servers.this).toMatchObject({ host: new URL(server.url).host, protocol: "ws" });
    expect((await lintAsyncApi(document)).output).toBe("");
    // The control: a message that is not there is found.
    const { hello: _, ...messages } = document.components.messages;
    const broken = { ...document, components: { ...document.components, messages } };
    expect((await lintAsyncApi(broken)).ok).toBe(false);
  });

  it("ASY-2: every frame of a session is as its message says", async () => {
    await putRule(client, SITE, rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }));
    const feed = await openFeed(server, SITE);
    await raiseEach(client, SITE, feed, 1, 2);
    feed.send("garbage");
    feed.send(JSON.stringify({ type: "ping" }));
    await feed.waitUntil("error and pong", (one) => one.events.some(({ type }) => type === "pong"));
    const types = new Set(feed.events.map(({ type }) => type));
    expect(types).toEqual(
      new Set(["hellotide.feed.hello", "hellotide.threshold.raised", "hellotide.feed.error", "pong"]),
    );
    expect(feed.events.flatMap((event) => faultsOf({ ...event }))).toEqual([]);
    // The controls: a member too few, a type that nobody describes.
    const { specversion: _, ...torn } = feed.events[0] as FeedEvent;
    expect(faultsOf(torn)).not.toEqual([]);
    expect(faultsOf({ ...feed.events[0], type: "hellotide.feed.new" })).not.toEqual([]);
    feed.close();
  }, 30_000);

  it("ASY-3: every type of an event has one message in every channel that carries it", () => {
    const own = ["hello", "checkpoint", "gap", "error"].map((name) => `hellotide.feed.${name}`);
    const found = (channel: string, types: readonly string[]) =>
      types.map((type) => messageOf(channel, type)).filter((message) => typeof message === "string");
    for (const channel of ["feed", "feedPacked", "feedStream"]) {
      expect(found(channel, [...EVENT_TYPES, ...own]), channel).toEqual([]);
    }
    expect(found("webhook", EVENT_TYPES)).toEqual([]);
    expect(found("webhook", own)).toHaveLength(own.length);
    for (const channel of ["feed", "feedPacked"]) {
      expect(Object.keys(document.channels[channel]?.bindings?.ws?.query.properties ?? {})).toEqual(QUERY);
    }
  });

  it("ASY-4: binary frames of the other subprotocol are as its messages say", async () => {
    const feed = await openFeed(server, SITE, { query: "since=0", protocols: ["cloudevents.msgpack"] });
    await feed.waitUntil("hello and an event", ({ binaries }) => binaries.length >= 2);
    const frames = feed.binaries.map((bytes) => unpacked(bytes));
    expect(frames.flatMap((frame) => faultsOf(frame, "feedPacked"))).toEqual([]);
    const types = new Set(frames.map(({ type }) => messageOf("feedPacked", type)));
    expect([...types].map((message) => typeof message !== "string" && message.contentType)).toEqual([
      "application/msgpack",
      "application/msgpack",
    ]);
    feed.close();
  }, 30_000);

  it("ASY-5: a webhook's body and headers are as its message says, for an event that was really sent", async () => {
    const feed = await openFeed(server, SITE, { query: "since=0" });
    const event = await feed.waitFor("an event", ({ sequence }) => sequence !== undefined);
    feed.close();
    const message = messageOf("webhook", event.type);
    if (typeof message === "string") throw new Error(message);
    const { contentType, text } = bodyOf("cloudevents", event as unknown as ToldEvent, undefined);
    expect(contentType.split(";")[0]).toBe(message.contentType);
    expect(faultsOf(JSON.parse(text) as FeedEvent & Record<string, unknown>, "webhook")).toEqual([]);
    const random: Random = (bytes) => new Uint8Array(randomBytes(bytes.length));
    const secrets = [makeSecret(random), makeSecret(random)];
    const headers = await signedHeaders({ id: event.id, timestampS: 1_700_000_000, body: text }, secrets);
    expect(faultsBy(message.headers ?? {}, headers)).toEqual([]);
    // The control.
    const { "webhook-id": _, ...unnamed } = headers;
    expect(faultsBy(message.headers ?? {}, unnamed)).not.toEqual([]);
    expect(faultsBy(message.headers ?? {}, { ...headers, "webhook-signature": "v2,x" })).not.toEqual([]);
  }, 30_000);

  it("FD-10: the message that tries a webhook is as its message says, and of no other channel", () => {
    const { text } = bodyOf("cloudevents", testEvent(SITE, Date.now()), undefined);
    const said = JSON.parse(text) as FeedEvent & Record<string, unknown>;
    expect(faultsOf(said, "webhook")).toEqual([]);
    expect(faultsOf(said, "feed")).not.toEqual([]);
    expect(faultsOf({ ...said, data: { ...said.data, kind: "surge" } }, "webhook")).not.toEqual([]);
  });
});

function unpacked(bytes: Uint8Array): Record<string, unknown> {
  return new Unpackr({ useRecords: false }).unpack(bytes) as Record<string, unknown>;
}
