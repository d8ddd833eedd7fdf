/** Site events over the objects of a site, and what a shard keeps of what it learned: through the Worker itself. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { shardOf } from "../../src/base/hash.ts";
import { call, shardStub } from "./helpers.ts";

const SHARDS = 4;

function post(site: string, records: unknown[]): Promise<Response> {
  return call(`/v1/sites/${site}/observations`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(records),
  });
}

describe("site events", () => {
  const SITE = "api";
  const FINGERPRINTS = 24;
  /** Three quarters of an hour at six requests a minute each, and ten times that in the last minute. */
  function crowd(nowMs: number): unknown[] {
    const told: unknown[] = [];
    for (let i = 0; i < FINGERPRINTS; i++) {
      const ja4 = ja4At(i % SHARDS, Math.floor(i / SHARDS));
      for (let minute = 45; minute >= 0; minute--)
        for (let n = 0; n < (minute === 0 ? 60 : 6); n++)
          told.push({ timestamp: nowMs - minute * 60_000 - (n % 6) * 9_000, ja4, status: 200 });
    }
    return told;
  }
  /** The nth fingerprint that lives on a shard. */
  function ja4At(shard: number, nth: number): string {
    for (let i = 0, seen = 0; ; i++) {
      const ja4 = `t13d1516h2_acb858a92679_${i.toString(16).padStart(12, "0")}`;
      if (shardOf(ja4, SHARDS, 1) === shard && seen++ === nth) return ja4;
    }
  }
  async function raised(kind: string): Promise<unknown[]> {
    const answer = await call(`/v1/sites/${SITE}/anomalies?kind=${kind}`);
    return ((await answer.json()) as { anomalies: unknown[] }).anomalies;
  }
  async function tickAll(): Promise<void> {
    for (let shard = SHARDS - 1; shard >= 0; shard--)
      expect(await runDurableObjectAlarm(shardStub(SITE, shard))).toBe(true);
  }

  it("SEV-7: a flash crowd over four shards is told once, after an eviction too, and nobody surges", async () => {
    const told = crowd(Date.now());
    for (let at = 0; at < told.length; at += 2_000)
      expect((await post(SITE, told.slice(at, at + 2_000))).status).toBe(202);
    await tickAll();
    await tickAll();
    expect(await raised("flash_crowd")).toHaveLength(1);
    await evictDurableObject(shardStub(SITE, 0));
    await tickAll();
    expect(await raised("flash_crowd")).toHaveLength(1);
    expect(await raised("surge")).toEqual([]);
  });

  it("MEM-3: what a shard learned is on its disk, and one that cannot be read is learned again", async () => {
    const parts = () =>
      runInDurableObject(
        shardStub(SITE, 1),
        (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM detection").one().n,
      );
    expect(await parts()).toBeGreaterThan(0);
    await runInDurableObject(shardStub(SITE, 1), (_, { storage }) => {
      storage.sql.exec("UPDATE detection SET bytes = x'00112233'");
    });
    await evictDurableObject(shardStub(SITE, 1));
    const warned = vi.spyOn(console, "warn");
    await runDurableObjectAlarm(shardStub(SITE, 1));
    expect(warned.mock.calls.flat().join("\n")).toContain("detection_unreadable");
    warned.mockRestore();
    expect(await parts()).toBeGreaterThan(0);
  });
});
