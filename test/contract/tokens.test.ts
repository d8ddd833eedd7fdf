/** Tokens made, rotated and revoked over the API, and the record of every change. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Ask,
  type Client,
  createClient,
  nullsIn,
  pointersOf,
  problemFaults,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { rule, thresholdsPath } from "./helpers/rules.ts";
import { apiTokens, tokenOf } from "./helpers/tokens.ts";

interface Made {
  id: string;
  name: string;
  scopes: string[];
  sites: string[];
  token: string;
  expires_at?: string;
  overlap_until?: string;
  static?: boolean;
}
interface Page<T> {
  items: T[];
  next_cursor?: string;
}
interface AuditItem {
  id: string;
  at: string;
  actor: { token?: string };
  action: string;
  site?: string;
  target?: string;
  status?: number;
  request_id: string;
}

const ALL = ["ingest", "read", "feed", "write", "admin"];
const shopAdmin = tokenOf("shop-admin", ALL, ["shop"]);
const bareAdmin = tokenOf("bare-admin", ["admin"], ["*"]);

let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({
    sites: ["shop", "api"],
    env: { API_TOKENS: apiTokens([shopAdmin, bareAdmin]) },
  });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const wanted = (more: object = {}) => ({ name: "reader", scopes: ["read"], sites: ["shop"], ...more });

async function make(more: object = {}, ask: Ask = {}): Promise<Made> {
  const answer = await client.post("/v1/tokens", { json: wanted(more), ...ask });
  expect(answer.status, answer.text).toBe(201);
  return answer.json<Made>();
}

const summary = async (token: string, site = "shop") =>
  (await client.get(`/v1/sites/${site}/summary`, { token })).status;

describe("tokens", () => {
  it("TOKEN-1: POST is 201 with Location and the token, once; it works at once, for its scopes and sites", async () => {
    const expires_at = "2999-01-01T00:00:00+01:00";
    const answer = await client.post("/v1/tokens", { json: wanted({ expires_at }) });
    expect(answer.status).toBe(201);
    const made = answer.json<Made>();
    expect(made).toMatchObject({ ...wanted(), expires_at: "2998-12-31T23:00:00.000Z" });
    expect(made.token).toMatch(/^ht_[A-Za-z0-9_-]{43}$/);
    expect(answer.headers.get("location")).toBe(`/v1/tokens/${made.id}`);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await summary(made.token)).toBe(200);
    expect(await summary(made.token, "api")).toBe(403);
    expect((await client.get("/v1/tokens", { token: made.token })).status).toBe(403);
    const read = await client.get(`/v1/tokens/${made.id}`);
    expect(read.json<Made>()).toEqual(
      Object.fromEntries(Object.entries(made).filter(([k]) => k !== "token")),
    );
    expect(read.headers.get("etag")).toBe(answer.headers.get("etag"));
    expect((await make({ sites: "*" })).sites).toEqual(["*"]);
    const listed = await client.get("/v1/tokens");
    expect(listed.text).not.toContain(made.token);
    expect(nullsIn(listed.json())).toEqual([]);
  });

  it("TOKEN-2: lists page over made and configured tokens; configured ones are marked and cannot be changed", async () => {
    await make({ name: "one" });
    await make({ name: "two" });
    const seen: Made[] = [];
    let path: string | undefined = "/v1/tokens?limit=2";
    while (path !== undefined) {
      const answer: Awaited<ReturnType<Client["get"]>> = await client.get(path);
      const page = answer.json<Page<Made>>();
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items);
      path = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
      expect(path === undefined).toBe(page.next_cursor === undefined);
    }
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    expect(seen.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["one", "two", "serve", "shop-admin"]),
    );
    const configured = seen.find(({ name }) => name === "serve")!;
    expect(configured.static).toBe(true);
    expect(seen.find(({ name }) => name === "one")).not.toHaveProperty("static");
    const at = `/v1/tokens/${configured.id}`;
    expect((await client.get(at)).json<Made>()).toEqual(configured);
    expect(problemFaults(await client.delete(at), 409)).toEqual([]);
    expect(problemFaults(await client.post(`${at}/rotate`, { json: {} }), 409)).toEqual([]);
  });

  it("TOKEN-3: DELETE is 204 and revokes; then 404, and the token is 401", async () => {
    const made = await make();
    expect(await summary(made.token)).toBe(200);
    const gone = await client.delete(`/v1/tokens/${made.id}`);
    expect([gone.status, gone.text]).toEqual([204, ""]);
    const refused = await client.get("/v1/sites/shop/summary", { token: made.token });
    expect(problemFaults(refused, 401)).toEqual([]);
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect(problemFaults(await client.delete(`/v1/tokens/${made.id}`), 404)).toEqual([]);
    expect(problemFaults(await client.get(`/v1/tokens/${made.id}`), 404)).toEqual([]);
    expect(problemFaults(await client.post("/v1/tokens/none/rotate", { json: {} }), 404)).toEqual([]);
  });

  it("TOKEN-4: a rotation gives a new secret; the one of before is valid for the overlap, by default not at all", async () => {
    const made = await make();
    const at = `/v1/tokens/${made.id}/rotate`;
    const first = (await client.post(at, { json: { overlap: "24h" } })).json<Made>();
    expect(first).toMatchObject({ id: made.id, name: made.name, overlap_until: expect.any(String) });
    expect([await summary(made.token), await summary(first.token)]).toEqual([200, 200]);
    const short = (await client.post(at, { json: { overlap: "1s" } })).json<Made>();
    expect(await summary(short.token)).toBe(200);
    await expect
      .poll(async () => [await summary(made.token), await summary(first.token)], { timeout: 20_000 })
      .toEqual([401, 401]);
    const second = await client.post(at);
    expect(second.status).toBe(200);
    expect(second.json<Made>()).not.toHaveProperty("overlap_until");
    expect([await summary(short.token), await summary(second.json<Made>().token)]).toEqual([401, 200]);
  });

  it.each([
    ["an unknown scope", { scopes: ["read", "root"] }, "/scopes/1"],
    ["no scope", { scopes: [] }, "/scopes"],
    ["a scope twice", { scopes: ["read", "read"] }, "/scopes"],
    ["a bad site name", { sites: ["shop", "Shop!"] }, "/sites/1"],
    ["no site", { sites: [] }, "/sites"],
    ["sites as text", { sites: "shop" }, "/sites"],
    ["no name", { name: "" }, "/name"],
    ["a name that is too long", { name: "x".repeat(101) }, "/name"],
    ["an expiry in the past", { expires_at: "2020-01-01T00:00:00Z" }, "/expires_at"],
    ["an expiry that is no time", { expires_at: "soon" }, "/expires_at"],
    ["an unknown key", { nope: 1 }, "/nope"],
  ])("TOKEN-5: %s is 422 with a pointer", async (_, more, pointer) => {
    const answer = await client.post("/v1/tokens", { json: wanted(more) });
    expect(problemFaults(answer, 422)).toEqual([]);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  it.each(["8d", "1", "-1s", 5, "1w"])("TOKEN-5: an overlap of %s is 422", async (overlap) => {
    const { id } = await make();
    const answer = await client.post(`/v1/tokens/${id}/rotate`, { json: { overlap } });
    expect(problemFaults(answer, 422)).toEqual([]);
    expect(pointersOf(answer)).toEqual(["/overlap"]);
  });

  it("TOKEN-6: nobody gives away scopes or sites that they do not have", async () => {
    const post = (token: string, more: object) => client.post("/v1/tokens", { token, json: wanted(more) });
    expect((await post(shopAdmin.token, {})).status).toBe(201);
    expect(problemFaults(await post(shopAdmin.token, { sites: ["*"] }), 403)).toEqual([]);
    expect(problemFaults(await post(shopAdmin.token, { sites: ["shop", "api"] }), 403)).toEqual([]);
    expect(problemFaults(await post(bareAdmin.token, { scopes: ["read"] }), 403)).toEqual([]);
    expect((await post(bareAdmin.token, { scopes: ["admin"] })).status).toBe(201);
    const mightier = await make();
    const rotated = await client.post(`/v1/tokens/${mightier.id}/rotate`, {
      token: bareAdmin.token,
      json: {},
    });
    expect(problemFaults(rotated, 403)).toEqual([]);
  });

  it("TOKEN-7: an admin for some sites sees and revokes only tokens for those", async () => {
    const own = await make({ name: "own" });
    const others = await make({ name: "others", sites: ["shop", "api"] });
    const { token } = shopAdmin;
    const listed = (await client.get("/v1/tokens?limit=1000", { token })).json<Page<Made>>().items;
    expect(listed.every(({ sites }) => sites.every((site) => site === "shop"))).toBe(true);
    expect(listed.map(({ id }) => id)).toContain(own.id);
    expect(problemFaults(await client.get(`/v1/tokens/${others.id}`, { token }), 404)).toEqual([]);
    expect(problemFaults(await client.delete(`/v1/tokens/${others.id}`, { token }), 404)).toEqual([]);
    expect((await client.delete(`/v1/tokens/${own.id}`, { token })).status).toBe(204);
  });

  it("TOKEN-8: an expired token is 401 and says so", async () => {
    const made = await make({ expires_at: new Date(Date.now() + 2_000).toISOString() });
    expect(await summary(made.token)).toBe(200);
    await expect.poll(() => summary(made.token), { timeout: 20_000 }).toBe(401);
    const answer = await client.get("/v1/sites/shop/summary", { token: made.token });
    expect(answer.json<{ detail: string }>().detail).toMatch(/expired/);
    expect(problemFaults(await client.post(`/v1/tokens/${made.id}/rotate`, { json: {} }), 409)).toEqual([]);
  });

  it("TOKEN-9: If-Match guards rotation and revocation with 412", async () => {
    const made = await client.post("/v1/tokens", { json: wanted() });
    const at = `/v1/tokens/${made.json<Made>().id}`;
    const stale = { "if-match": '"0"' };
    expect(problemFaults(await client.post(`${at}/rotate`, { json: {}, headers: stale }), 412)).toEqual([]);
    expect(problemFaults(await client.delete(at, { headers: stale }), 412)).toEqual([]);
    const headers = { "if-match": made.headers.get("etag") ?? "" };
    expect((await client.delete(at, { headers })).status).toBe(204);
  });

  it("TOKEN-10: tokens and their revocation survive a restart", async () => {
    const [kept, gone] = [await make(), await make()];
    await client.delete(`/v1/tokens/${gone.id}`);
    await server.restart();
    expect([await summary(kept.token), await summary(gone.token)]).toEqual([200, 401]);
  });
});

describe("what is stored of tokens", () => {
  it("TOKEN-20: no secret of a made token is in any file or in the server's output", async () => {
    const made = await make();
    const rotated = await client.post(`/v1/tokens/${made.id}/rotate`, { json: { overlap: "1h" } });
    const files = readdirSync(server.dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    const holds = (text: string) => files.some((bytes) => bytes.includes(text));
    // The control: its id is found there.
    expect(holds(made.id)).toBe(true);
    for (const { token } of [made, rotated.json<Made>()]) {
      expect(holds(token.slice(3))).toBe(false);
      expect(server.stderr()).not.toContain(token);
    }
  });
});

describe("audit", () => {
  const newest = async (limit: number, ask: Ask = {}) =>
    (await client.get(`/v1/audit?limit=${limit}`, ask)).json<Page<AuditItem>>();

  it("AUDIT-1: every change is recorded, newest first, with actor, target and how it ended", async () => {
    const made = await make({ scopes: ["read", "write"] });
    await client.put(thresholdsPath("shop", "audited"), { json: rule("audited"), token: made.token });
    await client.delete(thresholdsPath("shop", "audited"));
    await client.post(`/v1/tokens/${made.id}/rotate`, { json: {} });
    await client.delete(`/v1/tokens/${made.id}`);
    const { items } = await newest(5);
    expect(items.map(({ action, target, site, status }) => [action, target, site, status])).toEqual([
      ["token.delete", made.id, undefined, 204],
      ["token.rotate", made.id, undefined, 200],
      ["threshold.delete", "audited", "shop", 204],
      ["threshold.put", "audited", "shop", 201],
      ["token.create", made.id, undefined, 201],
    ]);
    expect(items[3]!.actor).toEqual({ token: made.id });
    expect(items[0]!.actor.token).toMatch(/^static-/);
    expect(new Set(items.map(({ request_id }) => request_id)).size).toBe(5);
    expect(Math.abs(Date.now() - Date.parse(items[0]!.at))).toBeLessThan(60_000);
  });

  it("AUDIT-2: what was refused or only read is not recorded", async () => {
    const [before] = (await newest(1)).items;
    expect((await client.post(thresholdsPath("shop"), { json: { nope: 1 } })).status).toBe(422);
    expect((await client.delete(thresholdsPath("shop", "nowhere"))).status).toBe(404);
    expect((await client.post("/v1/tokens", { json: wanted(), token: "x" })).status).toBe(401);
    await client.get("/v1/tokens");
    expect((await newest(1)).items[0]).toEqual(before);
  });

  it("AUDIT-3: it pages to the end, each record once", async () => {
    const ids: string[] = [];
    let path: string | undefined = "/v1/audit?limit=7";
    while (path !== undefined) {
      const answer: Awaited<ReturnType<Client["get"]>> = await client.get(path);
      ids.push(...answer.json<Page<AuditItem>>().items.map(({ id }) => id));
      path = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    expect(ids.length).toBeGreaterThan(14);
    expect(problemFaults(await client.get("/v1/audit?cursor=x"), 400)).toEqual([]);
  });

  it("AUDIT-4: an admin for some sites sees their records only", async () => {
    await client.put(thresholdsPath("api", "a"), { json: rule("a") });
    await client.put(thresholdsPath("shop", "a"), { json: rule("a") });
    const { items } = await newest(1000, { token: shopAdmin.token });
    expect(new Set(items.map(({ site }) => site))).toEqual(new Set(["shop"]));
  });
});

describe("rate limit", () => {
  it("RATE-1: answers say what is left", async () => {
    const answer = await client.get("/v1/sites");
    expect(answer.headers.get("ratelimit-policy")).toBe('"default";q=12000;w=60');
    expect(answer.headers.get("ratelimit")).toMatch(/^"default";r=\d+;t=\d+$/);
    expect((await client.get("/v1/sites/shop/fingerprints/nope")).headers.has("ratelimit")).toBe(true);
    expect((await client.get("/healthz")).headers.has("ratelimit")).toBe(false);
  });
});

describe("descriptions", () => {
  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
