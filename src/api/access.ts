/**
 * Users of Cloudflare Access: the signed assertion that Access puts on every request it lets through.
 * https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json/
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from "jose";
import {
  ACCESS_FETCH_TIMEOUT_MS,
  ACCESS_KEYS_FRESH_MS,
  ACCESS_KEYS_PAUSE_MS,
} from "../base/account-limits.ts";
import { unavailable } from "../base/problem.ts";
import { SECOND_MS } from "../config.ts";

export const ASSERTION_HEADER = "cf-access-jwt-assertion";
const CERTS_PATH = "/cdn-cgi/access/certs";

/** Who Access says it is: the user's e-mail address, or the name of a service token. */
export interface AccessUser {
  name: string;
  /** When the assertion ends. */
  expiresAtMs: number;
}

/** Fetches a URL; the platform's `fetch`. */
export type Fetch = (url: string, init: { signal: AbortSignal }) => Promise<Response>;

/** Checks assertions against the team's keys, which are kept as the plain JSON that they are. */
export class AccessKeys {
  readonly #team: string;
  readonly #audience: string[];
  readonly #fetch: Fetch;
  #keys: JSONWebKeySet | undefined;
  #fetchedMs = 0;
  #triedMs = Number.NEGATIVE_INFINITY;

  /** `team` is the origin of the Access team, `audience` the tags of the applications. */
  constructor(team: string, audience: string[], fetch: Fetch) {
    this.#team = team;
    this.#audience = audience;
    this.#fetch = fetch;
  }

  /** The user, `undefined` when the assertion does not hold. Throws 503 when the keys cannot be had. */
  async verify(assertion: string, nowMs: number): Promise<AccessUser | undefined> {
    if (this.#keys === undefined || nowMs - this.#fetchedMs > ACCESS_KEYS_FRESH_MS) await this.#load(nowMs);
    try {
      return await this.#check(assertion, nowMs);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) return refused(error);
    }
    // Access changes its keys every six weeks: one that is not known may be new.
    if (!(await this.#load(nowMs))) return undefined;
    return this.#check(assertion, nowMs).catch(refused);
  }

  async #check(assertion: string, nowMs: number): Promise<AccessUser | undefined> {
    // Made anew each time: what it caches are promises, and those belong to the request that made them.
    const { payload } = await jwtVerify(assertion, createLocalJWKSet(this.#keys!), {
      issuer: this.#team,
      audience: this.#audience,
      algorithms: ["RS256"],
      requiredClaims: ["exp", "iat"],
      currentDate: new Date(nowMs),
    });
    const name = payload.email ?? payload.common_name ?? payload.sub;
    // `exp` is required, and jose has checked that it is a number (of seconds).
    const expiresAtMs = Number(payload.exp) * SECOND_MS;
    return typeof name === "string" && name !== "" ? { name, expiresAtMs } : undefined;
  }

  /** Fetches the keys unless that was just tried; answers whether there are new ones. */
  async #load(nowMs: number): Promise<boolean> {
    const paused = nowMs - this.#triedMs < ACCESS_KEYS_PAUSE_MS;
    if (!paused) {
      this.#triedMs = nowMs;
      const keys = await this.#fetched().catch(() => undefined);
      if (keys !== undefined) {
        this.#keys = keys;
        this.#fetchedMs = nowMs;
        return true;
      }
    }
    // Old keys are better than none: Access announces new ones long before it uses them.
    if (this.#keys === undefined) throw unavailable("The keys of Cloudflare Access cannot be had now.");
    return false;
  }

  async #fetched(): Promise<JSONWebKeySet> {
    const signal = AbortSignal.timeout(ACCESS_FETCH_TIMEOUT_MS);
    const response = await this.#fetch(this.#team + CERTS_PATH, { signal });
    if (!response.ok) throw new Error(`the keys answered ${response.status}`);
    const keys = (await response.json()) as JSONWebKeySet;
    createLocalJWKSet(keys);
    return keys;
  }
}

/** What jose refuses is the caller's fault; anything else is a bug of ours. */
function refused(error: unknown): undefined {
  if (error instanceof errors.JOSEError) return undefined;
  throw error;
}
