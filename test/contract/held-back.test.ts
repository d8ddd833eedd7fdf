/**
 * What users hold back, through the API on the real engine: silences over thresholds and built-in kinds until they end, kinds
 * that are off, `min_reqs`. Each with what is told beside it, so that silence alone proves nothing. The server ticks each second.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingestAll, ja4Of } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, type FeedEvent, openFeed, stored } from "../support/stream.ts";
import { type Background, backfill, burst } from "./helpers/background.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { putRule, rule, visit } from "./helpers/rules.ts";

const SEED = 93;
const RAISE_MS = 25_000;
/** Ticks in which what is held back would be told. */
const TICKS_MS = 3_000;
const RULED = "ruled";
const SCENES = ["off", "few", "hush"] as const;
type Site = (typeof SCENES)[number] | typeof RULED;

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
const told = {} as Record<Site, Feed>;
/** The same feeds with what is silenced. */
const all = {} as Record<Site, Feed>;
const backgrounds = {} as Record<Site, Background>;
const lives: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  server = await startServer({ sites: [...SCENES, RULED], shards: 2, env: { TICK: "1s" } });
  client = createClient(server);
  for (const [i, site] of SCENES.entries()) {
    backgrounds[site] = await backfill(client, site, { seed: SEED + i, fingerprints: 100, perMinute: 300 });
  }
  for (const site of [...SCENES, RULED] as const) {
    told[site] = await openFeed(server, site, { query: "since=0" });
    all[site] = await openFeed(server, site, { query: "since=0&silenced=true" });
  }
  for (const site of SCENES) lives.push(backgrounds[site].live());
}, 90_000);
afterAll(async () => {
  for (const live of lives) await live.stop();
  await server?.stop();
});

const fingerprint = (site: Site, rank: number) => backgrounds[site].fingerprints[rank] as string;
const isOf = (change: string, ja4: string, kind: string) => (event: FeedEvent) =>
  event.type.endsWith(`.${change}`) && event.subject === ja4 && event.data.kind === kind;
/** `change silenced reason` of a fingerprint's events of a kind, in order. */
const storyOf = (feed: Feed, ja4: string, kind: string) =>
  stored(feed)
    .filter((event) => event.subject === ja4 && event.data.kind === kind && !event.type.endsWith(".updated"))
    .map(({ type, data }) =>
      [type.split(".").at(-1), data.silenced ? "silenced" : "loud", data.reason ?? ""].join(" ").trim(),
    );

interface Listed {
  anomalies: FeedEvent[];
}

/** What `…/anomalies` says of a fingerprint and kind, newest first: `change silenced`, and whether it is active. */
async function listed(site: Site, ja4: string, kind: string): Promise<string[]> {
  const ask = async (active: boolean) => {
    const query = `ja4=${ja4}&kind=${kind}&active=${active}`;
    return (await client.get(`/v1/sites/${site}/anomalies?${query}`)).json<Listed>().anomalies;
  };
  const say = (state: string) => (event: FeedEvent) =>
    `${state} ${event.data.silenced ? "silenced" : "loud"}`;
  return [...(await ask(true)).map(say("active")), ...(await ask(false)).map(say("over"))];
}

async function silence(site: Site, id: string, json: object): Promise<void> {
  const { status, text } = await client.put(`/v1/sites/${site}/silences/${id}`, { json });
  if (status !== 201) throw new Error(text);
}

async function detection(site: Site, kind: string, json: object): Promise<void> {
  const { status, text } = await client.put(`/v1/sites/${site}/detection`, {
    json: { kinds: { [kind]: json } },
  });
  if (status >= 300) throw new Error(text);
}

/** Nine of ten requests fail where three of a hundred do. */
const errors = (site: Site, ja4: string, count: number) =>
  ingestAll(
    client,
    site,
    burst(count, 10_000, (i) => ({ ja4, status: i % 10 === 0 ? 200 : 403 })),
  );

/** Paths that nobody asked for: another kind, which is told whatever holds `error_burst` back. */
async function scan(site: Site, ja4: string): Promise<void> {
  const records = burst(300, 10_000, (i) => ({ ja4, path: `/wp-${i}/${SEED}.php`, status: 404 }));
  await ingestAll(client, site, records);
  await told[site].waitFor("the scan", isOf("raised", ja4, "path_scan"), RAISE_MS);
}

