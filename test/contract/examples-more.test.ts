/** The contract's examples of what is read beside a fingerprint, of what sites set, and of tokens. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type Client,
  createClient,
  ingestAll,
  ja4Of,
  nullsIn,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { rule, thresholdsPath, visit } from "./helpers/rules.ts";
import { shapeFaults } from "./helpers/shape.ts";

const SITE = "/v1/sites/shop";
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const RAISED_MS = 20_000;

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: ["shop", "api"] });
  client = createClient(server);
  const record = {
    ja4: JA4,
    client_ip: "192.0.2.1",
    user_agent: "curl/8.5.0",
    path: "/a",
    status: 200,
    asn: 64_500,
  };
  const scored = { bot_score: 1, bot_score_src: "Heuristics", detection_ids: [152_120_193] };
  await ingestAll(
    client,
    "shop",
    Array.from({ length: 30 }, (_, i) => ({
      ...record,
      ...scored,
      timestamp: Date.now() - 1_000 - i,
      path: `/${i % 7}`,
    })),
  );
}, 60_000);
afterAll(() => server?.stop());

function bodyOf(answer: Answer, status: number): unknown {
  expect([answer.status, answer.status === status ? "" : answer.text]).toEqual([status, ""]);
  const body = answer.json<unknown>();
  expect(nullsIn(body)).toEqual([]);
  return body;
}

async function read(path: string): Promise<unknown> {
  return bodyOf(await client.get(`${SITE}/${path}`), 200);
}

describe("reading (contract §4)", () => {
  it("EXAMPLE-20: names, bot scores and the blast radius in the full form", async () => {
    const example = `{"bot_score": {"histogram": [[1, 40]], "detection_ids": [[152120193, 12]]},
      "blast_radius": {"share_of_reqs": 0.31, "share_of_browser_reqs": 0.29},
      "names": [{"name": "Chromium", "source": "FoxIO mapping", "confidence": "low"}]}`;
    const body = (await read(`fingerprints/${JA4}`)) as Record<string, unknown>;
    // No browser's request came, so there is nothing to have a share of.
    expect(shapeFaults(body, JSON.parse(example), ["blast_radius.share_of_browser_reqs", "names"])).toEqual(
      [],
    );
    expect(body.bot_score).toEqual({ histogram: [[1, 30]], detection_ids: [[152_120_193, 30]] });
  });

  it("EXAMPLE-21: the timeline has 60 minutes, oldest first, empty ones with reqs 0", async () => {
    const body = (await read(`fingerprints/${JA4}/timeline`)) as {
      minutes: { from: string; reqs: number }[];
    };
    const example = '{"ja4":"x","as_of":"…","minutes":[{"from":"…","reqs":1}]}';
    expect(shapeFaults(body, JSON.parse(example))).toEqual([]);
    expect(body.minutes.length).toBe(60);
    expect(body.minutes.map(({ from }) => from)).toEqual(body.minutes.map(({ from }) => from).sort());
    expect(body.minutes.reduce((sum, { reqs }) => sum + reqs, 0)).toBe(30);
    const full = body.minutes.find(({ reqs }) => reqs > 0);
    expect(full).toMatchObject({ ips: 1, uas: 1, paths: expect.any(Number), error_ratio: 0 });
  });

  it("EXAMPLE-22: related fingerprints by part", async () => {
    const cousin = `t13d1516h2_8daaf6152771_${"0".repeat(12)}`;
    await visit(client, "shop", cousin, 2);
    const body = (await read(`fingerprints/${JA4}/related`)) as { same: Record<string, { ja4: string }[]> };
    expect(Object.keys(body.same).sort()).toEqual(["a", "b", "c"]);
    for (const part of ["a", "b"]) expect(body.same[part]?.map(({ ja4 }) => ja4)).toContain(cousin);
    expect(body.same.c?.map(({ ja4 }) => ja4)).not.toContain(cousin);
  });

  it.each(["a", "b", "c"])("EXAMPLE-23: families by part %s", async (part) => {
    const body = (await read(`families?part=${part}`)) as { families: { part: string; reqs_1h: number }[] };
    const example = '{"families":[{"part":"a","value":"x","reqs_1h":1,"fingerprints_1h":1,"newborn_1m":0}]}';
    expect(shapeFaults(body, JSON.parse(example))).toEqual([]);
    expect(body.families.length).toBeGreaterThan(0);
    expect(body.families.every((one) => one.part === part)).toBe(true);
  });

  it("EXAMPLE-24: anomalies, one of them, and feedback on it", async () => {
    const body = await read("anomalies?active=true&limit=10");
    expect(shapeFaults(body, JSON.parse('{"anomalies":[]}'))).toEqual([]);
    const ja4 = ja4Of(31);
    await client.put(thresholdsPath("shop", "seen"), { json: rule("seen", { ja4 }) });
    await visit(client, "shop", ja4, 20);
    const found = await until("the anomaly", RAISED_MS, async () => {
      const { anomalies } = (await read(`anomalies?ja4=${ja4}`)) as {
        anomalies: { data: { anomaly_id: string } }[];
      };
      return anomalies[0];
    });
    const { anomaly_id: id } = found.data;
    const one = await client.get(`${SITE}/anomalies/${id}`);
    expect(one.status).toBe(200);
    expect(one.text).toContain(id);
    const feedback = await client.post(`${SITE}/anomalies/${id}/feedback`, {
      json: { verdict: "false", note: "a test" },
    });
    expect([200, 201, 204]).toContain(feedback.status);
    const wrong = await client.post(`${SITE}/anomalies/${id}/feedback`, { json: { verdict: "perhaps" } });
    expect(wrong.status).toBe(422);
    expect((await client.get(`${SITE}/anomalies/unknown`)).status).toBe(404);
  });

  it("EXAMPLE-25: features as NDJSON and as CSV, in ja4 order", async () => {
    const lines = (await client.get(`${SITE}/features?format=ndjson&ja4=t13d*`)).text.trim().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.flatMap((row) => nullsIn(row))).toEqual([]);
    expect(Object.keys(rows[0] ?? {}).slice(0, 4)).toEqual(["feature_version", "site", "ja4", "as_of"]);
    expect(rows.map(({ ja4 }) => ja4)).toEqual(rows.map(({ ja4 }) => ja4).sort());
    expect(rows.find(({ ja4 }) => ja4 === JA4)).toMatchObject({ site: "shop", windows_1h_reqs: 30 });
    const csv = (await client.get(`${SITE}/features?format=csv`)).text.trim().split(/\r?\n/);
    expect(csv[0]).toMatch(/^feature_version,site,ja4,as_of,.*windows_1m_reqs.*local_browser_ratio_1h/);
    expect(csv.some((line) => line.includes(JA4))).toBe(true);
  });

  it("EXAMPLE-26: metrics in OpenMetrics, never by fingerprint", async () => {
    const answer = await client.get("/metrics");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/openmetrics-text/);
    for (const name of [
      "hellotide_observations_total",
      "hellotide_fingerprints",
      "hellotide_shard_age_seconds",
    ]) {
      expect(answer.text).toContain(`${name}{`);
    }
    expect(answer.text.trimEnd()).toMatch(/# EOF$/);
    expect(answer.text).not.toContain(JA4);
  });
});

describe("getting observations in by Logpush (contract §3)", () => {
  const post = (body: string | Uint8Array<ArrayBuffer>, query = "") =>
    client.post(`${SITE}/logpush${query}`, { body, headers: { "content-type": "application/x-ndjson" } });

  it("EXAMPLE-27: the validation upload answers with zeros", async () => {
    for (const body of ['{"content":"tests"}', Uint8Array.from(gzipSync('{"content":"tests"}'))]) {
      expect(bodyOf(await post(body), 202)).toMatchObject({ accepted: 0, rejected: 0, expired: 0 });
    }
  });

  it("EXAMPLE-28: Cloudflare's records count once, whatever their time's form; subrequests do not", async () => {
    const ms = Date.now() - 2_000;
    const times = [ms * 1_000_000, Math.floor(ms / 1_000), new Date(ms).toISOString()];
    const ja4 = ja4Of(28);
    const lines = [...times, times[2]].map((time, i) =>
      JSON.stringify({
        ...{
          EdgeStartTimestamp: time,
          JA4: ja4,
          ClientIP: "192.0.2.9",
          ClientRequestPath: "/",
          ClientRequestMethod: "GET",
        },
        ...{
          EdgeResponseStatus: 200,
          ClientRequestProtocol: "HTTP/2",
          CacheCacheStatus: "hit",
          WorkerSubrequest: i === 3,
        },
      }),
    );
    const body = Uint8Array.from(gzipSync(`${lines.join("\n")}\n`));
    expect(bodyOf(await post(body), 202)).toMatchObject({ accepted: 3, rejected: 0 });
    const again = bodyOf(await post(body), 202) as Record<string, unknown>;
    expect(again.duplicate).toBeTruthy();
    const form = (await read(`fingerprints/${ja4}`)) as { windows: { "1h": { reqs: number } } };
    expect(form.windows["1h"].reqs).toBe(3);
  });
});

describe("what a site sets (contract §5)", () => {
  it("EXAMPLE-29: detection settings, as they are shown", async () => {
    const sent = JSON.parse(`{"alert_budget_per_day":5,"delay":"0s","storm":{"raises":20,"per":"5m"},
      "kinds":{"surge":{"enabled":true,"min_reqs":50,"min_effect":2.0}}}`) as object;
    expect([200, 201]).toContain((await client.put(`${SITE}/detection`, { json: sent })).status);
    expect(await read("detection")).toMatchObject(sent);
    const wrong = await client.put(`${SITE}/detection`, { json: { ...sent, nope: 1 } });
    expect(wrong.status).toBe(422);
  });

  it("EXAMPLE-30: silences, by fingerprint for a time, and of verified bots", async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const sent = { ja4: "t13d*", kinds: ["surge"], until, reason: "a test" };
    const created = await client.put(`${SITE}/silences/quiet`, { json: sent });
    expect(bodyOf(created, 201)).toMatchObject(sent);
    expect(created.headers.get("etag")).toMatch(/^"/);
    expect(await read("silences/quiet")).toMatchObject(sent);
    expect((await client.put(`${SITE}/silences/bots`, { json: { verified_bots: true } })).status).toBe(201);
    const list = (await read("silences")) as { items: { id: string }[] };
    expect(list.items.map(({ id }) => id).sort()).toEqual(["bots", "quiet"]);
    expect((await client.delete(`${SITE}/silences/quiet`)).status).toBe(204);
    expect((await client.delete(`${SITE}/silences/quiet`)).status).toBe(404);
  });

  it("EXAMPLE-31: all settings as one document, there and back", async () => {
    const before = await client.get(`${SITE}/settings`);
    const document = bodyOf(before, 200) as Record<string, unknown>;
    expect(Object.keys(document)).toEqual(expect.arrayContaining(["thresholds", "silences", "detection"]));
    expect(before.headers.get("etag")).toMatch(/^"/);
    expect((await client.put(`${SITE}/settings`, { json: document })).status).toBe(200);
    const after = (await read("settings")) as Record<string, unknown>;
    expect(after.detection).toEqual(document.detection);
  });

  it("EXAMPLE-32: a threshold is tried without being saved, and a saved one by its id", async () => {
    const example =
      '{"as_of":"…","evaluated":1,"missing":0,"would_fire":[{"ja4":"x","observed":1}],"last_hour":{"episodes":0,"fingerprints":0}}';
    const json = rule("tried", { when: { signal: "reqs", window: "1h", op: ">", value: 5 } });
    const tried = bodyOf(await client.post(`${thresholdsPath("shop")}/test`, { json }), 200) as {
      would_fire: { ja4: string }[];
    };
    expect(shapeFaults(tried, JSON.parse(example))).toEqual([]);
    expect(tried.would_fire.map(({ ja4 }) => ja4)).toContain(JA4);
    expect((await client.get(thresholdsPath("shop", "tried"))).status).toBe(404);
    await client.put(thresholdsPath("shop", "tried"), { json });
    const saved = bodyOf(await client.post(`${thresholdsPath("shop", "tried")}/test`), 200);
    expect(shapeFaults(saved, JSON.parse(example))).toEqual([]);
  });
});

describe("tokens (contract §2)", () => {
  it("EXAMPLE-33: made once, listed without the secret, rotated, deleted, and in the audit", async () => {
    const sent = { name: "ci", scopes: ["read"], sites: ["shop"] };
    const created = await client.post("/v1/tokens", { json: sent });
    const { id, token } = bodyOf(created, 201) as { id: string; token: string };
    expect(created.headers.get("location")).toBe(`/v1/tokens/${id}`);
    expect((await client.get(`${SITE}/summary`, { token })).status).toBe(200);
    expect((await client.get("/v1/sites/api/summary", { token })).status).toBe(403);
    const list = await client.get("/v1/tokens");
    expect(bodyOf(list, 200)).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ id, name: "ci" })]),
    });
    expect(list.text).not.toContain(token);
    const rotated = await client.post(`/v1/tokens/${id}/rotate`, { json: { overlap: "24h" } });
    expect([200, 201]).toContain(rotated.status);
    const { token: second } = rotated.json<{ token: string }>();
    for (const valid of [token, second])
      expect((await client.get(`${SITE}/summary`, { token: valid })).status).toBe(200);
    expect((await client.delete(`/v1/tokens/${id}`)).status).toBe(204);
    expect((await client.delete(`/v1/tokens/${id}`)).status).toBe(404);
    const audit = await client.get("/v1/audit");
    expect(audit.status).toBe(200);
    expect(audit.text).toContain(id);
    for (const secret of [token, second]) expect(audit.text).not.toContain(secret);
  });
});
