/** The document itself, and one good call of every operation in scope held to it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient, ingest, ja4Of } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { loadOpenApi, type OpenApi } from "./helpers/openapi.ts";
import { rule, thresholdsPath } from "./helpers/rules.ts";

const SITE = "shop";
const JA4 = ja4Of(1);
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let openApi: OpenApi;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
  openApi = await loadOpenApi(client);
}, 30_000);
afterAll(() => server?.stop());

const OPERATIONS = [
  "post /v1/sites/{}/observations",
  "get /v1/sites/{}/fingerprints",
  "get /v1/sites/{}/fingerprints/{}",
  "post /v1/sites/{}/fingerprints/lookup",
  "get /v1/sites/{}/summary",
  "get /v1/sites/{}/features",
  "get /v1/sites/{}/anomalies",
  "get /v1/sites/{}/anomalies/{}",
  "post /v1/sites/{}/anomalies/{}/feedback",
  "get /metrics",
  "get /v1/sites/{}/thresholds",
  "post /v1/sites/{}/thresholds",
  "get /v1/sites/{}/thresholds/{}",
  "put /v1/sites/{}/thresholds/{}",
  "delete /v1/sites/{}/thresholds/{}",
  "get /v1/sites/{}/silences",
  "post /v1/sites/{}/silences",
  "get /v1/sites/{}/silences/{}",
  "put /v1/sites/{}/silences/{}",
  "delete /v1/sites/{}/silences/{}",
  "get /v1/sites/{}/detection",
  "put /v1/sites/{}/detection",
  "get /v1/sites/{}/settings",
  "put /v1/sites/{}/settings",
  "get /v1/sites/{}/feed",
  "post /v1/sites/{}/feed-tickets",
  "get /v1/sites",
  "get /healthz",
  "get /openapi.json",
];

describe("/openapi.json", () => {
  it("API-1: it is OpenAPI 3.1 and describes every operation", () => {
    expect(openApi.document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(openApi.document.info).toMatchObject({
      title: expect.any(String),
      version: expect.any(String),
    });
    const paths = openApi.document.paths as Record<string, Record<string, unknown>>;
    const described = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path.replace(/\{[^}]+\}/g, "{}")}`),
    );
    expect(OPERATIONS.filter((operation) => !described.includes(operation))).toEqual([]);
  });

  it("API-3: one good answer of every operation fits its description", async () => {
    const signals = { h2h3_ratio_1h: 0.9, reqs_rank_1h: 850, reqs_quantile_1h: 0.99905 };
    const full = {
      timestamp: Date.now() - 1_001,
      ja4: JA4,
      status: 200,
      user_agent: "curl/8.5.0",
      client_ip: "192.0.2.1",
      ja4_signals: signals,
    };
    const answers = [
      await ingest(client, SITE, [full, { timestamp: 1 }, {}]),
      await client.get(`/v1/sites/${SITE}/fingerprints?limit=10`),
      await client.get(`/v1/sites/${SITE}/fingerprints/${JA4}`),
      await client.post(`/v1/sites/${SITE}/fingerprints/lookup`, { json: { ja4: [JA4, ja4Of(2)] } }),
      await client.get(`/v1/sites/${SITE}/summary`),
      await client.post(thresholdsPath(SITE), { json: rule("a") }),
      await client.get(thresholdsPath(SITE)),
      await client.get(thresholdsPath(SITE, "a")),
      await client.put(thresholdsPath(SITE, "a"), { json: rule("a") }),
      await client.delete(thresholdsPath(SITE, "a")),
      await client.post(`/v1/sites/${SITE}/feed-tickets`),
      await client.get(`/v1/sites/${SITE}/features`),
      await client.get(`/v1/sites/${SITE}/anomalies?active=true`),
      await client.get("/metrics"),
      await client.get("/v1/sites"),
      await client.get("/healthz"),
    ];
    expect(answers.filter((answer) => answer.status >= 400).map((answer) => answer.text)).toEqual([]);
    expect(answers.flatMap((answer) => openApi.faults(answer))).toEqual([]);
  });

  it("API-4: so do the errors", async () => {
    const answers = [
      await client.get(`/v1/sites/${SITE}/fingerprints/nope`),
      await client.get(`/v1/sites/${SITE}/fingerprints/${ja4Of(3)}`),
      await client.get(`/v1/sites/${SITE}/summary`, { token: null }),
      await client.get("/v1/sites/nowhere/summary"),
      await client.put(thresholdsPath(SITE, "a"), { json: { nope: 1 } }),
      await client.get(`/v1/sites/${SITE}/feed`),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([400, 404, 401, 404, 422, 426]);
    expect(answers.flatMap((answer) => openApi.faults(answer))).toEqual([]);
  });

  it("CONTROL-2: the check itself finds a body that does not fit", async () => {
    const answer = await client.get("/healthz");
    const wrong = { ...answer, text: JSON.stringify({ status: 5 }) };
    expect(openApi.faults(wrong).length).toBe(1);
    expect(openApi.faults({ ...answer, path: "/nope" }).length).toBe(1);
    expect(openApi.faults({ ...answer, status: 299 }).length).toBe(1);
  });
});