describe.concurrent(`seed ${SEED}: what is held back`, () => {
  it("PRF-12: a silence marks what it matches and keeps it from the feed until it expires; then it is told", async () => {
    const [quiet, loud] = [ja4Of(1, "t12i0303h1"), ja4Of(2, "t10i0303h1")];
    const untilMs = Date.now() + 8_000;
    await silence(RULED, "load-test", { ja4: "t12i*", until: new Date(untilMs).toISOString() });
    // Of another kind: hides nothing here.
    await silence(RULED, "surges", { ja4: "t10i*", kinds: ["surge"] });
    const when = { signal: "reqs", window: "1h", op: ">", value: 2 };
    await putRule(client, RULED, rule("seen", { ja4: "t1*i*", when, cooldown: "0s" }));
    for (const ja4 of [quiet, loud]) await visit(client, RULED, ja4, 3);
    await told[RULED].waitFor("the loud one", isOf("raised", loud, "threshold"), RAISE_MS);
    await all[RULED].waitFor("the quiet one", isOf("raised", quiet, "threshold"), RAISE_MS);
    expect(storyOf(told[RULED], quiet, "threshold")).toEqual([]);
    expect(await listed(RULED, quiet, "threshold")).toEqual(["active silenced"]);
    expect(await listed(RULED, loud, "threshold")).toEqual(["active loud"]);

    const raised = await told[RULED].waitFor("it ends", isOf("raised", quiet, "threshold"), RAISE_MS);
    expect(Date.parse(raised.time)).toBeGreaterThanOrEqual(untilMs);
    expect(storyOf(told[RULED], quiet, "threshold")).toEqual(["raised loud"]);
    await all[RULED].waitUntil("here too", (feed) => storyOf(feed, quiet, "threshold").length === 3);
    expect(storyOf(all[RULED], quiet, "threshold")).toEqual([
      ...["raised silenced", "cleared silenced silenced", "raised loud"],
    ]);
    expect(await listed(RULED, quiet, "threshold")).toEqual(["active loud", "over silenced"]);
    expect(storyOf(told[RULED], loud, "threshold")).toEqual(["raised loud"]);
  }, 60_000);

  it("PRF-13: a silence that begins while an anomaly runs ends it as silenced; one that is deleted lets it be told again", async () => {
    const ja4 = ja4Of(3, "q13d0303h3");
    const when = { signal: "reqs", window: "1h", op: ">", value: 2 };
    await putRule(client, RULED, rule("running", { ja4, when, cooldown: "0s" }));
    await visit(client, RULED, ja4, 3);
    await told[RULED].waitFor("raised", isOf("raised", ja4, "threshold"), RAISE_MS);
    await silence(RULED, "allowed", { ja4, kinds: ["threshold"] });
    const cleared = await told[RULED].waitFor("cleared", isOf("cleared", ja4, "threshold"), RAISE_MS);
    expect(cleared.data.reason).toBe("silenced");
    await all[RULED].waitUntil("goes on", (feed) => storyOf(feed, ja4, "threshold").length === 3, RAISE_MS);
    expect(await listed(RULED, ja4, "threshold")).toEqual(["active silenced", "over loud"]);
    expect((await client.delete(`/v1/sites/${RULED}/silences/allowed`)).status).toBe(204);
    await told[RULED].waitUntil("again", (feed) => storyOf(feed, ja4, "threshold").length === 3, RAISE_MS);
    expect(storyOf(told[RULED], ja4, "threshold")).toEqual([
      "raised loud",
      "cleared loud silenced",
      "raised loud",
    ]);
  }, 60_000);

  it("PRF-14: a silence covers built-in kinds too, those that it names, until it expires", async () => {
    const ja4 = fingerprint("hush", 8);
    const untilMs = Date.now() + 20_000;
    const kinds = ["error_burst"];
    await silence("hush", "deploy", { ja4: "*", kinds, until: new Date(untilMs).toISOString() });
    await errors("hush", ja4, 200);
    await all.hush.waitFor("kept", isOf("raised", ja4, "error_burst"), RAISE_MS);
    await scan("hush", fingerprint("hush", 6));
    expect(storyOf(told.hush, ja4, "error_burst")).toEqual([]);
    expect(await listed("hush", ja4, "error_burst")).toEqual(["active silenced"]);
    const raised = await told.hush.waitFor("it ends", isOf("raised", ja4, "error_burst"), RAISE_MS + 20_000);
    expect(Date.parse(raised.time)).toBeGreaterThanOrEqual(untilMs);
    expect(raised.data.silenced).toBe(false);
  }, 90_000);

  it("PRF-15: a kind that is off raises nothing; switched on it does, and off again it is cleared as disabled", async () => {
    const ja4 = fingerprint("off", 8);
    await detection("off", "error_burst", { enabled: false });
    await errors("off", ja4, 200);
    await scan("off", fingerprint("off", 6));
    await sleep(TICKS_MS);
    expect(stored(all.off).filter(({ data }) => data.kind === "error_burst")).toEqual([]);
    await detection("off", "error_burst", { enabled: true });
    await told.off.waitFor("on", isOf("raised", ja4, "error_burst"), RAISE_MS);
    await detection("off", "error_burst", { enabled: false });
    const cleared = await told.off.waitFor("off", isOf("cleared", ja4, "error_burst"), RAISE_MS);
    expect(cleared.data.reason).toBe("disabled");
    expect(await listed("off", ja4, "error_burst")).toEqual(["over loud"]);
  }, 90_000);

  it("PRF-16: `min_reqs` of a kind holds it back until the minute has as many requests", async () => {
    const ja4 = fingerprint("few", 8);
    await detection("few", "error_burst", { min_reqs: 600 });
    await errors("few", ja4, 200);
    await scan("few", fingerprint("few", 6));
    await sleep(TICKS_MS);
    expect(storyOf(all.few, ja4, "error_burst")).toEqual([]);
    // Minutes are the clock's: however it cuts these in two, one part is enough.
    await errors("few", ja4, 1_500);
    await told.few.waitFor("enough", isOf("raised", ja4, "error_burst"), RAISE_MS);
  }, 90_000);
});

describe("after all of them", () => {
  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
