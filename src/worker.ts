/**
 * What the Worker does with a request: the API for its own hosts; every other host passes through untouched and is
 * observed behind the response.
 */

import type { Services } from "./api/call.ts";
import { answer } from "./api/router.ts";
import { shardOf } from "./base/hash.ts";
import { errorClass, logWarning } from "./base/log.ts";
import { Problem, problemResponse } from "./base/problem.ts";
import { SettingError } from "./base/setting.ts";
import { SIGNALS_HEADER_MAX_AGE_MS, SIGNALS_REFRESH_MS } from "./config.ts";
import type { ObservationRecord } from "./edge/facts.ts";
import { fingerprintOf } from "./edge/fingerprint.ts";
import { type ObserverDeps, observe, observeExchange } from "./edge/observer.ts";
import { outgoing } from "./edge/pass-through.ts";
import type { SignalsCache } from "./edge/signals-cache.ts";
import { DEFAULT_API_HOSTS, hostMatches, siteOfHost } from "./options.ts";
import { featureRow } from "./reading/features.ts";
import type { FeatureRow } from "./signals/features.ts";
import type { Source } from "./wire/frame.ts";
import { isJa4 } from "./wire/ja4.ts";

/** What an isolate brings to every request. */
export interface Isolate extends Services {
  observer: ObserverDeps;
  signals: SignalsCache;
  now(): number;
}

/** The platform's slice of an execution context. */
export interface Behind {
  waitUntil(promise: Promise<unknown>): void;
}

export async function handleRequest(request: Request, isolate: Isolate, behind: Behind): Promise<Response> {
  const { url } = isolate.observer.exchange;
  url.read(request.url);
  const { host } = url;
  if (hostMatches(host, isolate.options.apiHosts)) return answer(request, isolate);
  return passThrough(request, siteOfHost(host, isolate.options.sites), isolate, behind);
}

/** With a wrong setting visitors still pass; the API's own hosts are told which one it is. */
export function misconfigured(request: Request, error: unknown): Response | Promise<Response> {
  logWarning({ event: "misconfigured", error: errorClass(error) });
  if (!hostMatches(new URL(request.url).hostname, DEFAULT_API_HOSTS)) {
    return fetch(prepared(request, { originUrl: undefined, signalsHeader: false }, undefined));
  }
  // A setting's error names the setting and what it should be, never its value.
  const detail = error instanceof SettingError ? error.message : "The settings cannot be read.";
  return problemResponse(new Problem(500, "misconfigured", detail), "startup");
}

async function passThrough(
  request: Request,
  site: string,
  isolate: Isolate,
  behind: Behind,
): Promise<Response> {
  const { options } = isolate;
  const nowMs = isolate.now();
  const ja4 = options.signalsHeader && options.observe ? fingerprintOf(request, options) : undefined;
  const known =
    ja4 === undefined ? undefined : isolate.signals.get(site, ja4, nowMs, SIGNALS_HEADER_MAX_AGE_MS);
  const signals = known?.row === undefined ? undefined : { row: known.row, ageMs: known.ageMs };
  const response = await fetch(prepared(request, options, signals));
  if (options.observe) {
    const sending = observeExchange(site, request, response, nowMs, options, isolate.observer);
    if (sending !== undefined) behind.waitUntil(sending);
  }
  if (ja4 !== undefined) behind.waitUntil(refreshSignals(site, ja4, SIGNALS_REFRESH_MS, isolate));
  return response;
}

/** The outgoing request; the visitor's own one if making it fails, since a header is no reason to lose a visitor. */
function prepared(...parameters: Parameters<typeof outgoing>): Request {
  try {
    return outgoing(...parameters);
  } catch {
    return parameters[0];
  }
}

/** An observation of another Worker's, by service binding. Never rejects. */
export function observeRecord(
  record: ObservationRecord,
  site: string | undefined,
  isolate: Isolate,
): Promise<void> {
  if (!isolate.options.observe) return Promise.resolve();
  const host = typeof record?.host === "string" ? record.host : "";
  const where =
    site !== undefined && isolate.options.sites.has(site) ? site : siteOfHost(host, isolate.options.sites);
  return observe(where, record, "binding" satisfies Source, isolate.observer) ?? Promise.resolve();
}

/** The feature row of a fingerprint, from memory or within `waitMs`; `undefined` when there is none in time. */
export async function signalsOf(
  site: string,
  ja4: string,
  maxAgeMs: number,
  waitMs: number,
  isolate: Isolate,
  behind: Behind,
): Promise<(FeatureRow & { age_ms: number }) | undefined> {
  // From another Worker, so unchecked: an object must not come to be for a site that does not exist.
  const { observe: on, sites } = isolate.options;
  if (!on || typeof ja4 !== "string" || !isJa4(ja4) || !sites.has(site) || !(maxAgeMs >= 0)) return undefined;
  const fromMemory = () => isolate.signals.get(site, ja4, isolate.now(), maxAgeMs);
  if (fromMemory() === undefined) {
    const refreshed = refreshSignals(site, ja4, maxAgeMs, isolate);
    // It goes on when the caller has given up, so that the next one finds the row.
    behind.waitUntil(refreshed);
    await Promise.race([refreshed, isolate.wait(waitMs)]);
  }
  const found = fromMemory();
  return found?.row === undefined ? undefined : { ...found.row, age_ms: found.ageMs };
}

/** Fetches the row unless it is fresh or on its way already. Never rejects. */
async function refreshSignals(site: string, ja4: string, maxAgeMs: number, isolate: Isolate): Promise<void> {
  const { signals, objects, log } = isolate;
  if (!signals.claim(site, ja4, isolate.now(), maxAgeMs)) return;
  try {
    const at = objects.site(site);
    const map = await at.map();
    const { found } = await at.shard(map, shardOf(ja4, map.shards, map.epoch)).read([ja4]);
    signals.set(site, ja4, found[0] === undefined ? undefined : featureRow(found[0]), isolate.now());
  } catch (error) {
    log({ event: "signals_failed", site, error: errorClass(error) });
  }
}
