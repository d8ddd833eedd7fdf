/** The other built-in kinds, each with its own scene over one hour of background, and the warm-up. The server ticks each second. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingestAll, ja4Of, summaryOf, TIME_PATTERN } from "../support/client.ts";
import { BROWSER_AGENTS, createRandom, type Observation } from "../support/oracle-traffic.ts";
import { startServer } from "../support/server.ts";
import { type Feed, type FeedEvent, openFeed, stored } from "../support/stream.ts";
import { type Background, backfill, burst } from "./helpers/background.ts";

const SEED = 90;
const RAISE_MS = 25_000;
const CURL = "curl/8.5.0";
const random = createRandom(SEED);

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let background: Background;
let feed: Feed;
let live: { stop(): Promise<void> };

/** Global signals that agree with what the background does here. */
function dress(observation: Observation): Observation {
  const browser = observation.user_agent === CURL ? 0.02 : 0.94;
  return {
    ...observation,
    ja4_signals: { browser_ratio_1h: browser, h2h3_ratio_1h: 0.97, cache_ratio_1h: 0.38 },
  };
}

beforeAll(async () => {
  server = await startServer({ sites: ["shop", "fresh"], shards: 4, env: { TICK: "1s" } });
  client = createClient(server);
  background = await backfill(client, "shop", { seed: SEED, fingerprints: 200, perMinute: 400, dress });
  feed = await openFeed(server, "shop", { query: "since=0" });
  live = background.live();
}, 60_000);
afterAll(async () => {
  await live?.stop();
  await server?.stop();
});

async function raisedBy(kind: string, ja4: string, records: readonly Observation[]): Promise<FeedEvent> {
  await ingestAll(client, "shop", records);
  const wanted = (event: FeedEvent): boolean =>
    event.type === "hellotide.anomaly.raised" && event.subject === ja4 && event.data.kind === kind;
  return feed.waitFor(`${kind} of ${ja4}`, wanted, RAISE_MS);
}

const fingerprint = (rank: number): string => background.fingerprints[rank] as string;

describe.concurrent(`seed ${SEED}: built-in kinds`, () => {
  it("KIND-1: ua_rotation: one fingerprint, a new agent with each request", async () => {
    const ja4 = fingerprint(4);
    const agentOf = (i: number): string => `${BROWSER_AGENTS[i % 4]} v${i}.${random.int(1_000)}`;
    await raisedBy(
      "ua_rotation",
      ja4,
      burst(300, 20_000, (i) => ({ ja4, user_agent: agentOf(i) })),
    );
  }, 40_000);

  it("KIND-2: path_scan: 300 paths that were never asked for, all 404", async () => {
    const ja4 = fingerprint(6);
    const scan = burst(300, 20_000, (i) => ({ ja4, path: `/wp-${random.hex(6)}/${i}.php`, status: 404 }));
    await raisedBy("path_scan", ja4, scan);
  }, 40_000);

  it("KIND-3: error_burst: nine of ten requests fail where three of a hundred do", async () => {
    const ja4 = fingerprint(8);
    await raisedBy(
      "error_burst",
      ja4,
      burst(200, 20_000, (i) => ({ ja4, status: i % 10 === 0 ? 200 : 403 })),
    );
  }, 40_000);

  it("KIND-4: divergence: globally a browser, here curl over HTTP/1.1", async () => {
    const ja4 = ja4Of(777_777);
    const ja4_signals = { browser_ratio_1h: 0.94, h2h3_ratio_1h: 0.97, cache_ratio_1h: 0.38 };
    const records = burst(400, 20_000, () => ({
      ja4,
      user_agent: CURL,
      http_protocol: "HTTP/1.1",
      ja4_signals,
    }));
    const event = await raisedBy("divergence", ja4, records);
    const signals = (event.data.because as readonly { signal: string }[]).map((one) => one.signal);
    expect(signals.some((signal) => /browser_ratio|h2h3_ratio/.test(signal))).toBe(true);
  }, 40_000);

  it("KIND-5: no built-in kind in a site's first 30 minutes; the summary says until when", async () => {
    const fresh = await openFeed(server, "fresh", { query: "since=0" });
    await ingestAll(
      client,
      "fresh",
      burst(3_000, 3_000, () => ({ ja4: ja4Of(5), status: 401 })),
    );
    const summary = (await summaryOf(client, "fresh")) as unknown as { warm_up?: { until?: string } };
    expect(summary.warm_up?.until).toMatch(TIME_PATTERN);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(stored(fresh).map((event) => event.data.kind)).toEqual([]);
    fresh.close();
  }, 30_000);
});

describe("after all of them", () => {
  it("KIND-6: with an hour of data newcomer, in its own warm-up of 2 h, was silent; nobody else was accused", () => {
    const raised = stored(feed).filter((event) => event.type === "hellotide.anomaly.raised");
    const accused = [fingerprint(4), fingerprint(6), fingerprint(8), ja4Of(777_777)];
    expect(raised.filter((event) => event.data.kind === "newcomer")).toEqual([]);
    expect(raised.filter((event) => !accused.includes(event.subject ?? ""))).toEqual([]);
  });
});
