/** From a visitor's request.cf to what the API shows, for every kind of absence. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  createClient,
  fullForm,
  ingestAll,
  ja4Of,
  summaryOf,
  until,
} from "../support/client.ts";
import { REAL_BOT_MANAGEMENT } from "../support/facts.ts";
import type { FullForm } from "../support/oracle-forms.ts";
import { type Origin, startOrigin, type Visit, visit } from "../support/origin.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SHOP = "www.shop.example";
const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

let origin: Origin;
let server: TestServer;
let client: Client;

beforeAll(async () => {
  origin = await startOrigin((incoming, answer) => {
    const status = Number(/^\/(\d{3})/.exec(incoming.url ?? "")?.[1] ?? 200);
    answer.writeHead(status, { "cf-cache-status": incoming.headers["x-cache"] ?? "DYNAMIC" }).end();
  });
  const sites = {
    shop: [SHOP],
    ips: ["ips.example"],
    none: ["none.example"],
    sources: ["*.sources.example"],
  };
  const env = {
    ...{ ORIGIN_URL: origin.url, SITES: JSON.stringify(sites), FLUSH: "1s", TICK: "1s" },
    ...{ SIGNALS_HEADER: "on", JA4_HEADER: "x-ja4", FINGERPRINT: "ja4-or-tls" },
  };
  server = await startServer({ env, testCf: true });
  client = createClient(server);
});
afterAll(async () => {
  await server?.stop();
  await origin?.stop();
});

const see = (over: Partial<Visit> = {}) => visit(server.url, { host: SHOP, ...over });

/** The form once it shows so many requests. */
function formOf(ja4: string, reqs = 1, site = "shop"): Promise<FullForm> {
  return until(`${reqs} of ${ja4}`, 15_000, async () => {
    const answer = await client.get(`/v1/sites/${site}/fingerprints/${ja4}`);
    if (answer.status !== 200) return undefined;
    const form = answer.json<FullForm>();
    return form.windows["1h"].reqs >= reqs ? form : undefined;
  });
}

function summaryWith(site: string, accepted: number) {
  return until(`${accepted} accepted on ${site}`, 15_000, async () => {
    const summary = await summaryOf(client, site);
    return (summary.since_start.accepted ?? 0) >= accepted ? summary : undefined;
  });
}

