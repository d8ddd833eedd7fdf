/** /asyncapi.json: linted by the specification's own parser, and held against what the feed really sends. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lintAsyncApi } from "../../scripts/lib/asyncapi-lint.ts";
import { type Client, createClient } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type FeedEvent, openFeed } from "../support/stream.ts";
import { putRule, raiseEach, rule } from "./helpers/rules.ts";

const SITE = "shop";
const ROOT = "https://hellotide.test/asyncapi.json";

interface Document {
  readonly servers: Readonly<Record<string, { readonly host: string; readonly protocol: string }>>;
  readonly components: {
    readonly messages: Readonly<Record<string, object>>;
    readonly schemas: Readonly<Record<string, { readonly properties: { readonly type?: object } }>>;
  };
}

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

/** Why a frame is not as its message says; empty when it is. */
function faultsOf(frame: Readonly<Record<string, unknown>>): string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: ROOT, ...document });
  const named = Object.entries(document.components.schemas).filter(([, { properties }]) =>
    JSON.stringify(properties.type ?? {}).includes(JSON.stringify(frame.type)),
  );
  if (named.length !== 1) return [`${String(frame.type)} is described ${named.length} times`];
  const validate = ajv.compile({ $ref: `${ROOT}#/components/schemas/${named[0]?.[0]}` });
  const fits: boolean = validate(frame);
  return fits ? [] : [`${String(frame.type)}: ${ajv.errorsText(validate.errors)}`];
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
});
