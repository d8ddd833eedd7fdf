/** Several objects of a site together: ranks over shards, partial failure, settings, through the Worker itself. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { FingerprintShard } from "../../durable-objects/fingerprint-shard.ts";
import { shardOf } from "../../src/base/hash.ts";
import { DEFAULT_DETECTION } from "../../src/detect/settings.ts";
import { breakMethods, CHROME, call, censusStub, frame, shardStub } from "./helpers.ts";

const SHARDS = 4;
/** The first fingerprint that lives on a shard. */
function ja4On(shard: number): string {
  for (let i = 0; ; i++) {
    const ja4 = `t13d1516h2_8daaf6152771_${i.toString(16).padStart(12, "0")}`;
    if (shardOf(ja4, SHARDS, 1) === shard) return ja4;
  }
}

function post(site: string, records: unknown[], key?: string): Promise<Response> {
  return call(`/v1/sites/${site}/observations`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { "idempotency-key": key }) },
    body: JSON.stringify(records),
  });
}

async function accepted(site: string): Promise<number> {
  const summary = (await (await call(`/v1/sites/${site}/summary`)).json()) as {
    since_start: { accepted: number };
  };
  return summary.since_start.accepted;
}

const records = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ timestamp: Date.now(), ja4: ja4On(i % SHARDS), status: 200 }));

