/**
 * Tokens (contract §2): made, rotated and revoked here; the secret is told once. Nobody can give away what they do not hold:
 * scopes and sites of a token are among the caller's own, and a caller for some sites does not see tokens for others.
 */
import * as z from "zod/mini";
import { TOKENS_MAX } from "../base/account-limits.ts";
import { hex, sha256 } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import { base64url, secret } from "../base/random.ts";
import { parseDuration, rfc3339 } from "../base/time.ts";
import type { Scope, StaticToken } from "../options.ts";
import { pageLimit } from "../schemas/common.ts";
import {
  type TokenOutput,
  tokenInput,
  tokenList,
  tokenOutput,
  tokenRotation,
  tokenWithSecret,
} from "../schemas/token.ts";
import { holdsSites, staticTokenId } from "./auth.ts";
import { readJson, readOptionalJson } from "./body.ts";
import { type Call, json, queryParameters, type Route } from "./call.ts";
import { firstPage, PAGE_DESCRIPTIONS, pageAnswer } from "./cursor.ts";
import { changedSince, etag, ifMatchParameter, parseIfMatch } from "./if-match.ts";
import type { StoredToken } from "./objects.ts";
import { validate, validateQuery } from "./validate.ts";

const PATH = "/v1/tokens";
const TOKEN_ID = /^[A-Za-z0-9_-]{1,63}$/;
/** So that a token that leaked into a text is found as one. */
const SECRET_PREFIX = "ht_";
const ID_BYTES = 9;

const listQuery = z.object({
  limit: pageLimit,
  cursor: z.optional(z.string().check(z.regex(TOKEN_ID, "not a cursor of this list"))),
});

export const tokenRoutes: Route[] = [
  {
    method: "GET",
    path: PATH,
    scope: "admin",
    operationId: "listTokens",
    summary: "Tokens by id, without secrets; those of API_TOKENS are marked `static`.",
    parameters: queryParameters(listQuery.shape, PAGE_DESCRIPTIONS),
    answers: { 200: { description: "A page.", schema: tokenList } },
    problems: [400, 503],
    handle: list,
  },
  {
    method: "POST",
    path: PATH,
    scope: "admin",
    operationId: "createToken",
    summary:
      "Make a token; scopes and sites must be the caller's own. The answer is the only one with the secret.",
    body: { "application/json": tokenInput },
    answers: { 201: { description: "Made, valid at once.", schema: tokenWithSecret } },
    problems: [400, 413, 415, 422, 503],
    handle: create,
  },
  {
    method: "GET",
    path: `${PATH}/:id`,
    scope: "admin",
    operationId: "getToken",
    summary: "One token, without its secret.",
    answers: { 200: { description: "The token.", schema: tokenOutput } },
    problems: [503],
    handle: one,
  },
  {
    method: "POST",
    path: `${PATH}/:id/rotate`,
    scope: "admin",
    operationId: "rotateToken",
    summary: "Give a token a new secret; the one of before ends after `overlap`.",
    parameters: [ifMatchParameter],
    body: { "application/json": tokenRotation },
    optionalBody: true,
    answers: { 200: { description: "The new secret, valid at once.", schema: tokenWithSecret } },
    problems: [400, 409, 412, 413, 415, 422, 503],
    handle: rotate,
  },
  {
    method: "DELETE",
    path: `${PATH}/:id`,
    scope: "admin",
    operationId: "deleteToken",
    summary: "Revoke a token: it is refused everywhere within 60 s.",
    parameters: [ifMatchParameter],
    answers: { 204: { description: "Revoked." } },
    problems: [409, 412, 503],
    handle: remove,
  },
];

const absent = () => new Problem(404, "unknown_token", "There is no token of this id.");

function outputOf(token: StoredToken): TokenOutput {
  const { secrets, revision: _, ...shown } = token;
  const until = Math.max(...secrets.map(({ untilMs }) => untilMs ?? 0));
  return { ...shown, ...(until > Date.now() ? { overlap_until: rfc3339(until) } : {}) };
}

function staticOutput(token: StaticToken): TokenOutput {
  const { name, scopes, sites, expiresAtMs } = token;
  const expires = expiresAtMs === undefined ? {} : { expires_at: rfc3339(expiresAtMs) };
  return { id: staticTokenId(token), name, scopes, sites, ...expires, static: true };
}

function newSecret(): string {
  return SECRET_PREFIX + secret((bytes) => crypto.getRandomValues(bytes));
}

