/** Settings of every kind on their way to shards and feed. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { FeedSettings, ShardSettings } from "../../src/api/objects.ts";
import { breakMethods, call, feedStub, shardStub } from "./helpers.ts";

const SHARDS = 4;
const settingsStub = () => env.SETTINGS_NS.getByName("v1/shop/settings");

function write(method: string, path: string, body: unknown): Promise<Response> {
  return call(`/v1/sites/shop/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** The settings that an object has on its disk. */
function held<T>({ storage: { sql } }: DurableObjectState): T | undefined {
  if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'meta'").toArray().length === 0) return undefined;
  const [row] = sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = 'settings'").toArray();
  return row === undefined ? undefined : (JSON.parse(row.value) as T);
}

const heldByShard = (shard: number) =>
  runInDurableObject(shardStub("shop", shard), (_, state) => held<ShardSettings>(state));
const heldByFeed = () => runInDurableObject(feedStub("shop"), (_, state) => held<FeedSettings>(state));

describe("settings in force", () => {
  it("DOC-7: silences and detection are on every shard when the write is answered, and live through evictions", async () => {
    expect((await write("PUT", "silences/quiet", { ja4: "t13d*" })).status).toBe(201);
    expect((await write("PUT", "detection", { delay: "2m" })).status).toBe(201);
    await evictDurableObject(settingsStub());
    const document = (await (await call("/v1/sites/shop/settings")).json()) as Record<string, unknown>;
    expect(document).toMatchObject({ silences: [{ id: "quiet" }], detection: { delay: "2m" } });
    for (let shard = 0; shard < SHARDS; shard++) {
      await evictDurableObject(shardStub("shop", shard));
      expect(await heldByShard(shard)).toMatchObject({
        revision: 2,
        silences: [{ id: "quiet", ja4: "t13d*", verifiedBots: false }],
        detection: { delayMs: 120_000 },
      });
    }
  });

  it("DOC-7: a document is one push, in force everywhere", async () => {
    const answer = await write("PUT", "settings", {
      silences: [{ id: "bots", verified_bots: true }],
      thresholds: [
        { id: "rule", when: { signal: "reqs", window: "1m", op: ">", value: 5 }, on_missing: "skip" },
      ],
    });
    expect(answer.status).toBe(200);
    for (let shard = 0; shard < SHARDS; shard++) {
      expect(await heldByShard(shard)).toMatchObject({
        revision: 3,
        silences: [{ id: "bots", verifiedBots: true }],
        thresholds: [{ id: "rule" }],
        detection: { delayMs: 0 },
      });
    }
  });

  it("SILAPI-7: a silence that has ended is left out of the next push", async () => {
    const until = new Date(Date.now() + 1_000).toISOString();
    expect((await write("PUT", "silences/brief", { ja4: "q*", until })).status).toBe(201);
    const ids = async () => (await heldByShard(1))?.silences.map(({ id }) => id);
    expect(await ids()).toEqual(["bots", "brief"]);
    await scheduler.wait(Date.parse(until) - Date.now() + 50);
    expect((await write("PUT", "detection", {})).status).toBe(200);
    expect(await ids()).toEqual(["bots"]);
  });

  it("DOC-8: the feed has its part when the write is answered; an older push is ignored", async () => {
    expect((await write("PUT", "detection", { storm: { raises: 3, per: "1m" } })).status).toBe(200);
    const told = await heldByFeed();
    expect(told).toEqual({ revision: expect.any(Number), storm: { raises: 3, perMs: 60_000 }, webhooks: [] });
    await evictDurableObject(feedStub("shop"));
    const { revision } = told!;
    const storm = { raises: 9, perMs: 60_000 };
    expect(await feedStub("shop").applySettings({ revision: revision - 1, storm })).toBe(revision);
    expect(await heldByFeed()).toEqual(told);
  });

  it("DOC-8: a feed that was down gets it from the alarm's repeat", async () => {
    const before = await heldByFeed();
    await breakMethods(feedStub("shop"), "applySettings");
    expect((await write("PUT", "detection", { storm: { raises: 4 } })).status).toBe(200);
    expect(await heldByFeed()).toEqual(before);
    await evictDurableObject(feedStub("shop"));
    expect(await runDurableObjectAlarm(settingsStub())).toBe(true);
    expect(await heldByFeed()).toMatchObject({ storm: { raises: 4, perMs: 300_000 } });
  });
});