describe("census", () => {
  it("CENSUS-1: one shard's report is enough: those not heard of are asked, and ranks are over all", async () => {
    const now = Date.now();
    for (let shard = 0; shard < SHARDS; shard++) {
      await shardStub("shop", shard).ingest([frame(shard, now, 10 * (shard + 1), ja4On(shard))], SHARDS);
    }
    const { found } = await shardStub("shop", 0).read([ja4On(0)]);
    expect(found[0]?.local).toMatchObject({ reqs_rank_1h: 4, reqs_quantile_1h: 0, population: 4 });
    const top = await shardStub("shop", 3).read([ja4On(3)]);
    expect(top.found[0]?.local).toMatchObject({ reqs_rank_1h: 1, reqs_quantile_1h: 0.75, population: 4 });
    expect(top.missing).toEqual([]);
  });

  it("CENSUS-2: after a restart of the Census nobody ranks alone", async () => {
    await evictDurableObject(censusStub("shop"));
    const { found } = await shardStub("shop", 1).read([ja4On(1)]);
    expect(found[0]?.local).toMatchObject({ reqs_rank_1h: 3, population: 4 });
  });

  it("CENSUS-3: a shard that does not answer is named, and there are no ranks rather than wrong ones", async () => {
    const now = Date.now();
    await shardStub("api", 0).ingest([frame(1, now, 10, ja4On(0))], SHARDS);
    await breakMethods(shardStub("api", 2), "rankTables");
    const answer = await shardStub("api", 0).read([ja4On(0)]);
    expect(answer.missing).toEqual([2]);
    expect(answer.found[0]?.local.reqs_rank_1h).toBeUndefined();
    const told = (await (await call(`/v1/sites/api/fingerprints/${ja4On(0)}`)).json()) as {
      partial: unknown;
    };
    expect(told.partial).toEqual({ missing_shards: [2] });
  });

  it("CENSUS-8: with older code on the other side nothing throws, and ranks stay at the last good ones", async () => {
    const read = async () => (await shardStub("shop", 2).read([ja4On(2)])).found[0];
    const before = await read();
    expect(before?.local).toMatchObject({ reqs_rank_1h: 2, population: 4 });
    // An older Census has no `exchange`.
    const heal = await breakMethods(censusStub("shop"), "exchange");
    await runDurableObjectAlarm(shardStub("shop", 2));
    expect((await read())?.local).toEqual(before?.local);
    await heal();
    // An older shard's report, and one of a later form.
    const reporter = { epoch: 1, shard: 3, shards: SHARDS, known: undefined };
    for (const told of [{ asOfMs: Date.now(), counts: {} }, { form: 3 }]) {
      expect(await censusStub("shop").exchange(told, reporter)).toEqual({ ok: false, fault: "unknown_form" });
    }
    expect((await read())?.local).toEqual(before?.local);
  });

  it("CENSUS-9: a shard that hangs is asked once a tick and holds no reader up", async () => {
    const stub = shardStub("api", 1);
    let asked = 0;
    const gate = Promise.withResolvers<void>();
    await evictDurableObject(shardStub("api", 2));
    await stub.ingest([frame(1, Date.now(), 20, ja4On(1))], SHARDS);
    // On a slow machine its own tick would tell the Census first.
    await runInDurableObject(stub, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(censusStub("api"));
    await runInDurableObject(stub, (instance: FingerprintShard) => {
      const prototype = Object.getPrototypeOf(instance) as FingerprintShard;
      const real = prototype.rankTables;
      prototype.rankTables = async function slow(this: FingerprintShard) {
        if (this !== instance) return real.call(this);
        asked++;
        await gate.promise;
        return real.call(this);
      } as never;
    });
    const read = () => shardStub("api", 0).read([ja4On(0)]);
    await runDurableObjectAlarm(shardStub("api", 0));
    const first = await read();
    expect([first.missing, first.found[0]?.local.population, asked]).toEqual([[1], undefined, 1]);
    // Its answer counts, however late.
    await runInDurableObject(stub, () => gate.resolve());
    await vi.waitFor(async () => expect((await read()).missing).toEqual([]), {
      timeout: 20_000,
      interval: 300,
    });
    expect((await read()).found[0]?.local).toMatchObject({ reqs_rank_1h: 2, population: 2 });
  });
});

describe("partial failure of ingest", () => {
  it("ING-P1: without a key, 503 says how many counted", async () => {
    const before = await accepted("default");
    const heal = await breakMethods(shardStub("default", 1), "ingest");
    const answer = await post("default", records(40));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await answer.json()).toMatchObject({ status: 503, counted: 30 });
    await heal();
    expect((await accepted("default")) - before).toBe(30);
  });

  it("ING-P2: with a key, a repeat completes the missing part and doubles none", async () => {
    const before = await accepted("default");
    const body = records(40);
    const heal = await breakMethods(shardStub("default", 2), "ingest");
    expect((await post("default", body, "partial")).status).toBe(503);
    await heal();
    const again = await post("default", body, "partial");
    expect([again.status, await again.json()]).toMatchObject([202, { accepted: 40 }]);
    const third = await post("default", body, "partial");
    expect([third.status, await third.json()]).toMatchObject([202, { accepted: 40 }]);
    expect((await accepted("default")) - before).toBe(40);
  });

  it("ING-P3: a key whose home is down is 503, not 500, and nothing counts", async () => {
    const before = await accepted("default");
    const key = "homeless";
    const home = shardStub("default", shardOf(key, SHARDS, 1));
    const heal = await breakMethods(home, "claim");
    expect((await post("default", records(4), key)).status).toBe(503);
    await heal();
    expect(await accepted("default")).toBe(before);
  });

  it("READ-P1: a shard that is down makes lists and summaries partial, not failed", async () => {
    await post("default", records(4));
    await breakMethods(shardStub("default", 3), "list", "summary", "read");
    for (const path of ["fingerprints", "summary"]) {
      const answer = await call(`/v1/sites/default/${path}`);
      expect([answer.status, ((await answer.json()) as { partial: unknown }).partial]).toEqual([
        200,
        { missing_shards: [3] },
      ]);
    }
    const lookup = await call("/v1/sites/default/fingerprints/lookup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ja4: [ja4On(0), ja4On(3)] }),
    });
    expect(await lookup.json()).toMatchObject({
      fingerprints: [{ ja4: ja4On(0) }],
      missing: [],
      partial: { missing_shards: [3] },
    });
    expect((await call(`/v1/sites/default/fingerprints/${ja4On(3)}`)).status).toBe(503);
    await evictDurableObject(shardStub("default", 3));
    expect((await call(`/v1/sites/default/fingerprints/${ja4On(3)}`)).status).toBe(200);
  });

  it("REL-3: relatives and families of a site with a shard down are partial, unless it is the fingerprint's own", async () => {
    await post("default", records(4));
    await breakMethods(shardStub("default", 3), "related", "families", "timeline");
    for (const path of [`fingerprints/${ja4On(0)}/related`, "families?part=a"]) {
      const answer = await call(`/v1/sites/default/${path}`);
      expect(await answer.json()).toMatchObject({ partial: { missing_shards: [3] } });
    }
    for (const what of ["related", "timeline"])
      expect((await call(`/v1/sites/default/fingerprints/${ja4On(3)}/${what}`)).status).toBe(503);
    await evictDurableObject(shardStub("default", 3));
    expect((await call(`/v1/sites/default/fingerprints/${ja4On(3)}/timeline`)).status).toBe(200);
  });

  it("READ-P2: a shard that hangs is given up in time: a missing part of lists, 503 where it alone knows", async () => {
    const stub = shardStub("default", 2);
    const gate = Promise.withResolvers<void>();
    await runInDurableObject(stub, (instance: FingerprintShard) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, (...given: unknown[]) => unknown>;
      for (const method of ["list", "read"]) {
        const real = prototype[method]!;
        prototype[method] = async function slow(this: unknown, ...given: unknown[]) {
          if (this === instance) await gate.promise;
          return real.apply(this, given);
        };
      }
    });
    const [list, one] = await Promise.all(
      ["fingerprints", `fingerprints/${ja4On(2)}`].map((path) => call(`/v1/sites/default/${path}`)),
    );
    expect([list!.status, await list!.json()]).toMatchObject([200, { partial: { missing_shards: [2] } }]);
    expect([one!.status, one!.headers.get("retry-after")]).toEqual([503, "5"]);
    await runInDurableObject(stub, () => gate.resolve());
    expect((await call(`/v1/sites/default/fingerprints/${ja4On(2)}`)).status).toBe(200);
  });
});

