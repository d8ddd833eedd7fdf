/** Who is calling, and what they may do. Only digests of tokens are known; they are compared in constant time. */
import { hex, sameBytes, sha256 } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import { type Proof, SECRET_DIGITS } from "../feed/proof.ts";
import type { Scope, StaticToken } from "../options.ts";
import type { Actor } from "../schemas/token.ts";
import { ASSERTION_HEADER } from "./access.ts";
import type { Services } from "./call.ts";

/** A caller whose token was checked. */
export interface Principal {
  /** Of the token, the same as in `/v1/tokens`; of an Access user `access:` and the name. */
  id: string;
  /** How the audit record names the caller. */
  actor: Actor;
  scopes: readonly Scope[];
  sites: readonly string[];
  /** With what it was proved, so that a connection can end with it; absent = nothing that could end. */
  proof?: Proof;
}

const CHALLENGE = { "www-authenticate": "Bearer" };

export function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", detail, { headers: CHALLENGE });
}

/** Id of a token of API_TOKENS: a configured one has none, and its name need not be the only one of its kind. */
export function staticTokenId({ sha256: digest }: StaticToken): string {
  return `static-${digest.slice(0, 12)}`;
}

/** A caller without a token: routes that need none, and tickets. */
export function anonymous(id: string, sites: readonly string[] = []): Principal {
  return { id, actor: { token: id }, scopes: [], sites };
}

type Needed = Pick<Services, "options" | "objects" | "credentials" | "access">;

/**
 * The caller, by token or, where configured, by Cloudflare Access; with both the token counts. Throws 401 without one that
 * is known and not expired, 503 when that cannot be told.
 */
export async function authenticate(
  request: Request,
  services: Needed,
  now: () => number,
): Promise<Principal> {
  const header = request.headers.get("authorization");
  const assertion = request.headers.get(ASSERTION_HEADER);
  if (header === null && assertion !== null && services.access !== undefined) {
    return accessUser(request, assertion, services, now());
  }
  if (header === null) throw unauthorized("A bearer token is required.");
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw unauthorized("The Authorization header must be `Bearer TOKEN`.");
  const digest = hex(await sha256(token));
  return configured(digest, services, now()) ?? (await made(digest, services, now));
}

/** The owner of a token of API_TOKENS: needs no object, so it works when none answers. */
function configured(digest: string, { options }: Needed, nowMs: number): Principal | undefined {
  const encoder = new TextEncoder();
  const bytes = encoder.encode(digest);
  let found: StaticToken | undefined;
  // Every entry is compared, so that the time does not tell which one matched.
  for (const entry of options.tokens) if (sameBytes(bytes, encoder.encode(entry.sha256))) found = entry;
  if (found === undefined) return undefined;
  if (found.expiresAtMs !== undefined && found.expiresAtMs <= nowMs)
    throw unauthorized("The token has expired.");
  const id = staticTokenId(found);
  const proof = { token: id, ...until(found.expiresAtMs) };
  return { id, actor: { token: id }, scopes: found.scopes, sites: found.sites, proof };
}

async function made(digest: string, services: Needed, now: () => number): Promise<Principal> {
  const found = await services.credentials.find(digest, services.objects.account(), now);
  if (found === undefined) throw unauthorized("The token is not known.");
  const { id, scopes, sites, expiresAtMs } = found.credential;
  if (expiresAtMs !== undefined && expiresAtMs <= now()) throw unauthorized("The token has expired.");
  if (found.untilMs !== undefined && found.untilMs <= now())
    throw unauthorized("The token was rotated; the secret of before has expired.");
  const proof = { token: id, secret: digest.slice(0, SECRET_DIGITS), ...until(expiresAtMs, found.untilMs) };
  return { id, actor: { token: id }, scopes, sites, proof };
}

/** The earliest of these times, where there is one. */
function until(...times: (number | undefined)[]): { untilMs?: number } {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? {} : { untilMs: Math.min(...known) };
}

async function accessUser(
  request: Request,
  assertion: string,
  { options, access }: Needed,
  nowMs: number,
): Promise<Principal> {
  const user = await access?.verify(assertion, nowMs);
  if (user === undefined) throw unauthorized("The Cloudflare Access assertion does not hold.");
  requireOwnOrigin(request, options);
  const { scopes, sites } = options.access!;
  const proof = { token: "access", untilMs: user.expiresAtMs };
  return { id: `access:${user.name}`, actor: { access: user.name }, scopes, sites, proof };
}

/**
 * Throws 403 for a change that another site's page asks for. Access puts its assertion on whatever a logged-in browser sends,
 * so unlike a token it does not prove that the caller meant it.
 */
function requireOwnOrigin(request: Request, { allowedOrigins, publicUrl }: Needed["options"]): void {
  const origin = request.headers.get("origin");
  if (request.method === "GET" || origin === null) return;
  if ([new URL(request.url).origin, ...allowedOrigins, publicUrl].includes(origin.toLowerCase())) return;
  throw new Problem(403, "origin", "This Origin may not make changes; ALLOWED_ORIGINS lists those that may.");
}

/** Throws 403 when the scope is missing. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.includes(scope))
    throw new Problem(403, "scope", `The token lacks the scope ${scope}.`);
}

/** Whether the caller may see all of these sites; `*` = every one. */
export function holdsSites(principal: Principal, sites: readonly string[]): boolean {
  return principal.sites.includes("*") || sites.every((site) => principal.sites.includes(site));
}

/**
 * Throws 403 when the token is not for this site, whether or not the site exists, and 404 when it may see every site but
 * there is none of this name.
 */
export function requireSite(principal: Principal, site: string, known: ReadonlyMap<string, unknown>): void {
  if (!holdsSites(principal, [site])) throw new Problem(403, "site", "The token is not for this site.");
  if (!known.has(site)) throw new Problem(404, "unknown_site", "There is no site of this name.");
}

/** The sites that a caller may see. */
export function visibleSites(principal: Principal, known: ReadonlyMap<string, unknown>): string[] {
  return [...known.keys()].filter((site) => holdsSites(principal, [site])).sort();
}
