/**
 * One request's share of the sending, behind its visitor's response: it waits as leader, loads the lanes, drives them. All of
 * it ends within EDGE_REQUEST_MAX_MS; what is not sent by then is plain data, which the next request finds.
 */

import { errorClass, type Log } from "../base/log.ts";
import { isOverloaded } from "../base/retry.ts";
import { EDGE_BACK_OFF_MS, EDGE_REQUEST_MAX_MS, EDGE_SEND_TIMEOUT_MS, EDGE_TRY_MIN_MS } from "../config.ts";
import { type IngestResult, tookNothing } from "../wire/ingest.ts";
import type { Batch, Duty, Taken } from "./batch.ts";
import type { LaneFrame } from "./lane.ts";
import type { Drive } from "./lanes.ts";
import type { Peers } from "./peers.ts";

/** The slice of a site's objects that sending needs. */
export interface ObservedSite {
  map(): Promise<{ epoch: number; shards: number }>;
  shard(
    map: { epoch: number; shards: number },
    shard: number,
  ): {
    ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult>;
  };
}

export interface SendingDeps {
  batch: Batch;
  peers: Peers;
  objects: { site(site: string): ObservedSite };
  now(): number;
  wait(ms: number): Promise<void>;
  log: Log;
}

/** Sends what this request is to send, and waits as leader when it is to lead. Never rejects. */
export async function doDuty(site: string, { drives, send, lead }: Duty, deps: SendingDeps): Promise<void> {
  const { batch } = deps;
  const endMs = deps.now() + EDGE_REQUEST_MAX_MS;
  try {
    const driven = drives.map((each) => drive(each, endMs, deps));
    if (lead !== undefined) await deps.wait(lead.ms);
    const leads = lead !== undefined && batch.leads(lead.lease);
    await Promise.all([
      ...driven,
      ...(send || leads ? batch.take(deps.now()).map((taken) => flush(taken, endMs, deps)) : []),
    ]);
  } catch (error) {
    deps.log({ event: "observe_failed", site, error: errorClass(error) });
  }
}

/** Never rejects: a request that ends early would take the flushes of its other sites with it. */
async function flush(taken: Taken, endMs: number, deps: SendingDeps): Promise<void> {
  const { batch, log } = deps;
  const { site } = taken;
  let map: { epoch: number; shards: number };
  try {
    map = await inTime(deps.objects.site(site).map(), EDGE_SEND_TIMEOUT_MS, deps);
  } catch (error) {
    batch.putBack(taken, deps.now(), EDGE_BACK_OFF_MS);
    log({ event: "map_failed", site, error: errorClass(error) });
    return;
  }
  // Whoever waited too long for the map finds nothing to load any more: another request does it.
  const drives = batch.load(taken, map, deps.now());
  await Promise.all(drives.map((each) => drive(each, endMs, deps)));
}

/** Sends what is on a lane, one frame after the other, until there is nothing more, a call fails, or the time is over. */
async function drive(each: Drive, endMs: number, deps: SendingDeps): Promise<void> {
  const { lanes } = deps.batch;
  const { site, shard } = each.lane.place;
  for (;;) {
    const nowMs = deps.now();
    const leftMs = Math.min(EDGE_SEND_TIMEOUT_MS, endMs - nowMs);
    if (leftMs < EDGE_TRY_MIN_MS) return lanes.leave(each);
    let frame: LaneFrame | undefined;
    try {
      frame = lanes.begin(each, nowMs);
    } catch (error) {
      deps.log({ event: "encode_failed", site, error: errorClass(error) });
      continue;
    }
    if (frame === undefined) return;
    const error = await attempt(each, frame, nowMs, leftMs, deps);
    if (error !== undefined) deps.log({ ...error, site, shard });
  }
}

/** One try, of which the lane and the batch are told; answers what there is to log. */
async function attempt(
  each: Drive,
  frame: LaneFrame,
  startedMs: number,
  leftMs: number,
  { batch, objects, peers, now, wait }: SendingDeps,
): Promise<{ event: "frame_refused" | "shard_failed"; error: string } | undefined> {
  const { site, map, shard } = each.lane.place;
  try {
    const sending = peers.send([frame.bytes], (payloads) =>
      objects.site(site).shard(map, shard).ingest(payloads, map.shards),
    );
    const result = await inTime(sending, leftMs, { wait });
    if (!result.ok) {
      batch.lanes.refused(each, frame, now());
      return { event: "frame_refused", error: result.fault };
    }
    batch.lanes.answered(each, frame);
    batch.pace(result.flushAfterMs);
    return undefined;
  } catch (error) {
    const overload = isOverloaded(error);
    batch.lanes.failed(each, frame, startedMs, now(), { overload, tookNothing: tookNothing(error) });
    if (overload) batch.slowDown();
    return { event: "shard_failed", error: errorClass(error) };
  }
}

/** The platform ends what runs behind a response without a word: what hangs must fail while there is time to say so. */
function inTime<T>(call: Promise<T>, ms: number, { wait }: Pick<SendingDeps, "wait">): Promise<T> {
  const late = wait(ms).then(() => Promise.reject(new Error("no answer")));
  return Promise.race([call, late]);
}
