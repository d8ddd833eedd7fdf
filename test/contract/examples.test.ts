/** Every example of the HTTP API's contract: what is shown as sent is sent, what is shown as answered is held to its shape. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type Client,
  createClient,
  ingest,
  ja4Of,
  nullsIn,
  TIME_PATTERN,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { feedPath, openFeed, stored } from "../support/stream.ts";
import { thresholdsPath, visit } from "./helpers/rules.ts";
import { shapeFaults } from "./helpers/shape.ts";

const SITE = "shop";
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const FOREVER_MS = 20_000;

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE, "api"] });
  client = createClient(server);
  const records = Array.from({ length: 120 }, (_, i) => ({
    ...{
      timestamp: Date.now() - 1_000 - i * 10,
      ja4: JA4,
      client_ip: `192.0.2.${i % 80}`,
      path: `/p/${i % 14}`,
    },
    ...{
      host: "www.example.com",
      method: "GET",
      asn: 64_500 + (i % 9),
      http_protocol: "HTTP/2",
      status: i === 0 ? 404 : 200,
    },
    ...{
      user_agent:
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    },
    ...{
      cache_status: "hit",
      bot_score: i % 3 === 0 ? 1 : 99,
      bot_score_src: "Machine Learning",
      detection_ids: [152_120_193],
    },
    ...{
      verified_bot: false,
      ja4_signals: {
        h2h3_ratio_1h: 0.988,
        browser_ratio_1h: 0.936,
        reqs_rank_1h: 850,
        reqs_quantile_1h: 0.99905,
      },
    },
  }));
  const answer = await ingest(client, SITE, records);
  expect(answer.json()).toMatchObject({ accepted: 120 });
  // Ranks come with the first tick after the data.
  await until("ranks", FOREVER_MS, async () => {
    const form = (await client.get(fingerprint())).json<{ local: Record<string, number> }>();
    return form.local.reqs_rank_1h === undefined ? undefined : true;
  });
}, 60_000);
afterAll(() => server?.stop());

function fingerprint(rest = ""): string {
  return `/v1/sites/${SITE}/fingerprints/${JA4}${rest}`;
}

/** The body, which has no null anywhere. */
function bodyOf(answer: Answer, status: number): unknown {
  expect([answer.status, answer.status < 400 ? "" : answer.text]).toEqual([status, ""]);
  const body = answer.json<unknown>();
  expect(nullsIn(body)).toEqual([]);
  return body;
}

describe("observations (contract §3)", () => {
  it("EXAMPLE-1: the answer to an upload", async () => {
    const good = { timestamp: Date.now() - 1_000, ja4: JA4 };
    const records = [
      good,
      { timestamp: Date.now() - 1_000 },
      { timestamp: 5 },
      { timestamp: Date.now() - 7_200_000 },
    ];
    const body = bodyOf(await ingest(client, SITE, records), 202);
    const example =
      '{"accepted":998,"rejected":2,"expired":0,"without_ja4":31,"errors":[{"index":17,"detail":"…"}]}';
    expect(Object.keys(body as object).sort()).toEqual(Object.keys(JSON.parse(example)).sort());
    expect(body).toMatchObject({
      accepted: 2,
      rejected: 1,
      expired: 1,
      without_ja4: 1,
      errors: [{ index: 2 }],
    });
  });

  it("EXAMPLE-2: one observation with every field", async () => {
    const record = {
      ...{ timestamp: new Date(Date.now() - 2_000).toISOString(), ja4: ja4Of(77), client_ip: "2001:db8::1" },
      ...{ user_agent: "curl/8.5.0", path: "/a", host: "a.example", method: "GET", asn: 4_294_967_295 },
      ...{
        http_protocol: "http/3",
        status: 599,
        cache_status: "HIT",
        bot_score: 0,
        bot_score_src: "Not Computed",
      },
      ...{
        detection_ids: {},
        verified_bot: true,
        ja4_signals: { jaSignalsParsed: {} },
        ray_id: "8f1a2b3c4d5e6f70",
        more: 1,
      },
    };
    expect(bodyOf(await ingest(client, SITE, [record]), 202)).toEqual({
      accepted: 1,
      rejected: 0,
      expired: 0,
      without_ja4: 0,
      errors: [],
    });
  });
});

