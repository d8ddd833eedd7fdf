/** The summary's members, one by one, from a real server. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingest, ja4Of, nullsIn, TIME_PATTERN } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["shop"], shards: 2 });
  client = createClient(server);
}, 60_000);
afterAll(() => server?.stop());

describe("…/summary", () => {
  it("SUM-2: has every documented member, with numbers from the first request on", async () => {
    const timestamp = Date.now() - 100;
    const signals = { h2h3_ratio_1h: 0.5 };
    await ingest(client, "shop", [
      ...[{ timestamp, ja4: ja4Of(1) }, { timestamp, ja4: ja4Of(2), ja4_signals: signals }, { timestamp }],
      ...[{ timestamp: timestamp - 4_000_000 }, { timestamp: 1 }],
    ]);
    const summary = (await client.get("/v1/sites/shop/summary")).json<Record<string, unknown>>();
    const window = { from: expect.stringMatching(TIME_PATTERN), reqs: 3, fingerprints: 2 };
    const numbers = { ...window, without_ja4: 1, without_signals: 1 };
    expect(summary).toMatchObject({
      site: "shop",
      as_of: expect.stringMatching(TIME_PATTERN),
      windows: { "1m": numbers, "5m": numbers, "1h": numbers },
      since_start: {
        ...{ accepted: 3, rejected: 1, expired: 1, duplicate: 0, lost_at_edge: 0 },
        ...{ shed: 0, overflow: 0, fields_dropped: 0, suppressed: 0 },
      },
      sources: { observations: 3 },
      warm_up: { until: expect.stringMatching(TIME_PATTERN), kinds: expect.arrayContaining(["surge"]) },
    });
    const shard = { as_of: expect.stringMatching(TIME_PATTERN), bytes: expect.any(Number) };
    expect(summary.shards).toMatchObject([
      { shard: 0, ...shard },
      { shard: 1, ...shard },
    ]);
    expect(nullsIn(summary)).toEqual([]);
    expect(await answerFaults(client)).toEqual([]);
  });
});
