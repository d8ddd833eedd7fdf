/**
 * Unchecked environment → checked options, at one place: a wrong value is one line that names it, at the start and not
 * hours later in an alarm. `scripts/serve.ts` calls it before it starts the engine, the Worker at its first request.
 */

import { RATE_LIMIT_DEFAULT, RATE_LIMIT_MAX } from "./base/account-limits.ts";
import {
  type Environment,
  settingCount,
  settingDuration,
  settingJson,
  settingList,
  settingOf,
  settingOrigin,
  settingText,
  wrongSetting,
} from "./base/setting.ts";
import {
  FLUSH_DEFAULT_MS,
  FLUSH_MAX_MS,
  MINUTE_MS,
  SECOND_MS,
  SHARDS_DEFAULT,
  SHARDS_MAX,
  TICK_DEFAULT_MS,
} from "./config.ts";

export const SCOPES = ["ingest", "read", "feed", "write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** A token as configured: its digest only. */
export interface StaticToken {
  name: string;
  /** SHA-256 of the token, 64 hex digits. */
  sha256: string;
  scopes: Scope[];
  /** `["*"]` = every site. */
  sites: string[];
  expiresAtMs: number | undefined;
}

/** Cloudflare Access: who is let in with its assertion, and what they may do. */
export interface AccessOptions {
  /** Origin of the team, such as `https://example.cloudflareaccess.com`: issuer of the assertions, and where their keys are. */
  team: string;
  /** Audience tags of the applications. */
  audience: string[];
  scopes: Scope[];
  /** `["*"]` = every site. */
  sites: string[];
}

export interface Options {
  /** Site → hosts that it is observed on (`*.` allowed as a prefix). `default` is always there. */
  sites: ReadonlyMap<string, string[]>;
  apiHosts: string[];
  shards: number;
  tickMs: number;
  tokens: StaticToken[];
  /** Absent = no Access. */
  access: AccessOptions | undefined;
  /** Requests a minute that one token may send to one isolate; 0 = no limit. */
  rateLimit: number;
  /** Where users reach the API, for links in events; absent = links are relative. */
  publicUrl: string | undefined;
  allowedOrigins: string[];
  /** Key of the identity hashes; absent = one is made and kept. */
  hashKey: string | undefined;
  jurisdiction: string | undefined;
  region: string | undefined;
  /** False = everything passes through and no object is touched. */
  observe: boolean;
  /** Origin of a local try-out as a reverse proxy; absent = where the request was going anyway. */
  originUrl: string | undefined;
  /** For tests: webhooks may go to loopback. */
  webhookLoopback: boolean;
  /** A trusted header that carries the JA4 where `request.cf` has none. */
  ja4Header: string | undefined;
  /** Age at which an isolate sends what it holds back. */
  flushMs: number;
  /** Whether the origin gets the signals of the caller's fingerprint as a header. */
  signalsHeader: boolean;
  /** Whether clients without a JA4 get a pseudo fingerprint of their TLS facts. */
  orTls: boolean;
}

export const SITE_FORM = /^[a-z0-9-]{1,63}$/;
export const DEFAULT_SITE = "default";
const JURISDICTIONS = ["eu", "fedramp", "fedramp-high", "us"];
const REGIONS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me", "apac-ne", "apac-se"];
export const DEFAULT_API_HOSTS = ["*.workers.dev", "localhost", "127.0.0.1", "[::1]"];

export function isSite(text: string): boolean {
  return SITE_FORM.test(text);
}

/** Reads every setting. Throws an Error of one line that names the wrong one. */
export function parseOptions(env: Environment): Options {
  return {
    sites: sites(env),
    apiHosts: [...DEFAULT_API_HOSTS, ...settingList(env, "API_HOSTS")],
    shards: settingCount(env, "SHARDS", SHARDS_DEFAULT, 1, SHARDS_MAX),
    tickMs: settingDuration(env, "TICK", TICK_DEFAULT_MS, SECOND_MS, MINUTE_MS),
    tokens: tokens(env),
    access: access(env),
    rateLimit: settingCount(env, "RATE_LIMIT", RATE_LIMIT_DEFAULT, 0, RATE_LIMIT_MAX),
    publicUrl: settingOrigin(env, "PUBLIC_URL"),
    allowedOrigins: settingList(env, "ALLOWED_ORIGINS"),
    hashKey: hashKey(env),
    jurisdiction: settingOf(env, "JURISDICTION", JURISDICTIONS),
    region: settingOf(env, "REGION", REGIONS),
    observe: settingOf(env, "OBSERVE", ["on", "off"]) !== "off",
    originUrl: settingOrigin(env, "ORIGIN_URL"),
    webhookLoopback: settingOf(env, "WEBHOOK_TEST_TARGETS", ["loopback"]) === "loopback",
    ja4Header: headerName(env),
    flushMs: settingDuration(env, "FLUSH", FLUSH_DEFAULT_MS, SECOND_MS, FLUSH_MAX_MS),
    signalsHeader: settingOf(env, "SIGNALS_HEADER", ["on", "off"]) === "on",
    orTls: settingOf(env, "FINGERPRINT", ["ja4", "ja4-or-tls"]) === "ja4-or-tls",
  };
}

/** The site that a host is observed under. */
export function siteOfHost(hostname: string, sites: ReadonlyMap<string, string[]>): string {
  for (const [site, hosts] of sites) if (hostMatches(hostname, hosts)) return site;
  return DEFAULT_SITE;
}

/** Whether `hostname` is one of `patterns`; `*.example.com` means any name below it. */
export function hostMatches(hostname: string, patterns: readonly string[]): boolean {
  const host = hostname.toLowerCase();
  return patterns.some((pattern) =>
    pattern.startsWith("*.")
      ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
      : host === pattern,
  );
}

function sites(env: Environment): Map<string, string[]> {
  const wanted = 'a JSON object of site → hosts, such as {"shop":["www.example.com","*.shop.example"]}';
  const value = settingJson(env, "SITES", wanted) ?? {};
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrongSetting("SITES", wanted);
  const found = new Map<string, string[]>([[DEFAULT_SITE, []]]);
  for (const [site, hosts] of Object.entries(value)) {
    if (!isSite(site)) throw wrongSetting("SITES", "site names of a–z, 0–9 and -, at most 63 characters");
    if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === "string" && host !== "")) {
      throw wrongSetting("SITES", wanted);
    }
    found.set(
      site,
      hosts.map((host: string) => host.toLowerCase()),
    );
  }
  return found;
}

