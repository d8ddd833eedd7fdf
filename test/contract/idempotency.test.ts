/** `Idempotency-Key`: a repeat answers as the first time and counts nothing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type Client,
  createClient,
  hourlyRequests,
  type IngestAnswer,
  ingest,
  ja4Of,
  problemFaults,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["shop", "api"], shards: 4 });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

/** One observation for each of `count` fingerprints, so that every shard has a part. */
function batch(first: number, count: number): { timestamp: number; ja4: string }[] {
  const timestamp = Date.now() - 1_001;
  return Array.from({ length: count }, (_, i) => ({ timestamp, ja4: ja4Of(first + i) }));
}

async function totalOf(site: string, records: readonly { ja4: string }[]): Promise<number> {
  const each = await Promise.all(records.map((record) => hourlyRequests(client, site, record.ja4)));
  return each.reduce((sum, reqs) => sum + reqs, 0);
}

describe("Idempotency-Key", () => {
  it("IDEM-1: the same key and body answer as the first time and count once", async () => {
    const good = batch(1_000, 12);
    const records = [...good, { timestamp: "bad" }];
    const first = await ingest(client, "shop", records, { key: "idem-1" });
    expect(first.status).toBe(202);
    for (let i = 0; i < 3; i += 1) {
      const again = await ingest(client, "shop", records, { key: "idem-1" });
      expect([again.status, again.text]).toEqual([202, first.text]);
    }
    expect(await totalOf("shop", good)).toBe(12);
  });

  it("IDEM-2: without a key the same body counts again", async () => {
    const records = batch(1_100, 3);
    await ingest(client, "shop", records);
    await ingest(client, "shop", records);
    expect(await totalOf("shop", records)).toBe(6);
  });

  it("IDEM-3: the same key with another body is 422 and counts nothing", async () => {
    const first = batch(1_200, 3);
    const other = batch(1_300, 3);
    expect((await ingest(client, "shop", first, { key: "idem-3" })).status).toBe(202);
    expect(problemFaults(await ingest(client, "shop", other, { key: "idem-3" }), 422)).toEqual([]);
    expect(await totalOf("shop", other)).toBe(0);
    expect(await totalOf("shop", first)).toBe(3);
  });

  it("IDEM-4: eight at once with one key: each is the same 202 or 409, and it counts once", async () => {
    const records = batch(1_400, 400).flatMap((record) => Array.from({ length: 20 }, () => record));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ingest(client, "shop", records, { key: "idem-4" })),
    );
    const done = answers.filter((answer) => answer.status === 202);
    expect(done.length).toBeGreaterThan(0);
    expect(new Set(done.map((answer) => answer.text)).size).toBe(1);
    for (const answer of answers) if (answer.status !== 202) expect(problemFaults(answer, 409)).toEqual([]);
    const unique = [...new Map(records.map((record) => [record.ja4, record])).values()];
    expect(await totalOf("shop", unique)).toBe(records.length);
  });

  it("IDEM-5: a key has at most 128 characters", async () => {
    const records = batch(1_900, 1);
    expect(problemFaults(await ingest(client, "shop", records, { key: "k".repeat(129) }), 400)).toEqual([]);
    expect(await totalOf("shop", records)).toBe(0);
    expect((await ingest(client, "shop", records, { key: "k".repeat(128) })).status).toBe(202);
  });

  it("IDEM-6: a key belongs to its site", async () => {
    const records = batch(2_000, 4);
    const answers: Answer[] = [];
    for (const site of ["shop", "api"]) answers.push(await ingest(client, site, records, { key: "idem-6" }));
    expect(answers.map((answer) => answer.json<IngestAnswer>().accepted)).toEqual([4, 4]);
    expect([await totalOf("shop", records), await totalOf("api", records)]).toEqual([4, 4]);
  });

  it("IDEM-7: a key survives a clean restart", async () => {
    const records = batch(2_100, 8);
    const first = await ingest(client, "shop", records, { key: "idem-7" });
    await server.restart();
    const again = await ingest(client, "shop", records, { key: "idem-7" });
    expect([again.status, again.text]).toEqual([202, first.text]);
    expect(await totalOf("shop", records)).toBe(8);
  });

  it("IDEM-8: different keys at once all count", async () => {
    const records = batch(2_200, 5);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ingest(client, "shop", records, { key: `idem-8-${i}` })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 202));
    expect(await totalOf("shop", records)).toBe(100);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
