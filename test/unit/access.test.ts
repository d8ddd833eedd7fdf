/** Cloudflare Access: which assertions hold, with keys made here. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { AccessKeys } from "../../src/api/access.ts";
import { authenticate } from "../../src/api/auth.ts";
import type { Services } from "../../src/api/call.ts";
import { hex, sha256 } from "../../src/base/hash.ts";
import { Problem } from "../../src/base/problem.ts";
import { parseOptions } from "../../src/options.ts";

const TEAM = "https://team.cloudflareaccess.com";
const AUD = "0123abcd";
const NOW = Date.parse("2026-11-23T10:00:00Z");
const NOW_S = NOW / 1_000;
type Keys = Awaited<ReturnType<typeof generateKeyPair>>;

let first: Keys;
let second: Keys;

beforeAll(async () => {
  first = await generateKeyPair("RS256", { extractable: true });
  second = await generateKeyPair("RS256", { extractable: true });
});

async function jwk(keys: Keys, kid: string) {
  return { ...(await exportJWK(keys.publicKey)), kid, alg: "RS256", use: "sig" };
}

const CLAIMS = {
  iss: TEAM,
  aud: [AUD],
  iat: NOW_S - 10,
  nbf: NOW_S - 10,
  exp: NOW_S + 60,
  email: "ann@example.com",
  sub: "user-1",
};
const ANN = { name: CLAIMS.email, expiresAtMs: CLAIMS.exp * 1_000 };

function sign(more: JWTPayload = {}, keys = first, kid = "k1"): Promise<string> {
  const claims = Object.fromEntries(
    Object.entries({ ...CLAIMS, ...more }).filter(([, value]) => value !== undefined),
  );
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid, typ: "JWT" }).sign(keys.privateKey);
}

/** A team whose published keys the test sets; counts how often they are fetched. */
async function team() {
  const state = { keys: [await jwk(first, "k1")], fetches: 0, isDown: false };
  const access = new AccessKeys(TEAM, [AUD], async (url) => {
    state.fetches++;
    expect(url).toBe(`${TEAM}/cdn-cgi/access/certs`);
    return state.isDown ? new Response("", { status: 500 }) : Response.json({ keys: state.keys });
  });
  return { state, access };
}

