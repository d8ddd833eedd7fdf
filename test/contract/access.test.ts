/** Cloudflare Access and the rate limit through the real server; the team is a server on loopback. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AccessTeam, AUDIENCE, startAccessTeam } from "../support/access-team.ts";
import { type Client, createClient, ingest, problemFaults } from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";
import { rule, thresholdsPath } from "./helpers/rules.ts";

const LIMIT = 30;
let team: AccessTeam;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  team = await startAccessTeam();
  server = await startServer({
    sites: ["shop", "api"],
    // The engine of tests may call loopback.
    testCf: true,
    env: {
      ACCESS_TEAM: team.origin,
      ACCESS_AUD: AUDIENCE,
      ACCESS_SITES: "shop",
      RATE_LIMIT: String(LIMIT),
    },
  });
  client = createClient(server);
}, 30_000);
afterAll(async () => {
  await server?.stop();
  team?.stop();
});

async function as(email: string, aud?: string) {
  return { token: null, headers: { "cf-access-jwt-assertion": await team.sign(email, aud) } };
}

describe("Cloudflare Access at the server", () => {
  it("ACCESS-8: a user reads and writes where allowed, and the record names the address", async () => {
    const ann = await as("ann@example.com");
    expect((await client.get("/v1/sites", ann)).json()).toMatchObject({ sites: ["shop"] });
    expect((await client.put(thresholdsPath("shop", "x"), { ...ann, json: rule("x") })).status).toBe(201);
    expect(problemFaults(await client.get("/v1/sites/api/summary", ann), 403)).toEqual([]);
    expect(problemFaults(await client.get("/v1/tokens", ann), 403)).toEqual([]);
    const { items } = (await client.get("/v1/audit")).json<{ items: object[] }>();
    expect(items[0]).toMatchObject({ actor: { access: "ann@example.com" }, action: "threshold.put" });
  });

  it("ACCESS-8: what is signed for another application, or not at all, is 401", async () => {
    expect(problemFaults(await client.get("/v1/sites", await as("ann@example.com", "other")), 401)).toEqual(
      [],
    );
    const headers = { "cf-access-jwt-assertion": "not.a.jwt" };
    expect(problemFaults(await client.get("/v1/sites", { token: null, headers }), 401)).toEqual([]);
  });
});

describe("rate limit at the server", () => {
  it("RATE-5: past it a caller gets 429 with Retry-After; others, ingest and open routes go on", async () => {
    const bob = await as("bob@example.com");
    let refused = await client.get("/v1/sites", bob);
    let letIn = 0;
    // On a slow machine some are given back meanwhile, one in two seconds.
    for (; refused.status === 200 && letIn < 100 * LIMIT; letIn++)
      refused = await client.get("/v1/sites", bob);
    expect(letIn).toBeGreaterThanOrEqual(LIMIT);
    expect(problemFaults(refused, 429)).toEqual([]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(refused.headers.get("ratelimit")).toMatch(/^"default";r=0;t=\d+$/);
    expect((await client.get("/v1/sites", await as("cas@example.com"))).status).toBe(200);
    for (let i = 0; i < LIMIT + 5; i++) expect((await ingest(client, "shop", [{}])).status).toBe(202);
    expect((await client.get("/healthz", { token: null })).status).toBe(200);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
