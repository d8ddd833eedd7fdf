/**
 * The observer of one isolate: rows into the batch, frames to the shards, all behind the visitor's response. Nothing here
 * throws into a request; what cannot be sent is counted.
 */

import type { KeyedHash } from "../base/hash.ts";
import { errorClass, type Log } from "../base/log.ts";
import { EDGE_BACK_OFF_MS, EDGE_SEND_TIMEOUT_MS, FLUSH_MAX_MS } from "../config.ts";
import type { Source } from "../wire/frame.ts";
import { NO_COUNTERS } from "../wire/frame-builder.ts";
import { finalAnswer, type IngestResult } from "../wire/ingest.ts";
import { parseObservation } from "../wire/observation.ts";
import type { Batch, Inflight, Taken } from "./batch.ts";
import { parcels } from "./dispatch.ts";
import type { ObservationRecord } from "./facts.ts";
import { GateClosed } from "./gate.ts";
import { toRow } from "./row.ts";
import { ShardedFrames } from "./sharded.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

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
  agents: UserAgentClassifier;
  /** `hash` fails in time by itself: it is asked at every request, and a timer for each would be too much. */
  objects: { site(site: string): ObservedSite; hash(): Promise<KeyedHash> };
  now(): number;
  wait(ms: number): Promise<void>;
  log: Log;
  /** Unique to the isolate and growing with every flush, for frame ids. */
  nextFlushId(): string;
}

/** Takes one observation and does this request's share of the sending. Never rejects. */
export async function observe(
  site: string,
  record: ObservationRecord,
  fieldsDropped: number,
  source: Source,
  deps: ObserverDeps,
): Promise<void> {
  try {
    await hold(site, record, fieldsDropped, source, deps);
    await doDuty(deps);
  } catch (error) {
    // Whoever was turned away at the gate was counted; the one who found it broken has written the line.
    if (error instanceof GateClosed) return;
    deps.log({ event: "observe_failed", site, error: errorClass(error) });
  }
}

async function hold(
  site: string,
  record: ObservationRecord,
  fieldsDropped: number,
  source: Source,
  deps: ObserverDeps,
): Promise<void> {
  const { batch, objects, agents } = deps;
  let hash: KeyedHash;
  try {
    hash = await objects.hash();
  } catch (error) {
    // Without the key no identity may leave the isolate; the observation is given up, and counted.
    batch.lose(site, 1);
    throw error;
  }
  const observation = parseObservation(record, deps.now());
  const row = "expired" in observation ? undefined : toRow(observation, hash, agents);
  if (row === undefined || typeof row === "string") batch.lose(site, 1);
  else batch.add(site, source, row, fieldsDropped, deps.now());
}

/** Sends what this request is to send, and waits as leader when it is to lead. */
async function doDuty(deps: ObserverDeps): Promise<void> {
  const { batch } = deps;
  const { resend, send, lead } = batch.duty(deps.now());
  const resends = resend.map(([id, frame]) => sendFrame(id, frame, deps));
  if (lead !== undefined) await deps.wait(lead.ms);
  const leads = lead !== undefined && batch.leads(lead.lease);
  await Promise.all([
    ...resends,
    ...(send || leads ? batch.take().map((taken) => flushSite(taken, deps)) : []),
  ]);
}

/** Never rejects: a request that ends early would take the flushes of its other sites with it. */
async function flushSite(taken: Taken, deps: ObserverDeps): Promise<void> {
  const { site, source, rows, counters } = taken;
  let map: { epoch: number; shards: number };
  try {
    map = await inTime(deps.objects.site(site).map(), deps);
  } catch (error) {
    deps.batch.putBack(taken, deps.now(), EDGE_BACK_OFF_MS);
    deps.log({ event: "map_failed", site, error: errorClass(error) });
    return;
  }
  const frames = new ShardedFrames(map);
  rows.forEach((row, i) => {
    frames.add(row, i);
  });
  const seed = deps.nextFlushId();
  const list = await parcels(frames.builders, seed, source, counters);
  await Promise.all(
    list.map((parcel, i) => {
      const id = `${seed}/${i}`;
      const frame = { site, ...parcel, counters: i === 0 ? counters : NO_COUNTERS };
      deps.batch.sent(id, frame, deps.now());
      return sendFrame(id, { ...frame, untilMs: 0 }, deps);
    }),
  );
}

/** One try; what fails stays in flight and is sent again by a later request. */
async function sendFrame(id: string, frame: Inflight, deps: ObserverDeps): Promise<void> {
  const { batch, objects, log } = deps;
  try {
    const at = objects.site(frame.site);
    const map = await inTime(at.map(), deps);
    const result = finalAnswer(
      await inTime(at.shard(map, frame.shard).ingest([frame.bytes], map.shards), deps),
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