describe("settings", () => {
  const body = JSON.stringify({
    when: { signal: "reqs", window: "1m", op: ">", value: 5 },
    on_missing: "skip",
    clear: { for: "0s" },
  });
  const put = (id: string) =>
    call(`/v1/sites/shop/thresholds/${id}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body,
    });
  const inForce = async (shard: number): Promise<string[]> =>
    runInDurableObject(shardStub("shop", shard), (_, state) => {
      const row = state.storage.sql
        .exec<{ value: string }>("SELECT value FROM meta WHERE key = 'settings'")
        .toArray()[0];
      return row === undefined
        ? []
        : (JSON.parse(row.value) as { thresholds: { id: string }[] }).thresholds.map(({ id }) => id);
    });

  it("SET-1: a threshold is on every shard's disk when the write is answered, evicted ones included", async () => {
    await evictDurableObject(shardStub("shop", 1));
    expect((await put("first")).status).toBe(201);
    for (let shard = 0; shard < SHARDS; shard++) expect(await inForce(shard)).toEqual(["first"]);
  });

  it("RULE-20: a threshold of the whole site is watched by the first shard, whichever shards have the traffic", async () => {
    const put = await call("/v1/sites/whole/thresholds/busy", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        scope: "site",
        when: { signal: "reqs", window: "1m", op: ">=", value: 30 },
        on_missing: "skip",
      }),
    });
    expect(put.status).toBe(201);
    const now = Date.now();
    await shardStub("whole", 1).ingest([frame(1, now, 20, ja4On(1))], SHARDS);
    await shardStub("whole", 2).ingest([frame(2, now, 10, ja4On(2))], SHARDS);
    const raised = () =>
      runInDurableObject(env.FEED_NS.getByName("v1/whole/feed"), (_, state) =>
        state.storage.sql
          .exec<{ event: string }>("SELECT event FROM events")
          .toArray()
          .map(({ event }) => JSON.parse(event) as { type: string; subject: string; data: object }),
      );
    // A sum without a shard is none.
    const heal = await breakMethods(shardStub("whole", 2), "summary");
    await runDurableObjectAlarm(shardStub("whole", 0));
    expect(await raised()).toEqual([]);
    await heal();
    expect(await runDurableObjectAlarm(shardStub("whole", 0))).toBe(true);
    await evictDurableObject(shardStub("whole", 0));
    await runDurableObjectAlarm(shardStub("whole", 0));
    const events = await raised();
    expect(events).toMatchObject([
      {
        ...{ type: "hellotide.threshold.raised", subject: "site" },
        data: { kind: "threshold", threshold: "busy", signal: "reqs", window: "1m", observed: 30, value: 30 },
      },
    ]);
    expect("ja4" in events[0]!.data).toBe(false);
    const active = await (await call("/v1/sites/whole/thresholds/busy")).json();
    expect(active).toMatchObject({ scope: "site", active: ["site"] });
  });

  it("SET-2: a shard that was down when it was pushed gets it from the alarm's repeat", async () => {
    await breakMethods(shardStub("shop", 2), "applySettings");
    expect((await put("second")).status).toBe(201);
    expect(await inForce(2)).toEqual(["first"]);
    await evictDurableObject(shardStub("shop", 2));
    expect(await runDurableObjectAlarm(env.SETTINGS_NS.getByName("v1/shop/settings"))).toBe(true);
    expect(await inForce(2)).toEqual(["first", "second"]);
  });

  it("SET-3: the number of shards is kept from the first start", async () => {
    const settings = env.SETTINGS_NS.getByName("v1/shop/settings");
    const first = await settings.map();
    await evictDurableObject(settings);
    expect(await settings.map()).toEqual(first);
    expect(first).toEqual({ epoch: 1, shards: SHARDS });
  });

  it("SET-4: an older push does not undo a newer one", async () => {
    const stub = shardStub("api", 3);
    expect(
      await stub.applySettings({
        revision: 5,
        shards: SHARDS,
        thresholds: [],
        silences: [],
        detection: DEFAULT_DETECTION,
      }),
    ).toBe(5);
    expect(
      await stub.applySettings({
        revision: 4,
        shards: SHARDS,
        thresholds: [],
        silences: [],
        detection: DEFAULT_DETECTION,
      }),
    ).toBe(5);
  });

  it("OUT-1: a raised threshold reaches the feed once, whether the shard or the feed was evicted between", async () => {
    const shard = shardOf(CHROME, SHARDS, 1);
    const stub = shardStub("shop", shard);
    await stub.ingest([frame(77, Date.now(), 50)], SHARDS);
    await runDurableObjectAlarm(stub);
    await evictDurableObject(stub);
    await evictDurableObject(env.FEED_NS.getByName("v1/shop/feed"));
    await runDurableObjectAlarm(stub);
    const raised = await runInDurableObject(env.FEED_NS.getByName("v1/shop/feed"), (_, state) =>
      state.storage.sql
        .exec<{ event: string }>("SELECT event FROM events")
        .toArray()
        .map(
          ({ event }) => JSON.parse(event) as { type: string; subject: string; data: { threshold?: string } },
        )
        .filter(({ subject, type }) => subject === CHROME && type === "hellotide.threshold.raised")
        .map(({ data }) => data.threshold),
    );
    expect(raised.sort()).toEqual(["first", "second"]);
  });
});
