/** Tokens, scopes, sites, and the status codes that go with them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type Client,
  createClient,
  ingestAll,
  ja4Of,
  problemFaults,
  until,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { feedPath, handshake } from "../support/stream.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { rule } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

const SCOPES = ["ingest", "read", "feed", "write", "admin"] as const;
const JA4 = ja4Of(1);
const SOON_MS = 4_000;

const scoped = Object.fromEntries(SCOPES.map((scope) => [scope, tokenOf(scope, [scope], ["*"])]));
const limited = tokenOf("limited", SCOPES, ["shop"]);
const expired = tokenOf("expired", SCOPES, ["*"], "2020-01-01T00:00:00.000Z");
const expiring = tokenOf("expiring", SCOPES, ["*"], new Date(Date.now() + SOON_MS + 8_000).toISOString());

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  const tokens = [...Object.values(scoped), limited, expired, expiring];
  server = await startServer({ sites: ["shop", "api"], env: { API_TOKENS: apiTokens(tokens) } });
  client = createClient(server);
  await ingestAll(client, "shop", [{ timestamp: Date.now() - 1_001, ja4: JA4 }]);
}, 30_000);
afterAll(() => server?.stop());

interface Route {
  readonly method: string;
  readonly path: (site: string) => string;
  readonly scope: (typeof SCOPES)[number];
  readonly json?: unknown;
}

const ROUTES: readonly Route[] = [
  { method: "POST", path: (site) => `/v1/sites/${site}/observations`, scope: "ingest", json: [] },
  { method: "GET", path: (site) => `/v1/sites/${site}/fingerprints`, scope: "read" },
  { method: "GET", path: (site) => `/v1/sites/${site}/fingerprints/${JA4}`, scope: "read" },
  {
    method: "POST",
    path: (site) => `/v1/sites/${site}/fingerprints/lookup`,
    scope: "read",
    json: { ja4: [JA4] },
  },
  { method: "GET", path: (site) => `/v1/sites/${site}/summary`, scope: "read" },
  { method: "GET", path: (site) => `/v1/sites/${site}/thresholds`, scope: "read" },
  { method: "GET", path: (site) => `/v1/sites/${site}/thresholds/none`, scope: "read" },
  { method: "POST", path: (site) => `/v1/sites/${site}/thresholds`, scope: "write", json: { id: "x" } },
  { method: "PUT", path: (site) => `/v1/sites/${site}/thresholds/x`, scope: "write", json: { nope: 1 } },
  { method: "DELETE", path: (site) => `/v1/sites/${site}/thresholds/none`, scope: "write" },
  { method: "GET", path: (site) => feedPath(site), scope: "feed" },
  { method: "POST", path: (site) => `/v1/sites/${site}/feed-tickets`, scope: "feed" },
];

const NAMED = ROUTES.map((route) => ({ ...route, name: `${route.method} ${route.path("{site}")}` }));

function call(route: Route, site: string, token: string | null): Promise<Answer> {
  return client.send(route.method, route.path(site), {
    token,
    ...(route.json === undefined ? {} : { json: route.json }),
  });
}

describe.each(NAMED)("$name", (route) => {
  it("AUTH-1: without a token, with an unknown or an expired one: 401 and WWW-Authenticate", async () => {
    for (const token of [null, "unknown-token", expired.token, "", "a b"]) {
      const answer = await call(route, "shop", token);
      expect(problemFaults(answer, 401)).toEqual([]);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  it("AUTH-2: only its own scope opens it; every other is 403", async () => {
    for (const scope of SCOPES) {
      const answer = await call(route, "shop", scoped[scope]?.token ?? "");
      if (scope === route.scope) expect([401, 403]).not.toContain(answer.status);
      else expect({ scope, faults: problemFaults(answer, 403) }).toEqual({ scope, faults: [] });
    }
  });

  it("AUTH-3: a token of one site gets 403 on any other, whether it exists or not, with the same words", async () => {
    const [existing, missing] = [
      await call(route, "api", limited.token),
      await call(route, "nowhere", limited.token),
    ];
    expect(problemFaults(existing, 403)).toEqual([]);
    expect(problemFaults(missing, 403)).toEqual([]);
    const told = (answer: Answer): string =>
      answer.text.replace(/"instance":"[^"]*"/, "").replaceAll("nowhere", "api");
    expect(told(missing)).toBe(told(existing));
    expect([401, 403]).not.toContain((await call(route, "shop", limited.token)).status);
  });

  it("AUTH-4: an unknown site is 404 for a token of all sites", async () => {
    expect(problemFaults(await call(route, "nowhere", server.token), 404)).toEqual([]);
  });

  it("ERR-1: another method is 405 and Allow names the right one", async () => {
    const answer = await client.send("PATCH", route.path("shop"));
    expect(problemFaults(answer, 405)).toEqual([]);
    expect(answer.headers.get("allow")?.split(/,\s*/)).toContain(route.method);
  });
});

