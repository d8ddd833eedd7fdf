/** What the feed refuses: cursors, tickets, origins, client frames. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ja4Of, TIME_PATTERN } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, feedPath, type HandshakeAnswer, handshake, openFeed, stored } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, raiseEach, rule, settle } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SITE = "shop";
const feeder = tokenOf("feeder", ["feed"], [SITE]);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let newest = 0;

beforeAll(async () => {
  server = await startServer({ sites: [SITE, "api"], env: { TICK: "1s", API_TOKENS: apiTokens([feeder]) } });
  client = createClient(server);
  await putRule(client, SITE, rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }));
  const feed = await openFeed(server, SITE, { query: "since=0" });
  await raiseEach(client, SITE, feed, 1, 2);
  newest = Number(stored(feed).at(-1)?.sequence);
  feed.close();
}, 40_000);
afterAll(() => server?.stop());

const shake = (
  query: string,
  headers: Record<string, string> = {},
  token?: string | null,
): Promise<HandshakeAnswer> => handshake(server, feedPath(SITE, query), headers, token);

async function ticket(): Promise<string> {
  const answer = await client.post(`/v1/sites/${SITE}/feed-tickets`, { token: feeder.token });
  expect(answer.status).toBe(201);
  const body = answer.json<{ ticket: string; expires_at: string }>();
  expect(body.expires_at).toMatch(TIME_PATTERN);
  const lifeMs = Date.parse(body.expires_at) - Date.now();
  expect(lifeMs).toBeGreaterThan(20_000);
  expect(lifeMs).toBeLessThanOrEqual(31_000);
  return body.ticket;
}

describe("handshakes", () => {
  it("FEED-20: a cursor past the newest is 400, the newest itself is not", async () => {
    expect((await shake(`since=${newest + 1}`)).status).toBe(400);
    expect((await shake("since=9999999999999999")).status).toBe(400);
    expect((await shake(`since=${newest}`)).status).toBe(101);
  });

  it.each(["since=abc", "since=-1", "since=1.5", "min_score=x", "min_severity=bad"])(
    "FEED-21: %s is 400",
    async (query) => {
      const answer = await shake(query);
      expect(answer.status).toBe(400);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
    },
  );

  it("FEED-22: a ticket opens the feed once, without a token; again, or made up, it is 401", async () => {
    const value = encodeURIComponent(await ticket());
    const feed = await openFeed(server, SITE, { token: null, query: `ticket=${value}&since=0` });
    await feed.waitUntil("the past", (one) => stored(one).length >= 2);
    feed.close();
    for (const used of [value, "made-up", ""]) {
      const answer = await shake(`ticket=${used}`, {}, null);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  it("FEED-23: of four that use one ticket at once, one gets in", async () => {
    const value = encodeURIComponent(await ticket());
    const answers = await Promise.all([1, 2, 3, 4].map(() => shake(`ticket=${value}`, {}, null)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([101, 401, 401, 401]);
  });

  it("FEED-24: a ticket is for its site's feed and nothing else", async () => {
    const value = encodeURIComponent(await ticket());
    expect([401, 403]).toContain(
      (await handshake(server, feedPath("api", `ticket=${value}`), {}, null)).status,
    );
    const read = await client.get(`/v1/sites/${SITE}/summary?ticket=${value}`, { token: null });
    expect(read.status).toBe(401);
  });

  it("FEED-25: a foreign Origin is 403, the server's own and none are let in", async () => {
    for (const origin of ["https://evil.example", "null", `${server.url}.evil.example`]) {
      expect({ origin, status: (await shake("", { origin })).status }).toEqual({ origin, status: 403 });
    }
    expect((await shake("", { origin: server.url })).status).toBe(101);
    expect((await shake("")).status).toBe(101);
    const value = encodeURIComponent(await ticket());
    expect((await shake(`ticket=${value}`, { origin: "https://evil.example" }, null)).status).toBe(403);
  });
});

describe("client frames", () => {
  const errors = (feed: Feed): number =>
    feed.events.filter((event) => event.type === "hellotide.feed.error").length;
  const open = async (): Promise<Feed> => {
    const feed = await openFeed(server, SITE);
    await feed.waitUntil("hello", (one) => one.events.length > 0);
    return feed;
  };

  it("FEED-26: ping is answered by pong, an ack by nothing", async () => {
    const feed = await open();
    feed.send("ping");
    await feed.waitUntil("pong", (one) => one.texts.includes("pong"));
    feed.send(JSON.stringify({ type: "ack", cursor: feed.events[0]?.data.cursor }));
    await settle(feed);
    expect(errors(feed)).toBe(0);
    feed.close();
  });

  it("FEED-27: three other frames are three errors and the close code 1008", async () => {
    const feed = await open();
    for (const [index, frame] of ["hello", '{"type":"subscribe"}', '{"type":"ack"}'].entries()) {
      feed.send(frame);
      await feed.waitUntil("an error", (one) => errors(one) === index + 1);
    }
    expect((await feed.closed).code).toBe(1008);
    const error = feed.events.find((event) => event.type === "hellotide.feed.error");
    expect(error && "sequence" in error).toBe(false);
  });

  it("FEED-28: a frame over 4 KiB closes with 1009, one of 4 KiB is only read", async () => {
    const feed = await open();
    feed.send("x".repeat(4_096));
    await feed.waitUntil("an error", (one) => errors(one) === 1);
    feed.send("x".repeat(4_097));
    expect((await feed.closed).code).toBe(1009);
  });

  it("FEED-29: one client's faults leave the others alone", async () => {
    const [good, bad] = [await open(), await open()];
    bad.send("x".repeat(10_000));
    await bad.closed;
    await raiseEach(client, SITE, good, 30, 1);
    expect(stored(good).map((event) => event.subject)).toEqual([ja4Of(30)]);
    good.close();
  }, 20_000);

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