describe("a request shows up", () => {
  it("EDGE-14: with every fact of its request, its response and its fingerprint", async () => {
    const bot = REAL_BOT_MANAGEMENT[0]!;
    const cf = { asn: 64_500, httpProtocol: "HTTP/2", botManagement: { ...bot, verifiedBot: false } };
    const headers = { "user-agent": CHROME, "cf-connecting-ip": "203.0.113.9", "x-cache": "HIT" };
    await see({ cf, headers, path: "/404?q=secret" });
    await see({
      cf,
      headers: { ...headers, "cf-connecting-ip": "203.0.113.10", "x-cache": "DYNAMIC" },
      path: "/login",
    });
    const form = await formOf(bot.ja4!, 2);
    expect(form.windows["1h"]).toMatchObject({
      ...{ reqs: 2, ips: 2, uas: 1, paths: 2, asns: 1, hosts: 1 },
      ...{
        h2h3_ratio: 1,
        heuristic_ratio: 0,
        browser_ratio: 1,
        bot_ratio: 0,
        cache_ratio: 0.5,
        error_ratio: 0.5,
      },
    });
    expect(form.global).toMatchObject(bot.ja4Signals);
  });

  it.each<[string, unknown, Record<string, unknown>, string[]]>([
    [
      "bare JA4",
      {},
      { error_ratio: 0, cache_ratio: 0 },
      ["h2h3_ratio", "heuristic_ratio", "asns", "uas", "browser_ratio"],
    ],
    [
      "malformed asn and protocol",
      { asn: "64500", httpProtocol: "SPDY" },
      { reqs: 1 },
      ["asns", "h2h3_ratio"],
    ],
    ["detectionIds {}", { bot: { detectionIds: {} } }, { heuristic_ratio: 0 }, ["h2h3_ratio"]],
    ["a detection", { bot: { detectionIds: [33554817] } }, { heuristic_ratio: 1 }, []],
    ["a verified bot", { bot: { verifiedBot: true } }, { bot_ratio: 1 }, []],
    ["a score of 0", { bot: { score: 0 } }, { reqs: 1 }, ["heuristic_ratio", "bot_ratio"]],
    ["empty signals", { bot: { ja4Signals: {} } }, { reqs: 1 }, ["heuristic_ratio"]],
  ])("EDGE-14: %s: known is shown, unknown is absent", async (name, given, shown, absent) => {
    const { bot = {}, ...cf } = given as { bot?: object };
    const ja4 = ja4Of(1_000 + name.length * 31 + name.charCodeAt(0));
    await see({ cf: { ...cf, botManagement: { ja4, ...bot } } });
    const form = await formOf(ja4);
    expect(form.windows["1h"]).toMatchObject(shown);
    for (const key of absent) expect(form.windows["1h"][key] ?? 0, key).toBe(0);
    for (const key of absent.filter((each) => each.endsWith("ratio")))
      expect(form.windows["1h"]).not.toHaveProperty(key);
    expect(form).not.toHaveProperty("global");
  });

  it("EDGE-15: without a JA4 it is counted as such, whatever else request.cf says", async () => {
    const placeholder = { score: 99, detectionIds: {}, verifiedBot: false, jsDetection: { passed: false } };
    const cfs = [
      {},
      { asn: 1 },
      { botManagement: null },
      { botManagement: placeholder },
      { botManagement: { ja4: null } },
      { botManagement: { ja4: "" } },
    ];
    for (const cf of cfs) expect((await see({ host: "none.example", cf })).status).toBe(200);
    const { windows, since_start } = await summaryWith("none", cfs.length);
    expect(windows["1h"]).toMatchObject({ reqs: cfs.length, without_ja4: cfs.length, fingerprints: 0 });
    expect(since_start).toMatchObject({ fields_dropped: 0, lost_at_edge: 0 });
  });

  it("EDGE-16: fields that cannot be used are dropped one by one, and the summary says how many", async () => {
    const cf = { asn: -1, botManagement: { ja4: "t13d", score: "99" } };
    await see({ host: "none.example", cf, headers: { "cf-connecting-ip": "nobody" } });
    const { since_start } = await summaryWith("none", 7);
    expect(since_start).toMatchObject({ accepted: 7, fields_dropped: 3, rejected: 0, lost_at_edge: 0 });
    // Asking changes nothing.
    const again = await summaryOf(client, "none");
    expect(again).toMatchObject({ since_start, sources: { edge: 7 } });
  });

  it("EDGE-17: addresses of one IPv6 /64 are one, an IPv4-mapped one is the IPv4", async () => {
    const ja4 = ja4Of(2);
    const addresses = [
      "2001:db8::1",
      "2001:db8::ffff:1",
      "2001:db8:0:1::1",
      "198.51.100.7",
      "::ffff:198.51.100.7",
    ];
    for (const address of addresses) {
      await see({
        host: "ips.example",
        cf: { botManagement: { ja4 } },
        headers: { "cf-connecting-ip": address },
      });
    }
    expect((await formOf(ja4, 5, "ips")).windows["1h"]).toMatchObject({ reqs: 5, ips: 3 });
  });

  it("EDGE-18: the host decides the site, and the edge is its source", async () => {
    const ja4 = ja4Of(3);
    for (const host of [
      "a.sources.example",
      "B.Sources.example:80",
      "sources.example",
      "elsewhere.example",
    ]) {
      await see({ host, cf: { botManagement: { ja4 } } });
    }
    expect(await summaryWith("sources", 2)).toMatchObject({
      sources: { edge: 2 },
      windows: { "1h": { fingerprints: 1 } },
    });
    expect((await formOf(ja4, 2, "sources")).windows["1h"]).toMatchObject({ reqs: 2, hosts: 2 });
    expect(await summaryWith("default", 2)).toMatchObject({ sources: { edge: 2 } });
  });

  it("EDGE-19: a trusted header brings the JA4, and TLS facts a pseudo fingerprint", async () => {
    const ja4 = ja4Of(4);
    await see({ cf: {}, headers: { "x-ja4": ja4 } });
    expect((await formOf(ja4)).windows["1h"].reqs).toBe(1);
    const tls = {
      tlsVersion: "TLSv1.3",
      tlsClientCiphersSha1: "GXSPDLP4G3X+prK73a4wBuOaHRc=",
      httpProtocol: "HTTP/2",
    };
    await see({ cf: tls });
    const form = await formOf("xe093529ddec7590bffbde15c");
    expect([form.source, form.windows["1h"].h2h3_ratio]).toEqual(["tls", 1]);
  });
});

describe("signals to the origin", () => {
  const DICTIONARY = /^[a-z*][a-z0-9_.*-]*=\d{1,15}(, [a-z*][a-z0-9_.*-]*=\d{1,15})*$/;

  it("EDGE-20: once they are known, the origin gets them as a dictionary, and the visitor's own never", async () => {
    const ja4 = ja4Of(5);
    const headers = { "user-agent": CHROME, "x-hellotide-signals": "forged=1" };
    const told = async () => {
      await see({ cf: { botManagement: { ja4 } }, headers, path: "/404" });
      return origin.seen.at(-1)?.headers["x-hellotide-signals"];
    };
    await ingestAll(client, "shop", [{ timestamp: Date.now(), ja4, user_agent: CHROME, status: 404 }]);
    expect(await told()).toBeUndefined();
    const value = String(await until("signals", 10_000, told));
    expect(value).toMatch(DICTIONARY);
    const members = Object.fromEntries(value.split(", ").map((member) => member.split("=")));
    expect(members).toMatchObject({ browser_ratio_1h_ppm: "1000000", error_ratio_1h_ppm: "1000000" });
    expect(Number(members.age)).toBeLessThanOrEqual(60);
    await see({ cf: {}, headers });
    expect(origin.seen.at(-1)?.headers).not.toHaveProperty("x-hellotide-signals");
    expect((await fullForm(client, "shop", ja4)).local.error_ratio_1h).toBe(1);
  });
});
