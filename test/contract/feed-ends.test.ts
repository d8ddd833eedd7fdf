/** Connections of the feed end with the token that opened them; checkpoints on the real engine. */
import { Unpackr } from "msgpackr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ja4Of } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, type FeedEvent, feedPath, openFeed } from "../support/stream.ts";
import { putRule, raiseEach, rule, settle } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITE = "shop";
const REVOKED_MS = 60_000;
const SOON_MS = 6_000;
const soon = tokenOf("soon", ["feed"], [SITE], new Date(Date.now() + 20_000).toISOString());
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({
    sites: [SITE, "api", "hidden"],
    env: { TICK: "1s", API_TOKENS: apiTokens([soon]) },
  });
  client = createClient(server);
  await putRule(
    client,
    "hidden",
    rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }),
  );
}, 30_000);
afterAll(() => server?.stop());

interface Made {
  id: string;
  token: string;
}

async function make(more: object = {}): Promise<Made> {
  const wanted = { name: "reader", scopes: ["feed"], sites: [SITE], ...more };
  const answer = await client.post("/v1/tokens", { json: wanted });
  expect(answer.status, answer.text).toBe(201);
  return answer.json<Made>();
}

const rotate = async ({ id }: Made, overlap: string): Promise<Made> =>
  (await client.post(`/v1/tokens/${id}/rotate`, { json: { overlap } })).json<Made>();

async function opened(token: string | null, query = "", site = SITE): Promise<Feed> {
  const feed = await openFeed(server, site, { token, query });
  // The local engine ends the TCP connection of a client that never sent anything only with the object's memory, so that the
  // close frame is there at once and the client's event ten seconds later.
  feed.send("ping");
  await feed.waitUntil("hello and pong", ({ events, texts }) => events.length > 0 && texts.length > 0);
  return feed;
}

async function withTicket(token: string): Promise<Feed> {
  const answer = await client.post(`/v1/sites/${SITE}/feed-tickets`, { token });
  return opened(null, `ticket=${answer.json<{ ticket: string }>().ticket}`);
}

/** A stream, and its whole text once it has ended. */
async function stream(token: string, query = "", site = SITE) {
  const answer = await fetch(new URL(feedPath(site, query), server.url), {
    headers: { accept: "text/event-stream", authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(REVOKED_MS),
  });
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  return { reader, first: (await reader.read()).value ?? "" };
}

async function rest(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
  }
}

/** A round trip through the feed object: what is open answers. */
async function stillOpen(feed: Feed): Promise<void> {
  await settle(feed);
  feed.close();
}

describe("a revoked token", () => {
  it("FD-6: closes its sockets with 4401, those of its tickets and its event streams too; another token's stay", async () => {
    const [gone, other] = [await make(), await make({ sites: ["*"] })];
    const [socket, ticketed, events] = [
      await opened(gone.token),
      await withTicket(gone.token),
      await stream(gone.token),
    ];
    const [control, ticketedControl] = [await opened(other.token), await withTicket(other.token)];
    const revokedMs = Date.now();
    expect((await client.delete(`/v1/tokens/${gone.id}`)).status).toBe(204);
    expect([(await socket.closed).code, (await ticketed.closed).code]).toEqual([4401, 4401]);
    await rest(events.reader);
    expect(Date.now() - revokedMs).toBeLessThan(REVOKED_MS);
    await stillOpen(control);
    await stillOpen(ticketedControl);
  }, 90_000);

  it("FD-6: one of every site closes them on each", async () => {
    const gone = await make({ sites: ["*"] });
    const feeds = await Promise.all([SITE, "api"].map((site) => opened(gone.token, "", site)));
    expect((await client.delete(`/v1/tokens/${gone.id}`)).status).toBe(204);
    for (const feed of feeds) expect((await feed.closed).code).toBe(4401);
  }, 90_000);
});

describe("a rotated token", () => {
  it("FD-7: the secret of before closes its sockets when it ends, at once without an overlap; the new one's stay", async () => {
    const first = await make();
    const old = await opened(first.token);
    const second = await rotate(first, "0s");
    expect((await old.closed).code).toBe(4401);
    const socket = await opened(second.token);
    const rotatedMs = Date.now();
    const third = await rotate(second, "3s");
    const newest = await opened(third.token);
    const late = await opened(second.token);
    expect([(await socket.closed).code, (await late.closed).code]).toEqual([4401, 4401]);
    expect(Date.now() - rotatedMs).toBeGreaterThanOrEqual(3_000);
    await stillOpen(newest);
  }, 90_000);
});

describe("an expired token", () => {
  it("FD-8: closes its sockets with 4401 at its time, a configured one's and a ticket's too", async () => {
    const expiresMs = Date.now() + SOON_MS;
    const made = await make({ expires_at: new Date(expiresMs).toISOString() });
    const feeds = [await opened(made.token), await withTicket(made.token)];
    const configured = await opened(soon.token);
    for (const feed of feeds) expect((await feed.closed).code).toBe(4401);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresMs);
    expect((await configured.closed).code).toBe(4401);
  }, 90_000);
});

describe("checkpoints", () => {
  it("FD-2: say how far hidden events went, in both subprotocols and as server-sent events whose id goes on", async () => {
    const watcher = await openFeed(server, "hidden");
    const query = "kind=surge";
    const json = await openFeed(server, "hidden", { query });
    const binary = await openFeed(server, "hidden", { query, protocols: ["cloudevents.msgpack"] });
    const events = await stream(server.token, query, "hidden");
    await raiseEach(client, "hidden", watcher, 1, 1);
    const cursor = watcher.events.at(-1)?.sequence;
    const isCheckpoint = ({ type }: FeedEvent) => type === "hellotide.feed.checkpoint";
    const said = await json.waitFor("a checkpoint", isCheckpoint);
    expect(said.data).toEqual({ cursor });
    expect("sequence" in said).toBe(false);
    await binary.waitUntil("two frames", ({ binaries }) => binaries.length >= 2);
    const unpackr = new Unpackr({ useRecords: false, int64AsType: "number" });
    expect(unpackr.unpack(binary.binaries[1]!)).toMatchObject({ type: said.type, data: { cursor } });
    let text = events.first;
    while (!text.includes(said.type)) text += (await events.reader.read()).value;
    expect(text).toContain(`id: ${cursor}\nevent: ${said.type}\n`);
    const resumed = await openFeed(server, "hidden", { query: `since=${said.data.cursor}` });
    await raiseEach(client, "hidden", resumed, 2, 1);
    expect(resumed.events.map(({ subject }) => subject)).toEqual([undefined, ja4Of(2)]);
    await events.reader.cancel();
    for (const feed of [watcher, json, binary, resumed]) feed.close();
  }, 40_000);
});
