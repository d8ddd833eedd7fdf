/** The shard on the real engine: disk, eviction, alarm. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DEFAULT_DETECTION } from "../../src/detect/settings.ts";
import { CHROME, failure, feedStub, frame, shardStub } from "./helpers.ts";

async function hourOf(stub: ReturnType<typeof shardStub>, ja4 = CHROME) {
  const { found } = await stub.read([ja4]);
  return found[0]?.windows["1h"];
}

describe("delay", () => {
  it("DELAY-6: a site's delay shows in as_of at once and after an eviction; what is newer waits and is accepted", async () => {
    const stub = shardStub("late", 0);
    const now = Date.now();
    const asOf = async () => (await stub.summary()).asOfMs;
    expect(await asOf()).toBeGreaterThanOrEqual(now);
    const settings = { revision: 3, shards: 1, thresholds: [], silences: [] };
    await stub.applySettings({ ...settings, detection: { ...DEFAULT_DETECTION, delayMs: 120_000 } });
    expect(await stub.ingest([frame(1, now, 4), frame(2, now - 200_000, 5)], 1)).toMatchObject({
      accepted: 9,
    });
    for (const round of ["before", "after"]) {
      if (round === "after") await evictDurableObject(stub);
      const behind = Date.now() - (await asOf());
      expect(behind).toBeGreaterThanOrEqual(119_000);
      expect(behind).toBeLessThan(130_000);
      const { found } = await stub.read([CHROME]);
      expect(found[0]).toMatchObject({ windows: { "1h": { reqs: 5 } } });
      expect(Date.parse(found[0]!.as_of)).toBeLessThan(now - 100_000);
      expect((await stub.summary()).sinceStart).toMatchObject({ accepted: 9, late: 0, future: 0 });
    }
    await stub.applySettings({ ...settings, revision: 4, detection: DEFAULT_DETECTION });
    expect(await hourOf(stub)).toMatchObject({ reqs: 9 });
  });
});

describe("log and recovery", () => {
  it("LOG-1: an evicted shard comes back with every acknowledged frame, and knows their ids", async () => {
    const stub = shardStub("shop", 0);
    const now = Date.now();
    expect(await stub.ingest([frame(1, now, 10), frame(2, now - 120_000, 5)], 1)).toMatchObject({
      ok: true,
      accepted: 15,
      duplicate: 0,
    });
    const before = await hourOf(stub);
    const born = await runInDurableObject(
      stub,
      (instance) => Object.assign(instance, { marked: true }) && "marked" in instance,
    );
    await evictDurableObject(stub);
    // The control: it is another instance, so what follows was read from disk.
    expect([born, await runInDurableObject(stub, (instance) => "marked" in instance)]).toEqual([true, false]);
    expect(await hourOf(stub)).toMatchObject({ reqs: 15, ips: 10, error_ratio: before?.error_ratio });
    expect(await stub.ingest([frame(1, now, 10), frame(3, now, 1)], 1)).toMatchObject({
      ok: true,
      accepted: 1,
      duplicate: 10,
    });
    expect(await hourOf(stub)).toMatchObject({ reqs: 16 });
    expect((await stub.summary()).sinceStart).toMatchObject({ accepted: 16, duplicate: 10 });
  });

  it("LOG-2: a frame whose write fails is not counted, and counts once when it is sent again", async () => {
    const stub = shardStub("shop", 1);
    const now = Date.now();
    await stub.ingest([frame(1, now, 3)], 1);
    await runInDurableObject(stub, (_, state) => {
      const real = state.storage.sql.exec;
      Object.defineProperty(state.storage.sql, "exec", {
        configurable: true,
        value(this: SqlStorage, query: string, ...bindings: unknown[]) {
          if (query.startsWith("INSERT INTO log_")) throw new Error("disk full");
          return real.call(this, query, ...bindings);
        },
      });
    });
    expect(await failure(() => stub.ingest([frame(2, now, 4)], 1))).toContain("disk full");
    expect(await hourOf(stub)).toMatchObject({ reqs: 3 });
    await evictDurableObject(stub);
    expect(await hourOf(stub)).toMatchObject({ reqs: 3 });
    expect(await stub.ingest([frame(2, now, 4)], 1)).toMatchObject({ accepted: 4, duplicate: 0 });
    expect(await hourOf(stub)).toMatchObject({ reqs: 7 });
  });

  it("LOG-3: a frame that cannot be read refuses its call whole, as a value and not as an error", async () => {
    const stub = shardStub("shop", 2);
    const now = Date.now();
    expect(await stub.ingest([frame(1, now, 3), new Uint8Array([0xc1])], 1)).toEqual({
      ok: false,
      fault: "not_msgpack",
    });
    expect(await hourOf(stub)).toBeUndefined();
  });

  it("LOG-4: a database of newer code refuses to open, and one of known code opens", async () => {
    const stub = shardStub("shop", 3);
    await stub.ingest([frame(1, Date.now(), 1)], 1);
    await evictDurableObject(stub);
    expect(await hourOf(stub)).toMatchObject({ reqs: 1 });
    await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec("INSERT INTO migrations (id, name) VALUES (99, 'from the future')");
    });
    await evictDurableObject(stub);
    expect(await failure(() => stub.summary())).toContain("newer version");
  });
});

describe("what outlives the log", () => {
  afterEach(() => void vi.useRealTimers());

  it("LOG-5: first sight and totals are known after the log of that time was dropped; its tables are gone", async () => {
    const stub = shardStub("default", 0);
    const start = Math.floor(Date.now() / 600_000) * 600_000;
    const at = async (minutes: number, id: number) => {
      vi.setSystemTime(start + minutes * 60_000);
      await stub.ingest([frame(id, Date.now(), 1)], 1);
      await runDurableObjectAlarm(stub);
    };
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const [id, minutes] of [0, 30, 55.5, 60.5, 80].entries()) await at(minutes, id);
    await evictDurableObject(stub);
    const { found } = await stub.read([CHROME]);
    expect(found[0]).toMatchObject({
      first_seen: new Date(start).toISOString(),
      windows: { "1h": { reqs: 4 } },
    });
    expect((await stub.summary()).sinceStart).toMatchObject({ accepted: 5 });
    const tables = await runInDurableObject(stub, (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'log_%'").toArray(),
    );
    // The control: the first minute's table is gone, so what is known of it was kept elsewhere.
    expect(tables).toHaveLength(4);
  });
});

describe("tick", () => {
  it("TICK-1: data sets an alarm; an empty shard has none", async () => {
    const stub = shardStub("api", 0);
    await stub.summary();
    const alarm = () => runInDurableObject(stub, (_, state) => state.storage.getAlarm());
    expect(await alarm()).toBeNull();
    await stub.ingest([frame(1, Date.now(), 1)], 1);
    expect(await alarm()).toBeGreaterThan(Date.now());
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await alarm()).toBeGreaterThan(Date.now());
  });

  it("TICK-2: a tick that throws is followed by another", async () => {
    const stub = shardStub("api", 1);
    await stub.ingest([frame(1, Date.now(), 1)], 2);
    await runInDurableObject(stub, (_, state) => {
      Object.defineProperty(state.storage, "transactionSync", {
        configurable: true,
        value: () => {
          throw new Error("disk full");
        },
      });
    });
    expect(await failure(() => runDurableObjectAlarm(stub))).toContain("disk full");
    expect(await runInDurableObject(stub, (_, state) => state.storage.getAlarm())).not.toBeNull();
  });

  it("TICK-6: data bring an idle shard's tick forward", async () => {
    const stub = shardStub("shop", 5);
    const alarm = () => runInDurableObject(stub, (_, state) => state.storage.getAlarm());
    const start = Math.floor(Date.now() / 60_000) * 60_000;
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(start);
      await stub.ingest([frame(1, start, 1)], 1);
      vi.setSystemTime(start + 180_001);
      await runDurableObjectAlarm(stub);
      expect(await alarm()).toBeGreaterThanOrEqual(start + 240_000);
      vi.setSystemTime(start + 190_000);
      await stub.ingest([frame(2, start + 190_000, 1)], 1);
      expect(await alarm()).toBeLessThan(start + 196_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it("TICK-5: what a failed tick would have raised is raised by the next one, once", async () => {
    const stub = shardStub("api", 3);
    const always = {
      id: "any",
      enabled: true,
      ja4: undefined,
      severity: "info" as const,
      forMs: 0,
      cooldownMs: 0,
    };
    const when = {
      mode: "all" as const,
      comparisons: [{ signal: "reqs" as const, window: "1h" as const, op: ">" as const, value: 0 }],
    };
    const rest = {
      when,
      clear: { value: undefined, forMs: 0 },
      minReqs: 0,
      onMissing: "skip" as const,
      expiresAtMs: undefined,
    };
    await stub.ingest([frame(1, Date.now(), 1)], 4);
    await stub.applySettings({
      revision: 1,
      shards: 4,
      thresholds: [],
      silences: [],
      detection: DEFAULT_DETECTION,
    });
    await runDurableObjectAlarm(stub);
    await runInDurableObject(stub, (_, state) => {
      Object.defineProperty(state.storage, "transactionSync", {
        configurable: true,
        value: () => {
          throw new Error("disk full");
        },
      });
    });
    await stub.applySettings({
      revision: 2,
      shards: 4,
      thresholds: [{ ...always, ...rest }],
      silences: [],
      detection: DEFAULT_DETECTION,
    });
    expect(await failure(() => runDurableObjectAlarm(stub))).toContain("disk full");
    expect(await stub.activeThresholds()).toEqual({});
    await runInDurableObject(
      stub,
      (_, state) => void Reflect.deleteProperty(state.storage, "transactionSync"),
    );
    for (let i = 0; i < 2; i++) await runDurableObjectAlarm(stub);
    expect(await stub.activeThresholds()).toEqual({ any: [CHROME] });
    const raised = await runInDurableObject(feedStub("api"), (_, state) =>
      state.storage.sql.exec("SELECT sequence FROM events").toArray(),
    );
    expect(raised).toHaveLength(1);
  });

  it("TICK-3: an idempotency claim is running until it is settled, and remembered after an eviction", async () => {
    const stub = shardStub("api", 2);
    const body = new Uint8Array(32).fill(1);
    expect(await stub.claim("key", body)).toMatchObject({ state: "new" });
    expect(await stub.claim("key", body)).toEqual({ state: "running" });
    expect(await stub.claim("key", new Uint8Array(32))).toEqual({ state: "other_body" });
    await stub.settle("key", undefined);
    const again = await stub.claim("key", body);
    expect(again).toMatchObject({ state: "new" });
    await stub.settle("key", "answer");
    await evictDurableObject(stub);
    expect(await stub.claim("key", body)).toEqual({ state: "done", answer: "answer" });
    expect(await stub.claim("key", new Uint8Array(32))).toEqual({ state: "other_body" });
  });
});
