/** Who is calling, and what they may do. Only digests of tokens are known; they are compared in constant time. */
import { hex, sameBytes, sha256 } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import type { Scope, StaticToken } from "../options.ts";

/** A caller whose token was checked. */
export interface Principal {
  scopes: readonly Scope[];
  sites: readonly string[];
}

const CHALLENGE = { "www-authenticate": "Bearer" };

export function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", detail, { headers: CHALLENGE });
}

/** The token's owner. Throws 401 without one that is known and not expired. */
export async function authenticate(
  request: Request,
  tokens: readonly StaticToken[],
  nowMs: number,
): Promise<Principal> {
  const header = request.headers.get("authorization");
  if (header === null) throw unauthorized("A bearer token is required.");
  const token = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw unauthorized("The Authorization header must be `Bearer TOKEN`.");
  const encoder = new TextEncoder();
  const digest = encoder.encode(hex(await sha256(token)));
  let found: StaticToken | undefined;
  // Every entry is compared, so that the time does not tell which one matched.
  for (const entry of tokens) if (sameBytes(digest, encoder.encode(entry.sha256))) found = entry;
  if (found === undefined) throw unauthorized("The token is not known.");
  if (found.expiresAtMs !== undefined && found.expiresAtMs <= nowMs)
    throw unauthorized("The token has expired.");
  return { scopes: found.scopes, sites: found.sites };
}

/** Throws 403 when the scope is missing. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!principal.scopes.includes(scope))
    throw new Problem(403, "scope", `The token lacks the scope ${scope}.`);
}

/**
 * Throws 403 when the token is not for this site, whether or not the site exists, and 404 when it may see every site but
 * there is none of this name.
 */
export function requireSite(principal: Principal, site: string, known: ReadonlyMap<string, unknown>): void {
  if (!principal.sites.includes("*") && !principal.sites.includes(site)) {
    throw new Problem(403, "site", "The token is not for this site.");
  }
  if (!known.has(site)) throw new Problem(404, "unknown_site", "There is no site of this name.");
}

/** The sites that a caller may see. */
export function visibleSites(principal: Principal, known: ReadonlyMap<string, unknown>): string[] {
  return [...known.keys()]
    .filter((site) => principal.sites.includes("*") || principal.sites.includes(site))
    .sort();
}
