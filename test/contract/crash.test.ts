/** kill -9 under load, three times on one folder: what was acknowledged is there, and a repeat doubles nothing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  hourlyRequests,
  type IngestAnswer,
  ingest,
  ingestAll,
  ja4Of,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { openFeed, stored } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { isThreshold, putRule, type Rule, rule, settle, thresholdsPath, visit } from "./helpers/rules.ts";

const SITE = "shop";
const ROUNDS = 3;
const BATCHES = 60;
const FINGERPRINTS = 24;
const PER_BATCH = 240;
/** Die when so many batches are acknowledged; the others are under way or not begun. */
const KILL_AFTER = 20;

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE, "events"], shards: 4, env: { TICK: "1s" } });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

interface Batch {
  readonly key: string;
  readonly records: readonly { readonly timestamp: number; readonly ja4: string }[];
}

function batchesOf(round: number): Batch[] {
  const timestamp = Date.now() - 2_001;
  return Array.from({ length: BATCHES }, (_, b) => ({
    key: `crash-${round}-${b}`,
    records: Array.from({ length: PER_BATCH }, (_, i) => ({
      timestamp,
      ja4: ja4Of(round * 1_000 + ((b + i) % FINGERPRINTS)),
    })),
  }));
}

/** Sends all with six senders until `enough` are acknowledged; gives the acknowledged ones. */
async function sendUntilKilled(batches: readonly Batch[]): Promise<Batch[]> {
  const acknowledged: Batch[] = [];
  const queue = batches.values();
  let killed: Promise<unknown> | undefined;
  const sender = async (): Promise<void> => {
    for (const batch of queue) {
      if (killed) return;
      // A refused or broken connection is what this test makes happen.
      const answer = await ingest(client, SITE, batch.records, { key: batch.key }).catch(() => undefined);
      if (answer?.status === 202) acknowledged.push(batch);
      if (acknowledged.length >= KILL_AFTER) killed ??= Promise.resolve(server.kill());
    }
  };
  await Promise.all(Array.from({ length: 6 }, sender));
  await killed;
  return acknowledged;
}

async function totalOf(round: number): Promise<number> {
  let total = 0;
  for (let i = 0; i < FINGERPRINTS; i += 1) {
    total += await hourlyRequests(client, SITE, ja4Of(round * 1_000 + i));
  }
  return total;
}

describe("kill -9", () => {
  it.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
    "REC-1: round %i: acknowledged observations are there, repeats with keys complete the rest exactly",
    async (round) => {
      const batches = batchesOf(round);
      const acknowledged = await sendUntilKilled(batches);
      expect(acknowledged.length).toBeGreaterThanOrEqual(KILL_AFTER);
      expect(acknowledged.length).toBeLessThan(BATCHES);
      await server.restart();
      const afterCrash = await totalOf(round);
      expect(afterCrash).toBeGreaterThanOrEqual(acknowledged.length * PER_BATCH);
      for (const batch of batches) {
        const answer = await until(`202 for ${batch.key}`, 10_000, async () => {
          const one = await ingest(client, SITE, batch.records, { key: batch.key });
          // 409: the dead server's own attempt may still be noted as running.
          return one.status === 409 ? undefined : one;
        });
        expect(answer.status).toBe(202);
        expect(answer.json<IngestAnswer>().accepted).toBe(PER_BATCH);
      }
      expect(await totalOf(round)).toBe(BATCHES * PER_BATCH);
    },
    40_000,
  );

  it("REC-2: earlier rounds still count exactly, windows and all", async () => {
    for (let round = 1; round <= ROUNDS; round += 1) expect(await totalOf(round)).toBe(BATCHES * PER_BATCH);
  });

  it("REC-3: thresholds, their active episodes and the feed's events outlive it, once each", async () => {
    const when = { signal: "reqs", window: "1h", op: ">", value: 0 };
    await putRule(client, "events", rule("first", { when }));
    const before = await openFeed(server, "events");
    for (const n of [1, 2, 3]) {
      await visit(client, "events", ja4Of(n), 1);
      await before.waitFor("raised", isThreshold("raised", "first", ja4Of(n)));
    }
    const events = stored(before);
    const read = async (): Promise<Rule> =>
      (await client.get(thresholdsPath("events", "first"))).json<Rule>();
    const written = await read();
    await server.kill();
    await server.restart();
    expect(await read()).toEqual(written);
    const after = await openFeed(server, "events", { query: "since=0" });
    await visit(client, "events", ja4Of(1), 5);
    await visit(client, "events", ja4Of(4), 1);
    await after.waitFor("raised", isThreshold("raised", "first", ja4Of(4)));
    await settle(after);
    expect(stored(after).slice(0, 3)).toEqual(events);
    expect(stored(after).map((event) => event.subject)).toEqual([1, 2, 3, 4].map((n) => ja4Of(n)));
  }, 40_000);

  it("REC-4: distinct counts do not grow when known values come again after it", async () => {
    const ja4 = ja4Of(9_000);
    const send = (): Promise<IngestAnswer> =>
      ingestAll(
        client,
        SITE,
        Array.from({ length: 400 }, (_, i) => ({
          timestamp: Date.now() - 1_001,
          ja4,
          client_ip: `10.9.${i % 2}.${i % 200}`,
          path: `/p/${i % 100}`,
        })),
      );
    const distinct = async (): Promise<unknown[]> => {
      const answer = await client.get(`/v1/sites/${SITE}/fingerprints/${ja4}`);
      const hour = answer.json<{ windows: Record<string, Record<string, unknown>> }>().windows["1h"];
      return [hour?.ips, hour?.paths, hour?.reqs];
    };
    await send();
    await server.kill();
    await server.restart();
    await send();
    expect(await distinct()).toEqual([200, 100, 800]);
  }, 30_000);

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