describe("reading (contract §4)", () => {
  /** Members that need what a test of seconds does not have: a baseline, an episode, an offset of the site. */
  const LATER = ["expected", "score"];
  const FULL_FORM = `{
    "site": "shop", "ja4": "t13d1516h2_8daaf6152771_02713d6af862", "as_of": "…", "first_seen": "…", "last_seen": "…",
    "windows": {
      "1m": {"from": "…", "reqs": 120, "ips": 80, "uas": 3, "paths": 14, "asns": 9, "hosts": 1,
             "h2h3_ratio": 0.99, "heuristic_ratio": 0.0, "browser_ratio": 0.12, "bot_ratio": 0.0, "cache_ratio": 0.4, "error_ratio": 0.01},
      "5m": {"from": "…", "reqs": 0}, "1h": {"from": "…", "reqs": 6110}
    },
    "local": {"h2h3_ratio_1h": 0.98, "heuristic_ratio_1h": 0.0, "browser_ratio_1h": 0.12, "cache_ratio_1h": 0.31,
              "reqs_rank_1h": 1, "uas_rank_1h": 4, "paths_rank_1h": 1, "ips_rank_1h": 1, "reqs_quantile_1h": 0.9995, "ips_quantile_1h": 0.9995,
              "population": 2000, "bot_ratio_1h": 0.0, "error_ratio_1h": 0.01, "asns_1h": 40, "hosts_1h": 2},
    "global": {"h2h3_ratio_1h": 0.988, "reqs_rank_1h": 850, "reqs_quantile_1h": 0.99905, "population": 901772, "seen_at": "…"},
    "combined": {"browser_ratio_1h": {"value": 0.121, "low": 0.112, "high": 0.13}},
    "divergence": [{"signal": "browser_ratio_1h", "local": 0.12, "expected": 0.93, "global": 0.936, "p": 1e-9, "score": 9.0}],
    "expected": {"reqs_1m": {"mean": 110, "low": 82, "high": 141}},
    "waf_expression": "cf.bot_management.ja4 eq \\"t13d1516h2_8daaf6152771_02713d6af862\\"",
    "score": 9.0, "anomalies": [{"anomaly_id": "…", "kind": "divergence"}]
  }`;

  it("EXAMPLE-3: the full form of a fingerprint", async () => {
    const body = bodyOf(await client.get(fingerprint()), 200) as Record<string, unknown>;
    expect(shapeFaults(body, JSON.parse(FULL_FORM), LATER)).toEqual([]);
    expect(body).toMatchObject({ site: SITE, ja4: JA4, waf_expression: `cf.bot_management.ja4 eq "${JA4}"` });
    expect(body.windows).toMatchObject({
      "1h": { reqs: expect.any(Number), ips: 80, paths: 14, asns: 9, hosts: 1 },
    });
  });

  it("EXAMPLE-4: the list, each way of sorting it, and its next page", async () => {
    await visit(client, SITE, ja4Of(5), 3, { client_ip: "192.0.2.1", user_agent: "curl/8.5.0", path: "/" });
    const row = `{"ja4":"x","reqs":1,"ips":1,"uas":1,"paths":1,"browser_ratio":1,"score":1,"last_seen":"…"}`;
    const example = JSON.parse(`{"as_of":"…","fingerprints":[${row}],"next_cursor":"x"}`);
    const optional = ["fingerprints.browser_ratio", "fingerprints.score"];
    for (const sort of ["reqs", "ips", "uas", "paths", "score", "last_seen"]) {
      const query = `sort=${sort}&order=desc&window=1h&ja4=t13d*&limit=1`;
      const answer = await client.get(`/v1/sites/${SITE}/fingerprints?${query}`);
      const body = bodyOf(answer, 200) as { next_cursor: string };
      expect(shapeFaults(body, example, optional)).toEqual([]);
      expect(answer.headers.get("link")).toMatch(/^<.+>; rel="next"$/);
      bodyOf(await client.get(`/v1/sites/${SITE}/fingerprints?${query}&cursor=${body.next_cursor}`), 200);
    }
  });

  it("EXAMPLE-5: several at once", async () => {
    const answer = await client.post(`/v1/sites/${SITE}/fingerprints/lookup`, {
      json: { ja4: [JA4, ja4Of(404)] },
    });
    const body = bodyOf(answer, 200) as { fingerprints: unknown[]; missing: string[] };
    expect(body.missing).toEqual([ja4Of(404)]);
    expect(body.fingerprints.length).toBe(1);
    expect(shapeFaults(body.fingerprints[0], JSON.parse(FULL_FORM), LATER)).toEqual([]);
  });

  it("EXAMPLE-6: the summary", async () => {
    const window = '{"from":"…","reqs":1,"fingerprints":1,"without_ja4":1,"without_signals":1}';
    const counters = [
      "accepted",
      "rejected",
      "expired",
      "duplicate",
      "lost_at_edge",
      "shed",
      "overflow",
      "fields_dropped",
      "suppressed",
    ];
    const example = `{"site":"shop","as_of":"…","windows":{"1m":${window},"5m":${window},"1h":${window}},
      "since_start":{${counters.map((name) => `"${name}":0`).join()}},"sources":{},"warm_up":{"until":"…","kinds":["surge"]},
      "shards":[{"shard":0,"as_of":"…","fingerprints":1,"bytes":1}]}`;
    const body = bodyOf(await client.get(`/v1/sites/${SITE}/summary`), 200);
    expect(shapeFaults(body, JSON.parse(example))).toEqual([]);
  });

  it("EXAMPLE-7: the sites of the token, and health", async () => {
    expect(bodyOf(await client.get("/v1/sites"), 200)).toMatchObject({ sites: ["api", "default", SITE] });
    const health = bodyOf(await client.get("/healthz", { token: null }), 200);
    expect(health).toEqual({ status: "ok", version: expect.any(String) });
  });
});

