/**
 * The observer of one isolate: rows into the batch, frames to the shards, all behind the visitor's response. Nothing here
 * throws into a request; what cannot be sent is counted.
 */

import { hex, type KeyedHash } from "../base/hash.ts";
import { errorClass, type Log } from "../base/log.ts";
import { EDGE_BACK_OFF_MS, EDGE_SEND_TIMEOUT_MS, FLUSH_MAX_MS, PAST_MAX_MS } from "../config.ts";
import type { Source } from "../wire/frame.ts";
import type { IngestResult } from "../wire/ingest.ts";
import { parseObservation } from "../wire/observation.ts";
import type { Batch, Duty, Taken } from "./batch.ts";
import type { Exchange, SeenRequest, SeenResponse } from "./exchange.ts";
import type { ObservationRecord } from "./facts.ts";
import type { FingerprintOptions } from "./fingerprint.ts";
import { type EdgeFrame, framesOf } from "./frames.ts";
import { GateClosed } from "./gate.ts";
import type { Inflight } from "./inflight.ts";
import type { Peers } from "./peers.ts";
import type { RowMaker } from "./row.ts";

/** The slice of a site's objects that the observer needs. */
export interface ObservedSite {
  map(): Promise<{ epoch: number; shards: number }>;
  shard(
    map: { epoch: number; shards: number },
    shard: number,
  ): {
    ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult>;
  };
}

export interface ObserverDeps {
  batch: Batch;
  /** Both are used again for every observation; nothing of them outlives a turn. */
  exchange: Exchange;
  rows: RowMaker;
  peers: Peers;
  objects: {
    site(site: string): ObservedSite;
    /** Fails in time by itself: it is asked for by every request until it is there, and a timer for each would be too much. */
    hash(): Promise<KeyedHash>;
    /** The same without waiting, once it is there. */
    knownHash(): KeyedHash | undefined;
  };
  now(): number;
  wait(ms: number): Promise<void>;
  log: Log;
  /** Id of the next frame: FRAME_ID_BYTES, unique over all isolates. */
  nextFrameId(): Uint8Array;
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

function isNothing({ resend, send, lead }: Duty): boolean {
  return resend.length === 0 && !send && lead === undefined;
}

/** Sends what this request is to send, and waits as leader when it is to lead. Never rejects. */
async function doDuty(site: string, { resend, send, lead }: Duty, deps: ObserverDeps): Promise<void> {
  const { batch } = deps;
  try {
    const resends = resend.map(([id, frame]) => sendFrame(id, frame, deps));
    if (lead !== undefined) await deps.wait(lead.ms);
    const leads = lead !== undefined && batch.leads(lead.lease);
    await Promise.all([
      ...resends,
      ...(send || leads ? batch.take(deps.now()).map((taken) => flushSite(taken, deps)) : []),
    ]);
  } catch (error) {
    deps.log({ event: "observe_failed", site, error: errorClass(error) });
  }
}

/** Never rejects: a request that ends early would take the flushes of its other sites with it. */
async function flushSite(taken: Taken, deps: ObserverDeps): Promise<void> {
  const { batch, log } = deps;
  const { site } = taken;
  let map: { epoch: number; shards: number };
  try {
    map = await inTime(deps.objects.site(site).map(), deps);
  } catch (error) {
    batch.putBack(taken, deps.now(), EDGE_BACK_OFF_MS);
    log({ event: "map_failed", site, error: errorClass(error) });
    return;
  }
  // Whoever waited too long for the map finds it taken back: another request sends it.
  if (!batch.owns(taken)) return;
  let frames: EdgeFrame[];
  try {
    frames = framesOf(taken, map, deps.nextFrameId);
  } catch (error) {
    batch.abandon(taken);
    log({ event: "encode_failed", site, error: errorClass(error) });
    return;
  }
  // From here to the last of them nothing waits: a request ends before all of it or after.
  batch.settle(taken);
  const sending = frames.map(({ id, shard, rows, counters, bytes }) => {
    const key = hex(id);
    const frame = { site, shard, rows, counters, bytes };
    batch.sent(key, frame, deps.now());
    return { key, frame: { ...frame, untilMs: 0 } };
  });
  await Promise.all(sending.map(({ key, frame }) => sendFrame(key, frame, deps)));
}

/** One try; what fails stays in flight and is sent again by a later request. */
async function sendFrame(id: string, frame: Inflight, deps: ObserverDeps): Promise<void> {
  const { batch, objects, peers, log } = deps;
  try {
    const at = objects.site(frame.site);
    const map = await inTime(at.map(), deps);
    const result = await peers.send([frame.bytes], (payloads) =>
      inTime(at.shard(map, frame.shard).ingest(payloads, map.shards), deps),
    );
    if (!result.ok) {
      batch.refused(id);
      log({ event: "frame_refused", site: frame.site, shard: frame.shard, error: result.fault });
      return;
    }
    batch.acked(id);
    batch.pace(Math.min(result.flushAfterMs, FLUSH_MAX_MS));
  } catch (error) {
    log({ event: "shard_failed", site: frame.site, shard: frame.shard, error: errorClass(error) });
  }
}

/** The platform ends what runs behind a response without a word: what hangs must fail while there is time to say so. */
function inTime<T>(call: Promise<T>, { wait }: ObserverDeps): Promise<T> {
  const late = wait(EDGE_SEND_TIMEOUT_MS).then(() => Promise.reject(new Error("no answer")));
  return Promise.race([call, late]);
}