describe("tokens", () => {
  it("AUTH-5: a token works until it expires", async () => {
    await until(
      "401 after the expiry",
      20_000,
      async () =>
        (await client.get("/v1/sites/shop/summary", { token: expiring.token })).status === 401 || undefined,
      250,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiring.expires_at ?? ""));
  }, 30_000);

  it("AUTH-6: other schemes are 401; the scheme's name is case-insensitive", async () => {
    const ask = (authorization: string): Promise<Answer> =>
      client.get("/v1/sites", { token: null, headers: { authorization } });
    expect((await ask(`Basic ${Buffer.from(`a:${server.token}`).toString("base64")}`)).status).toBe(401);
    expect((await ask("Bearer")).status).toBe(401);
    expect((await ask(`bearer ${server.token}`)).status).toBe(200);
  });

  it("AUTH-7: /v1/sites lists the token's own sites", async () => {
    const all = await client.get("/v1/sites");
    expect(all.status).toBe(200);
    for (const site of ["shop", "api", "default"]) expect(all.text).toContain(`"${site}"`);
    const own = await client.get("/v1/sites", { token: limited.token });
    expect(own.text).toContain('"shop"');
    expect(own.text).not.toContain('"api"');
    expect((await client.get("/v1/sites", { token: null })).status).toBe(401);
  });

  it("AUTH-8: only health and the documents answer without a token", async () => {
    const health = await client.get("/healthz", { token: null });
    expect(health.status).toBe(200);
    expect(health.json<Record<string, unknown>>()).toEqual({ status: "ok", version: expect.any(String) });
    expect((await client.get("/openapi.json", { token: null })).status).toBe(200);
  });

  it("AUTH-9: a token in the query opens nothing", async () => {
    const answer = await client.get(`/v1/sites/shop/summary?token=${server.token}`, { token: null });
    expect(answer.status).toBe(401);
  });
});

describe("paths, queries, bodies", () => {
  it.each([
    "/v1/nope",
    "/v1/sites/shop/nope",
    "/v1/sites/shop/fingerprints/a/b/c",
    "/v2/sites",
    "/v1/sites/shop/summary/x",
  ])("ERR-2: the unknown route %s is 404", async (path) => {
    expect(problemFaults(await client.get(path), 404)).toEqual([]);
  });

  it("ERR-3: a malformed fingerprint is 400, an unseen one 404", async () => {
    for (const bad of ["nope", "t13d1516h2_XXaaf6152771_02713d6af862", "%00", "%E0%A4%A", `${JA4}x`]) {
      expect(problemFaults(await client.get(`/v1/sites/shop/fingerprints/${bad}`), 400)).toEqual([]);
    }
    expect(problemFaults(await client.get(`/v1/sites/shop/fingerprints/${ja4Of(2)}`), 404)).toEqual([]);
  });

  it("ERR-4: percent-encoding of harmless characters changes nothing", async () => {
    const answer = await client.get(`/v1/sites/%73hop/fingerprints/${JA4.replaceAll("_", "%5F")}`);
    expect(answer.status).toBe(200);
  });

  it.each(["SHOP", "sh_op", "a".repeat(64), "__proto__", "%2e%2e"])(
    "ERR-5: the site %s is 400 or 404",
    async (site) => {
      const answer = await client.get(`/v1/sites/${site}/summary`);
      expect(problemFaults(answer, answer.status === 400 ? 400 : 404)).toEqual([]);
    },
  );

  it("ERR-6: settings with another content type are 415, undecodable ones 400", async () => {
    const path = "/v1/sites/shop/thresholds/ct";
    const body = JSON.stringify(rule("ct"));
    const text = await client.put(path, { headers: { "content-type": "text/plain" }, body });
    expect(problemFaults(text, 415)).toEqual([]);
    const broken = await client.put(path, {
      headers: { "content-type": "application/json" },
      body: body.slice(0, -2),
    });
    expect(problemFaults(broken, 400)).toEqual([]);
  });

  it("ERR-7: a settings body or a lookup of many MiB is 413", async () => {
    const json = { ...rule("big"), note: "x".repeat(9 * 1_048_576) };
    expect(problemFaults(await client.put("/v1/sites/shop/thresholds/big", { json }), 413)).toEqual([]);
    const lookup = await client.post("/v1/sites/shop/fingerprints/lookup", { json: { ja4: [json.note] } });
    expect(problemFaults(lookup, 413)).toEqual([]);
  });

  it("ERR-8: the feed without an upgrade is 426", async () => {
    expect(problemFaults(await client.get(feedPath("shop")), 426)).toEqual([]);
  });

  it("ERR-9: a handshake is refused as any request is", async () => {
    expect((await handshake(server, feedPath("shop"), {}, null)).status).toBe(401);
    expect((await handshake(server, feedPath("shop"), {}, scoped.read?.token ?? "")).status).toBe(403);
    expect((await handshake(server, feedPath("api"), {}, limited.token)).status).toBe(403);
    expect((await handshake(server, feedPath("nowhere"))).status).toBe(404);
  });

  it("ERR-10: every problem has its own instance", async () => {
    const instances = new Set<string>();
    for (let i = 0; i < 5; i += 1)
      instances.add((await client.get("/v1/nope")).json<{ instance: string }>().instance);
    expect(instances.size).toBe(5);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
