/**
 * The observer of one isolate: rows into the batch, and this request's share of the sending (`sending.ts`), all behind the
 * visitor's response. Nothing here throws into a request; what cannot be sent is counted.
 */

import type { KeyedHash } from "../base/hash.ts";
import { errorClass } from "../base/log.ts";
import { PAST_MAX_MS } from "../config.ts";
import type { Source } from "../wire/frame.ts";
import { parseObservation } from "../wire/observation.ts";
import type { Duty } from "./batch.ts";
import type { Exchange, SeenRequest, SeenResponse } from "./exchange.ts";
import type { ObservationRecord } from "./facts.ts";
import type { FingerprintOptions } from "./fingerprint.ts";
import { GateClosed } from "./gate.ts";
import type { RowMaker } from "./row.ts";
import { doDuty, type SendingDeps } from "./sending.ts";

export interface ObserverDeps extends SendingDeps {
  /** Both are used again for every observation; nothing of them outlives a turn. */
  exchange: Exchange;
  rows: RowMaker;
  objects: SendingDeps["objects"] & {
    /** Fails in time by itself: it is asked for by every request until it is there, and a timer for each would be too much. */
    hash(): Promise<KeyedHash>;
    /** The same without waiting, once it is there. */
    knownHash(): KeyedHash | undefined;
  };
}

/**
 * Takes what a request and its response say and does this request's share of the sending. `undefined` = all done, which is
 * so for nearly every request: only those that send or wait need the platform to keep them. Neither throws nor rejects.
 */
export function observeExchange(
  site: string,
  request: SeenRequest,
  response: SeenResponse,
  nowMs: number,
  options: FingerprintOptions,
  deps: ObserverDeps,
): Promise<void> | undefined {
  const hash = deps.objects.knownHash();
  if (hash === undefined) {
    return holdLater(site, deps, (key, heldMs) =>
      holdExchange(site, request, response, nowMs, heldMs, options, key, deps),
    );
  }
  const heldMs = deps.now();
  try {
    holdExchange(site, request, response, nowMs, heldMs, options, hash, deps);
  } catch (error) {
    deps.log({ event: "observe_failed", site, error: errorClass(error) });
  }
  return dutyOf(site, heldMs, deps);
}

/** The same of one observation that another Worker made. */
export function observe(
  site: string,
  record: ObservationRecord,
  source: Source,
  deps: ObserverDeps,
): Promise<void> | undefined {
  const hash = deps.objects.knownHash();
  if (hash === undefined)
    return holdLater(site, deps, (key, nowMs) => holdRecord(site, record, source, nowMs, key, deps));
  const nowMs = deps.now();
  try {
    holdRecord(site, record, source, nowMs, hash, deps);
  } catch (error) {
    deps.log({ event: "observe_failed", site, error: errorClass(error) });
  }
  return dutyOf(site, nowMs, deps);
}

function holdExchange(
  site: string,
  request: SeenRequest,
  response: SeenResponse,
  nowMs: number,
  heldMs: number,
  options: FingerprintOptions,
  hash: KeyedHash,
  { batch, exchange, rows }: ObserverDeps,
): void {
  exchange.read(request, response, nowMs, options);
  // Whoever answers after an hour is as late as a record of that age.
  if (nowMs < heldMs - PAST_MAX_MS) batch.lose(site, 1);
  else batch.add(site, "edge", rows.ofExchange(exchange, hash), exchange.dropped, heldMs);
}

function holdRecord(
  site: string,
  record: ObservationRecord,
  source: Source,
  nowMs: number,
  hash: KeyedHash,
  { batch, rows }: ObserverDeps,
): void {
  const observation = parseObservation(record, nowMs);
  const row = "expired" in observation ? undefined : rows.ofObservation(observation, hash);
  if (row === undefined || typeof row === "string") batch.lose(site, 1);
  else batch.add(site, source, row, 0, nowMs);
}

/** `hold` is given the hash and the time, ms, once the hash is there. */
async function holdLater(
  site: string,
  deps: ObserverDeps,
  hold: (hash: KeyedHash, nowMs: number) => void,
): Promise<void> {
  const { batch, objects, log } = deps;
  let hash: KeyedHash;
  try {
    hash = await objects.hash();
  } catch (error) {
    // Without the key no identity may leave the isolate; the observation is given up, and counted.
    batch.lose(site, 1);
    // Whoever was turned away at the gate was counted; the one who found it broken has written the line.
    if (!(error instanceof GateClosed)) log({ event: "observe_failed", site, error: errorClass(error) });
    return;
  }
  const nowMs = deps.now();
  try {
    hold(hash, nowMs);
  } catch (error) {
    log({ event: "observe_failed", site, error: errorClass(error) });
  }
  await dutyOf(site, nowMs, deps);
}

/** This request's share of the sending at `nowMs`; `undefined` = none. */
function dutyOf(site: string, nowMs: number, deps: ObserverDeps): Promise<void> | undefined {
  const duty = deps.batch.duty(nowMs);
  return isNothing(duty) ? undefined : doDuty(site, duty, deps);
}

function isNothing({ drives, send, lead }: Duty): boolean {
  return drives.length === 0 && !send && lead === undefined;
}