/** A field name of RFC 9110 §5.1. */
function headerName(env: Environment): string | undefined {
  const value = settingText(env, "JA4_HEADER");
  if (value !== undefined && !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(value))
    throw wrongSetting("JA4_HEADER", "a header's name");
  return value;
}

function tokens(env: Environment): StaticToken[] {
  const wanted = 'a JSON array of {"name","sha256","scopes","sites","expires_at"?}';
  const value = settingJson(env, "API_TOKENS", wanted) ?? [];
  if (!Array.isArray(value)) throw wrongSetting("API_TOKENS", wanted);
  return value.map((entry: unknown) => {
    const token = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    if (typeof token.name !== "string" || token.name === "")
      throw wrongSetting("API_TOKENS", "a name for every token");
    if (typeof token.sha256 !== "string" || !/^[0-9a-fA-F]{64}$/.test(token.sha256)) {
      throw wrongSetting("API_TOKENS", "sha256 of every token as 64 hex digits");
    }
    const scopes = token.scopes;
    if (!Array.isArray(scopes) || !scopes.every((scope) => SCOPES.includes(scope))) {
      throw wrongSetting("API_TOKENS", `scopes of ${SCOPES.join(", ")}`);
    }
    const on = token.sites === "*" ? ["*"] : token.sites;
    if (
      !Array.isArray(on) ||
      !on.every((site) => site === "*" || (typeof site === "string" && isSite(site)))
    ) {
      throw wrongSetting("API_TOKENS", 'sites as ["*"] or a list of names');
    }
    const expires = token.expires_at ?? undefined;
    const expiresAtMs = typeof expires === "string" ? Date.parse(expires) : undefined;
    if (expires !== undefined && (expiresAtMs === undefined || Number.isNaN(expiresAtMs))) {
      throw wrongSetting("API_TOKENS", "expires_at as an RFC 3339 time");
    }
    return { name: token.name, sha256: token.sha256.toLowerCase(), scopes, sites: on, expiresAtMs };
  });
}

const TEAM_NAME = /^[a-z0-9-]{1,63}$/;
const TEAM_HOST = /^[a-z0-9-]{1,63}\.cloudflareaccess\.com$/;
const ACCESS_SCOPES_DEFAULT: Scope[] = ["read", "feed", "write"];

function access(env: Environment): AccessOptions | undefined {
  const team = settingText(env, "ACCESS_TEAM")?.toLowerCase();
  // Tags are hexadecimal, so lower case changes nothing.
  const audience = settingList(env, "ACCESS_AUD");
  const scopes = settingList(env, "ACCESS_SCOPES");
  const on = settingList(env, "ACCESS_SITES");
  if (!scopes.every((scope) => (SCOPES as readonly string[]).includes(scope)))
    throw wrongSetting("ACCESS_SCOPES", `names of ${SCOPES.join(", ")}, with commas between`);
  if (!on.every((site) => site === "*" || isSite(site)))
    throw wrongSetting("ACCESS_SITES", "`*` or names of sites, with commas between");
  if (team === undefined && audience.length === 0) return undefined;
  // Without an audience, an assertion for any other application of the team would do.
  if (audience.length === 0) throw wrongSetting("ACCESS_AUD", "the audience tag of the Access application");
  return {
    team: teamOrigin(env, team),
    audience,
    scopes: scopes.length === 0 ? ACCESS_SCOPES_DEFAULT : (scopes as Scope[]),
    sites: on.length === 0 ? ["*"] : on,
  };
}

function teamOrigin(env: Environment, team: string | undefined): string {
  if (team !== undefined && TEAM_NAME.test(team)) return `https://${team}.cloudflareaccess.com`;
  if (team !== undefined && TEAM_HOST.test(team)) return `https://${team}`;
  const given = team?.includes("://") ? settingOrigin(env, "ACCESS_TEAM") : undefined;
  // Keys that come over an open line could be anyone's; loopback is for tests.
  const safe = given !== undefined && /^(https:|http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$)/i.test(given);
  if (!safe)
    throw wrongSetting(
      "ACCESS_TEAM",
      "the name of the Access team, or its origin such as https://login.example.com",
    );
  return given.toLowerCase();
}

function hashKey(env: Environment): string | undefined {
  const value = settingText(env, "HASH_KEY");
  if (value !== undefined && value.length < 16) throw wrongSetting("HASH_KEY", "at least 16 characters");
  return value;
}
