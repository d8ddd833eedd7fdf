/** Dry runs over HTTP, thresholds of the whole site, what contradicts itself, and how soon a threshold is in force. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shardOf } from "../../src/base/hash.ts";
import { type Client, createClient, ja4Of, pointersOf, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type FeedEvent, openFeed } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { isThreshold, putRule, rule, thresholdsPath, visit } from "./helpers/rules.ts";

const SHARDS = 4;
/** Contract §5, and the time that an event takes to get here. */
const IN_FORCE_MS = 2_000 + 1_500;
const RAISE_MS = 12_000;

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["dry", "whole", "soon"], shards: SHARDS });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

/** A fingerprint of each shard. */
const spread = Array.from({ length: SHARDS }, (_, shard) => {
  for (let i = 700; ; i++) if (shardOf(ja4Of(i), SHARDS, 1) === shard) return ja4Of(i);
});

describe("dry runs", () => {
  const when = { signal: "reqs", window: "1m", op: ">", value: 5 };

  it("RULE-21: of an unsaved threshold and of a stored one: the documented answer, and nothing changes", async () => {
    const [busy, calm] = [ja4Of(1), ja4Of(2)];
    await visit(client, "dry", busy, 9);
    await visit(client, "dry", calm, 2);
    const body = { when, on_missing: "skip", enabled: false };
    const unsaved = await client.post(thresholdsPath("dry", "test"), { json: body });
    expect(unsaved.status).toBe(200);
    expect(unsaved.json()).toMatchObject({
      ...{ evaluated: 2, missing: 0, would_fire: [{ ja4: busy, observed: 9 }] },
      last_hour: { episodes: 1, fingerprints: 1 },
    });
    expect((await client.get(thresholdsPath("dry"))).json()).toEqual({ items: [] });
    await putRule(client, "dry", rule("kept", { when: { ...when, value: 1 }, enabled: false }));
    const stored = await client.post(`${thresholdsPath("dry", "kept")}/test`);
    expect([stored.status, stored.json<{ would_fire: unknown[] }>().would_fire.length]).toEqual([200, 2]);
    expect((await client.get(thresholdsPath("dry", "kept"))).json()).toMatchObject({ active: [] });
    const site = { scope: "site", when: { ...when, value: 10 }, on_missing: "skip" };
    expect((await client.post(thresholdsPath("dry", "test"), { json: site })).json()).toMatchObject({
      ...{ evaluated: 1, missing: 0, would_fire: [{ observed: 11 }] },
    });
  }, 20_000);

  it("RULE-21: an unknown id is 404, an invalid body 422 with its pointer", async () => {
    expect(problemFaults(await client.post(`${thresholdsPath("dry", "none")}/test`), 404)).toEqual([]);
    const bad = await client.post(thresholdsPath("dry", "test"), {
      json: { when: { ...when, signal: "moon" }, on_missing: "skip" },
    });
    expect(problemFaults(bad, 422)).toEqual([]);
    expect(pointersOf(bad)).toEqual(["/when/signal"]);
  });

  it("RULE-15: one that is over already is refused", async () => {
    const json = rule("over", { expires_at: "2020-01-01T00:00:00Z" });
    const answer = await client.post(thresholdsPath("dry"), { json });
    expect([answer.status, pointersOf(answer)]).toEqual([422, ["/expires_at"]]);
  });
});

describe("the whole site", () => {
  it("RULE-13: is raised by the sum of all shards, with the subject `site`, and cleared when deleted", async () => {
    const feed = await openFeed(server, "whole", { query: "since=0" });
    const when = { signal: "reqs", window: "5m", op: ">=", value: 4 * SHARDS };
    await putRule(client, "whole", rule("sum", { scope: "site", when }));
    for (const ja4 of spread) await visit(client, "whole", ja4, 4);
    const raised = await feed.waitFor("raised", isThreshold("raised", "sum"), RAISE_MS);
    expect(raised).toMatchObject({ subject: "site", data: { signal: "reqs", value: 16, observed: 16 } });
    expect("ja4" in raised.data).toBe(false);
    expect((await client.get(thresholdsPath("whole", "sum"))).json()).toMatchObject({ active: ["site"] });
    await client.delete(thresholdsPath("whole", "sum"));
    const cleared = await feed.waitFor("cleared", isThreshold("cleared", "sum"), RAISE_MS);
    expect(cleared.data.reason).toBe("deleted");
  }, 40_000);
});

describe("how soon", () => {
  it("RULE-22: in force on every shard within 2 s of the answer, also after SIGKILL", async () => {
    for (const ja4 of spread) await visit(client, "soon", ja4, 6);
    let feed = await openFeed(server, "soon", { query: "since=0" });
    const whole = { signal: "reqs", window: "1h", op: ">", value: 5 };
    const raisedAt = (id: string) =>
      Promise.all(
        spread.map((ja4) => feed.waitFor(`${id} ${ja4}`, isThreshold("raised", id, ja4), IN_FORCE_MS)),
      );
    await putRule(client, "soon", rule("first", { when: whole }));
    expect((await raisedAt("first")).map(({ subject }: FeedEvent) => subject)).toEqual(spread);
    await putRule(client, "soon", rule("second", { when: { ...whole, value: 7 } }));
    await server.kill();
    await server.restart();
    feed = await openFeed(server, "soon", { query: "since=0" });
    for (const ja4 of spread) await visit(client, "soon", ja4, 2);
    for (const ja4 of spread) await feed.waitFor(ja4, isThreshold("raised", "second", ja4), RAISE_MS);
    const again = feed.events.filter(isThreshold("raised", "first"));
    expect(again.length).toBe(SHARDS);
  }, 60_000);
});

describe("documents", () => {
  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