describe("Cloudflare Access", () => {
  it("ACCESS-1: a signed assertion of the team for this application names the user", async () => {
    const { access, state } = await team();
    expect(await access.verify(await sign(), NOW)).toEqual(ANN);
    const service = await sign({ email: undefined, common_name: "robot.access", sub: "" } as JWTPayload);
    expect(await access.verify(service, NOW)).toEqual({ ...ANN, name: "robot.access" });
    expect(state.fetches).toBe(1);
  });

  it.each<[string, JWTPayload]>([
    ["of another team", { iss: "https://other.cloudflareaccess.com" }],
    ["for another application", { aud: ["ffff"] }],
    ["without an audience", { aud: undefined } as unknown as JWTPayload],
    ["that has expired", { exp: NOW_S - 1 }],
    ["without an expiry", { exp: undefined } as unknown as JWTPayload],
    ["that is not valid yet", { nbf: NOW_S + 60 }],
    ["of nobody", { email: undefined, sub: undefined } as unknown as JWTPayload],
  ])("ACCESS-2: an assertion %s does not hold", async (_, more) => {
    const { access } = await team();
    expect(await access.verify(await sign(more), NOW)).toBeUndefined();
  });

  it("ACCESS-2: nor one of another key, another algorithm, or none, or no assertion at all", async () => {
    const { access, state } = await team();
    expect(await access.verify(await sign({}, second), NOW)).toBeUndefined();
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(await access.verify(`${encode({ alg: "none" })}.${encode(CLAIMS)}.`, NOW)).toBeUndefined();
    // The classic: the public key as the secret of an HMAC.
    const mac = new SignJWT(CLAIMS).setProtectedHeader({ alg: "HS256", kid: "k1" });
    const forged = await mac.sign(new TextEncoder().encode(JSON.stringify(state.keys[0])));
    expect(await access.verify(forged, NOW)).toBeUndefined();
    const whole = await sign();
    for (const broken of ["", "x", "a.b.c", whole.slice(0, -3), `${whole}x`, whole.replace(".", "..")])
      expect(await access.verify(broken, NOW)).toBeUndefined();
  });

  it("ACCESS-3: a new key is fetched when it is used, but not for every made-up name of one", async () => {
    const { access, state } = await team();
    await access.verify(await sign(), NOW);
    state.keys = [await jwk(first, "k1"), await jwk(second, "k2")];
    const later = NOW + 31_000;
    expect(await access.verify(await sign({}, second, "k2"), later)).toEqual(ANN);
    for (let i = 0; i < 50; i++)
      expect(await access.verify(await sign({}, second, `made-up-${i}`), later + i)).toBeUndefined();
    expect(state.fetches).toBe(2);
  });

  it("ACCESS-4: without keys it is 503, with old ones they go on", async () => {
    const { access, state } = await team();
    state.isDown = true;
    await expect(access.verify(await sign(), NOW)).rejects.toMatchObject({ status: 503 });
    state.isDown = false;
    const later = NOW + 40_000;
    expect(await access.verify(await sign(), later)).toEqual(ANN);
    state.isDown = true;
    const muchLater = NOW + 3_600_000;
    const fresh = { iat: muchLater / 1_000, exp: muchLater / 1_000 + 60 };
    expect(await access.verify(await sign(fresh), muchLater)).toEqual({
      ...ANN,
      expiresAtMs: muchLater + 60_000,
    });
  });

  /** Who a request is by; the status of the problem where it is refused. */
  async function whoIs(headers: Record<string, string>, method = "GET", env: object = {}) {
    const { access } = await team();
    const api = [{ name: "t", sha256: hex(await sha256("secret")), scopes: ["ingest"], sites: ["shop"] }];
    const options = parseOptions({ ACCESS_TEAM: "team", ACCESS_AUD: AUD, API_TOKENS: api, ...env });
    const request = new Request("https://tide.example.com/v1/sites", { method, headers });
    const services = { options, access } as unknown as Services;
    try {
      return await authenticate(request, services, () => NOW);
    } catch (error) {
      return error instanceof Problem ? error.status : String(error);
    }
  }

  it("ACCESS-5: users have the configured scopes and sites; with a token beside it the token counts", async () => {
    const assertion = { "cf-access-jwt-assertion": await sign() };
    expect(await whoIs(assertion)).toEqual({
      id: "access:ann@example.com",
      actor: { access: "ann@example.com" },
      proof: { token: "access", untilMs: ANN.expiresAtMs },
      scopes: ["read", "feed", "write"],
      sites: ["*"],
    });
    expect(
      await whoIs(assertion, "GET", { ACCESS_SCOPES: "read,admin", ACCESS_SITES: "shop" }),
    ).toMatchObject({ scopes: ["read", "admin"], sites: ["shop"] });
    expect(await whoIs({ ...assertion, authorization: "Bearer secret" })).toMatchObject({
      scopes: ["ingest"],
      sites: ["shop"],
    });
    expect(await whoIs({ "cf-access-jwt-assertion": "x" })).toBe(401);
  });

  it("ACCESS-6: another site's page cannot make changes with a user's assertion", async () => {
    const assertion = { "cf-access-jwt-assertion": await sign() };
    const from = (origin: string, method: string) => whoIs({ ...assertion, origin }, method);
    expect(await from("https://evil.example", "POST")).toBe(403);
    expect(await from("null", "DELETE")).toBe(403);
    expect(await from("https://tide.example.com", "POST")).toMatchObject({ scopes: expect.anything() });
    expect(await from("https://evil.example", "GET")).toMatchObject({ scopes: expect.anything() });
  });

  it.each([
    ["ACCESS_AUD", { ACCESS_TEAM: "team" }],
    ["ACCESS_TEAM", { ACCESS_AUD: AUD }],
    ["ACCESS_TEAM", { ACCESS_AUD: AUD, ACCESS_TEAM: "http://login.example.com" }],
    ["ACCESS_TEAM", { ACCESS_AUD: AUD, ACCESS_TEAM: "team.example.com" }],
    ["ACCESS_TEAM", { ACCESS_AUD: AUD, ACCESS_TEAM: "https://team.example.com/x" }],
    ["ACCESS_SCOPES", { ACCESS_AUD: AUD, ACCESS_TEAM: "team", ACCESS_SCOPES: "root" }],
    ["ACCESS_SITES", { ACCESS_AUD: AUD, ACCESS_TEAM: "team", ACCESS_SITES: "Shop!" }],
    ["RATE_LIMIT", { RATE_LIMIT: "many" }],
    ["RATE_LIMIT", { RATE_LIMIT: "-1" }],
  ])("ACCESS-7: a wrong or missing %s is named at the start", (name, env) => {
    expect(() => parseOptions(env)).toThrow(new RegExp(`^${name} is wrong: [^\n]+$`));
  });

  it("ACCESS-7: the team may be a name, its host, or an origin; loopback without TLS is for tests", () => {
    const teamOf = (team: string) => parseOptions({ ACCESS_TEAM: team, ACCESS_AUD: AUD }).access?.team;
    expect(["team", "Team.cloudflareaccess.com", `${TEAM}/`].map(teamOf)).toEqual([TEAM, TEAM, TEAM]);
    expect(teamOf("https://login.example.com")).toBe("https://login.example.com");
    expect(teamOf("http://127.0.0.1:8080")).toBe("http://127.0.0.1:8080");
    expect(parseOptions({}).access).toBeUndefined();
  });
});
