/** The feed as server-sent events, over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type FeedEvent, feedPath, openFeed, stored } from "../support/stream.ts";
import { putRule, raiseEach, rule } from "./helpers/rules.ts";

const SITE = "shop";
const WAIT_MS = 10_000;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let past: FeedEvent[];

beforeAll(async () => {
  server = await startServer({ sites: [SITE], env: { TICK: "1s" } });
  client = createClient(server);
  await putRule(client, SITE, rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }));
  const feed = await openFeed(server, SITE, { query: "since=0" });
  await raiseEach(client, SITE, feed, 1, 3);
  past = stored(feed);
  feed.close();
}, 40_000);
afterAll(() => server?.stop());

interface Message {
  id: string | undefined;
  event: string | undefined;
  data: FeedEvent;
}

function ask(query: string, headers: Record<string, string> = {}, token: string | null = server.token) {
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return fetch(new URL(feedPath(SITE, query), server.url), {
    headers: { accept: "text/event-stream", ...authorization, ...headers },
    signal: AbortSignal.timeout(WAIT_MS),
  });
}

/** The first `count` messages of a stream. */
async function messages(answer: Response, count: number): Promise<Message[]> {
  let text = "";
  const found: Message[] = [];
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      const data = fields.get("data");
      if (data === undefined) continue;
      found.push({ id: fields.get("id"), event: fields.get("event"), data: JSON.parse(data) as FeedEvent });
    }
    if (found.length >= count) break;
  }
  return found.slice(0, count);
}

describe("server-sent events", () => {
  it("SSE-1: hello, then the events of the WebSocket with their sequence and type, past and live", async () => {
    const answer = await ask("since=0");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const watcher = await openFeed(server, SITE);
    await raiseEach(client, SITE, watcher, 10, 1);
    const [hello, ...events] = await messages(answer, 5);
    expect(hello?.event).toBe("hellotide.feed.hello");
    expect(events.map(({ data }) => data)).toEqual([...past, ...stored(watcher)]);
    for (const { id, event, data } of events) expect([id, event]).toEqual([data.sequence, data.type]);
    watcher.close();
  }, 30_000);

  it("SSE-2: Last-Event-ID resumes exactly after it, whatever `since` says", async () => {
    const answer = await ask("since=0", { "last-event-id": past[1]!.sequence! });
    const [, first] = await messages(answer, 2);
    expect(first?.data).toEqual(past[2]);
  });

  it("SSE-2: one of the future, or none at all, is 400", async () => {
    for (const id of ["9000000000000000", "x"])
      expect((await ask("", { "last-event-id": id })).status).toBe(400);
  });

  it("SSE-3: 426 without Accept; 401 without a token; a ticket opens it once", async () => {
    expect((await ask("", { accept: "application/json" })).status).toBe(426);
    expect((await ask("", {}, null)).status).toBe(401);
    const { ticket } = (await client.post(`/v1/sites/${SITE}/feed-tickets`)).json<{ ticket: string }>();
    const query = `ticket=${encodeURIComponent(ticket)}&since=0`;
    const [, first] = await messages(await ask(query, {}, null), 2);
    expect(first?.data).toEqual(past[0]);
    expect((await ask(query, {}, null)).status).toBe(401);
  });
});
