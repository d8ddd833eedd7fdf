/** A layer-7 flood over an hour of ordinary traffic, at the default tick of 5 s: raised within 10 s, exactly once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fullForm,
  ingestAll,
  ja4Of,
  nullsIn,
  TIME_PATTERN,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { type Feed, type FeedEvent, openFeed, stored } from "../support/stream.ts";
import { type Background, backfill, burst } from "./helpers/background.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { settle } from "./helpers/rules.ts";

const SEED = 71;
const RAISE_MS = 10_000;
/** Two ticks and more, in which ordinary traffic must raise nothing. */
const CALM_MS = 12_000;

interface Scene {
  readonly site: string;
  readonly ja4: string;
  readonly feed: Feed;
  readonly event: FeedEvent;
  readonly tookMs: number;
  readonly before: readonly FeedEvent[];
}

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
const scenes = {} as Record<"known" | "unseen", Scene>;

/** A flood as 3,000 logins in 3 s, spread over many addresses. */
async function play(site: string, seed: number, choose: (background: Background) => string): Promise<Scene> {
  const background = await backfill(client, site, { seed, fingerprints: 200, perMinute: 400 });
  const feed = await openFeed(server, site, { query: "since=0" });
  const live = background.live();
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  const before = stored(feed);
  const ja4 = choose(background);
  const flood = burst(3_000, 3_000, (i) => ({
    ja4,
    path: i % 10 === 0 ? "/" : "/login",
    method: "POST",
    status: i % 10 === 0 ? 200 : 401,
    client_ip: `10.66.${i % 250}.${i % 7}`,
  }));
  await ingestAll(client, site, flood, { gzip: true });
  const posted = performance.now();
  const raised = (event: FeedEvent): boolean =>
    event.type === "hellotide.anomaly.raised" && event.subject === ja4;
  const event = await feed.waitFor("the flood", raised, RAISE_MS);
  const tookMs = performance.now() - posted;
  await live.stop();
  return { site, ja4, feed, event, tookMs, before };
}

beforeAll(async () => {
  server = await startServer({ sites: ["known", "unseen"], shards: 4 });
  client = createClient(server);
  const [known, unseen] = await Promise.all([
    play("known", SEED, (background) => background.fingerprints[10] as string),
    play("unseen", SEED + 1, () => ja4Of(999_999)),
  ]);
  Object.assign(scenes, { known, unseen });
}, 90_000);
afterAll(() => server?.stop());

describe.each(["known", "unseen"] as const)(`seed ${SEED}: a flood of a fingerprint that is %s`, (name) => {
  it("FLOOD-1: an hour of ordinary traffic raises nothing", () => {
    expect(scenes[name].before.map((event) => [event.type, event.subject, event.data.kind])).toEqual([]);
  });

  it("FLOOD-2: it is raised within 10 s of its post", () => {
    expect(scenes[name].tookMs).toBeLessThan(RAISE_MS);
  });

  it("FLOOD-3: the event's envelope is as the contract shows it", () => {
    const { event, site, ja4 } = scenes[name];
    expect(event).toMatchObject({ specversion: "1.0", source: `/sites/${site}`, subject: ja4 });
    expect(event.datacontenttype).toBe("application/json");
    expect(event.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(event.sequence).toMatch(/^\d{16}$/);
    expect(event.time).toMatch(TIME_PATTERN);
    expect(nullsIn(event)).toEqual([]);
  });

  it("FLOOD-4: its data are complete, well typed and consistent", () => {
    const { event, ja4 } = scenes[name];
    const { data } = event;
    const number = expect.any(Number);
    const string = expect.any(String);
    expect(data).toMatchObject({
      anomaly_id: string,
      kind: string,
      ja4,
      score: number,
      p: number,
      window: string,
      observed: number,
      unit: string,
      silenced: false,
      grouped: false,
      url: string,
      summary: string,
    });
    expect(data.severity).toMatch(/^(info|warning|critical)$/);
    expect(data.started_at).toMatch(TIME_PATTERN);
    const [score, p] = [Number(data.score), Number(data.p)];
    expect(p).toBeGreaterThan(0);
    expect(p).toBeLessThan(0.01);
    expect(score).toBeLessThanOrEqual(30);
    expect(Math.abs(score + Math.log10(p))).toBeLessThan(0.06);
    expect(data.url).toMatch(new RegExp(`^https?://.+/#/sites/${name}/fingerprints/${ja4}$`));
    const because = data.because as readonly Record<string, unknown>[];
    expect(because.length).toBeGreaterThan(0);
    expect(because[0]).toMatchObject({ signal: string, local: number, p: number });
  });

  it("FLOOD-5: its evidence names the path, host, network, status and method of the flood", () => {
    const evidence = scenes[name].event.data.evidence as Record<string, readonly unknown[]>;
    const top = (key: string): unknown => (evidence[key]?.[0] as readonly unknown[] | undefined)?.[0];
    expect([top("paths"), top("hosts"), top("asns"), top("statuses"), top("methods")]).toEqual([
      "/login",
      "www.example.com",
      64_500,
      401,
      "POST",
    ]);
    for (const key of ["paths", "hosts", "asns", "statuses", "methods"]) {
      const rows = evidence[key] as readonly (readonly [unknown, number])[];
      expect(rows.length).toBeLessThanOrEqual(3);
      for (const [, share] of rows) expect(share > 0 && share <= 1).toBe(true);
    }
    const rays = evidence.ray_ids ?? [];
    expect(rays.length).toBeGreaterThan(0);
    expect(rays.length).toBeLessThanOrEqual(5);
    for (const ray of rays) expect(ray).toMatch(/^[0-9a-f]{16}$/);
  });

  it("FLOOD-6: the fingerprint shows the anomaly and its score, and is first when sorted by it", async () => {
    const { site, ja4, event } = scenes[name];
    const form = await until("the anomaly in the full form", 6_000, async () => {
      const one = await fullForm(client, site, ja4);
      return one.anomalies?.some((anomaly) => anomaly.anomaly_id === event.data.anomaly_id) ? one : undefined;
    });
    expect(form.score).toBeGreaterThan(0);
    const first = await client.get(`/v1/sites/${site}/fingerprints?sort=score&limit=1`);
    expect(first.json<{ fingerprints: { ja4: string }[] }>().fingerprints[0]?.ja4).toBe(ja4);
  });

  it("FLOOD-7: a client that comes later with since=0 gets it exactly once, and no other fingerprint's", async () => {
    const { site, ja4, event } = scenes[name];
    const late = await openFeed(server, site, { query: "since=0" });
    await late.waitFor("the flood", (one) => one.id === event.id);
    await settle(late);
    const raised = late.events.filter((one) => one.type === "hellotide.anomaly.raised");
    expect(raised.filter((one) => one.data.anomaly_id === event.data.anomaly_id)).toEqual([event]);
    expect(raised.filter((one) => one.subject !== ja4)).toEqual([]);
    const kinds = raised.map((one) => one.data.kind);
    expect(new Set(kinds).size).toBe(kinds.length);
    late.close();
  });
});

describe("the known fingerprint's flood", () => {
  it("FLOOD-8: it is a surge, with what was expected and its 95 % interval below what was seen", () => {
    const surge = stored(scenes.known.feed).find((event) => event.data.kind === "surge");
    const { observed, expected, low, high } = (surge?.data ?? {}) as Record<string, number>;
    expect(expected).toBeGreaterThan(0);
    expect(low).toBeLessThanOrEqual(expected as number);
    expect(high).toBeGreaterThanOrEqual(expected as number);
    expect(high).toBeLessThan(observed as number);
    expect(observed).toBeGreaterThan(500);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