async function list(call: Call): Promise<Response> {
  const { limit, cursor = "" } = validateQuery(listQuery, call.url.searchParams);
  const made = (await call.objects.account().tokens()).map(outputOf);
  const after = [...made, ...call.options.tokens.map(staticOutput)]
    .filter(({ id, sites }) => id > cursor && holdsSites(call.principal, sites))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const { items, next } = firstPage(after, limit);
  return pageAnswer(call.url, { items }, next);
}

async function one(call: Call): Promise<Response> {
  const configured = configuredToken(call);
  if (configured !== undefined) return json(staticOutput(configured));
  const stored = await storedToken(call);
  return json(outputOf(stored), 200, etag(stored.revision));
}

async function create(call: Call): Promise<Response> {
  const given = validate(tokenInput, await readJson(call.request));
  const sites = given.sites === "*" ? ["*"] : given.sites;
  requireFuture(given.expires_at);
  requireHeld(call, given.scopes, sites);
  // Stored times have one spelling, whatever zone they were written in.
  const expires = given.expires_at === undefined ? {} : { expires_at: rfc3339(Date.parse(given.expires_at)) };
  const token = newSecret();
  const id = `tok-${base64url(crypto.getRandomValues(new Uint8Array(ID_BYTES)))}`;
  const stored = await call.objects
    .account()
    .createToken({ ...given, sites, ...expires, id, sha256: hex(await sha256(token)) });
  if (stored === undefined)
    throw new Problem(422, "too_many_tokens", `There are at most ${TOKENS_MAX} tokens.`);
  call.credentials.forget();
  return json({ ...outputOf(stored), token }, 201, { ...etag(stored.revision), location: `${PATH}/${id}` });
}

async function rotate(call: Call): Promise<Response> {
  const ifMatch = parseIfMatch(call.request);
  // First of all whether there is such a token: a body is of interest only then.
  const held = configuredToken(call) === undefined ? await storedToken(call) : undefined;
  const { overlap } = validate(tokenRotation, await readOptionalJson(call.request));
  if (held === undefined) throw isConfigured();
  requireHeld(call, held.scopes, held.sites);
  if (held.expires_at !== undefined && Date.parse(held.expires_at) <= Date.now())
    throw new Problem(409, "token_expired", "The token has expired; a new secret would not work either.");
  const token = newSecret();
  const digest = hex(await sha256(token));
  const result = await call.objects
    .account()
    .rotateToken(held.id, digest, parseDuration(overlap) ?? 0, ifMatch);
  if (result.outcome !== "rotated") throw result.outcome === "absent" ? absent() : changedSince("token");
  call.credentials.forget();
  return json({ ...outputOf(result.token), token }, 200, etag(result.token.revision));
}

async function remove(call: Call): Promise<Response> {
  if (configuredToken(call) !== undefined) throw isConfigured();
  const { id } = await storedToken(call);
  const result = await call.objects.account().deleteToken(id, parseIfMatch(call.request));
  if (result === "absent") throw absent();
  if (result === "changed") throw changedSince("token");
  call.credentials.forget();
  return new Response(null, { status: 204 });
}

/** The path's token of API_TOKENS, where it is one that the caller may see. */
function configuredToken({ params, options, principal }: Call): StaticToken | undefined {
  return options.tokens.find(
    (token) => staticTokenId(token) === params.id && holdsSites(principal, token.sites),
  );
}

function isConfigured(): Problem {
  const detail = "The token is configured in API_TOKENS and can only be changed there.";
  return new Problem(409, "static_token", detail);
}

/** The path's token. Throws 404, also for one whose sites are not all the caller's. */
async function storedToken({ params, objects, principal }: Call): Promise<StoredToken> {
  const stored = await objects.account().token(params.id!);
  if (stored === undefined || !holdsSites(principal, stored.sites)) throw absent();
  return stored;
}

/** Throws 403 when a token would be able to do more than the caller. */
function requireHeld({ principal }: Call, scopes: readonly Scope[], sites: readonly string[]): void {
  const missing = scopes.find((scope) => !principal.scopes.includes(scope));
  if (missing !== undefined)
    throw new Problem(403, "scope", `The token lacks the scope ${missing}, so it cannot give it to another.`);
  if (!holdsSites(principal, sites))
    throw new Problem(
      403,
      "site",
      "The token is not for all of these sites, so it cannot give them to another.",
    );
}

function requireFuture(expiresAt: string | undefined): void {
  if (expiresAt === undefined || Date.parse(expiresAt) > Date.now()) return;
  const errors = [{ pointer: "/expires_at", detail: "lies in the past" }];
  throw new Problem(422, "invalid", "The body has values that are not allowed.", { errors });
}