describe("errors (contract §2)", () => {
  it("EXAMPLE-8: a problem has all its members, and pointers for invalid input", async () => {
    const answer = await client.put(thresholdsPath(SITE, "wrong"), { json: { on_missing: "maybe" } });
    expect(answer.status).toBe(422);
    const example =
      '{"type":"x","title":"x","status":422,"detail":"x","instance":"x","errors":[{"pointer":"x","detail":"x"}]}';
    expect(shapeFaults(answer.json(), JSON.parse(example))).toEqual([]);
  });
});

describe("thresholds and the feed (contract §5, §6)", () => {
  const RULE = `{"id": "login-flood", "enabled": true, "ja4": "t13d*", "severity": "critical",
    "when": {"signal": "reqs", "window": "1m", "op": ">", "value": 5000},
    "for": "0s", "clear": {"value": 4000, "for": "1m"}, "cooldown": "10m", "min_reqs": 0, "on_missing": "skip",
    "notify": ["ops-webhook"], "expires_at": "2099-01-01T00:00:00.000Z", "note": "…"}`;

  it("EXAMPLE-9: the threshold is taken as it is shown and comes back whole", async () => {
    const sent = JSON.parse(RULE) as Record<string, unknown>;
    const created = await client.post(thresholdsPath(SITE), { json: sent });
    expect(bodyOf(created, 201)).toMatchObject(sent);
    expect(created.headers.get("location")).toBe(thresholdsPath(SITE, "login-flood"));
    const read = await client.get(thresholdsPath(SITE, "login-flood"));
    expect(bodyOf(read, 200)).toMatchObject({ ...sent, active: [] });
    const replaced = await client.put(thresholdsPath(SITE, "login-flood"), {
      json: sent,
      headers: { "if-match": read.headers.get("etag") ?? "" },
    });
    expect(bodyOf(replaced, 200)).toMatchObject(sent);
    expect((await client.post(thresholdsPath(SITE), { json: sent })).status).toBe(409);
    expect(bodyOf(await client.get(thresholdsPath(SITE)), 200)).toMatchObject({
      items: [{ id: "login-flood" }],
    });
    expect((await client.delete(thresholdsPath(SITE, "login-flood"))).status).toBe(204);
    expect((await client.delete(thresholdsPath(SITE, "login-flood"))).status).toBe(404);
  });

  it("EXAMPLE-10: an event of the feed, and the hello before it", async () => {
    const feed = await openFeed(server, SITE);
    const hello = await feed.waitFor("hello", ({ type }) => type === "hellotide.feed.hello");
    expect(shapeFaults(hello.data, JSON.parse('{"cursor":"0","oldest":"0","heartbeat_s":30}'))).toEqual([]);
    const rule = {
      when: { signal: "reqs", window: "1m", op: ">", value: 5 },
      on_missing: "skip",
      ja4: ja4Of(9),
    };
    bodyOf(await client.put(thresholdsPath(SITE, "example"), { json: rule }), 201);
    await visit(client, SITE, ja4Of(9), 20, {
      path: "/login",
      host: "a.example",
      method: "POST",
      status: 401,
      asn: 64_500,
      ray_id: "8f",
    });
    const event = await feed.waitFor(
      "the event",
      ({ type }) => type === "hellotide.threshold.raised",
      FOREVER_MS,
    );
    const example = `{"specversion": "1.0", "id": "01J", "source": "/sites/shop", "type": "x", "subject": "t13d",
      "time": "…", "sequence": "0000000000001234", "datacontenttype": "application/json",
      "data": {"anomaly_id": "x", "kind": "threshold", "threshold": "x", "signal": "x", "observed": 1, "value": 1, "ja4": "t13d", "severity": "warning",
        "window": "1m", "started_at": "…", "silenced": false, "grouped": false,
        "evidence": {"paths": [["/login", 0.91]], "hosts": [], "asns": [[64500, 0.4]], "statuses": [[401, 0.9]], "methods": [["POST", 0.9]], "ray_ids": ["x"]},
        "url": "https://x", "summary": "x"}}`;
    expect(shapeFaults(event, JSON.parse(example))).toEqual([]);
    expect(event).toMatchObject({
      source: `/sites/${SITE}`,
      subject: ja4Of(9),
      sequence: expect.stringMatching(/^\d{16}$/),
    });
    expect(nullsIn(stored(feed))).toEqual([]);
    feed.close();
    await client.delete(thresholdsPath(SITE, "example"));
  });

  it("EXAMPLE-11: a ticket", async () => {
    const body = bodyOf(await client.post(`/v1/sites/${SITE}/feed-tickets`), 201) as {
      ticket: string;
      expires_at: string;
    };
    expect(body.expires_at).toMatch(TIME_PATTERN);
    expect((await client.get(feedPath(SITE, `ticket=${body.ticket}`), { token: null })).status).toBe(426);
    expect((await client.get(feedPath(SITE, `ticket=${body.ticket}`), { token: null })).status).toBe(401);
  });
});
