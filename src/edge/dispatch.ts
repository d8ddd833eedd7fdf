/** Frames to their shards: side by side over shards, in order within one, repeated with the same ids. */

import { sha256 } from "../base/hash.ts";
import { type RetryDeps, retry } from "../base/retry.ts";
import { type Counters, encodeFrame, FRAME_ID_BYTES, type Source } from "../wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../wire/frame-builder.ts";
import type { IngestResult } from "../wire/ingest.ts";
import type { Peers } from "./peers.ts";

export interface Parcel {
  shard: number;
  rows: number;
  bytes: Uint8Array;
}

/**
 * Encodes what was collected. A frame's id follows from `seed`, its shard and its place, so a repeat with the same seed
 * makes the same ids. The counters ride on the first frame, an empty one when there is no other.
 */
export async function parcels(
  builders: ReadonlyMap<number, FrameBuilder[]>,
  seed: string,
  source: Source,
  counters: Counters,
): Promise<Parcel[]> {
  const list = [...builders].flatMap(([shard, frames]) =>
    frames.map((builder, chunk) => ({ shard, chunk, builder })),
  );
  const counted = Object.values(counters).some((count) => count > 0);
  if (list.length === 0 && counted) list.push({ shard: 0, chunk: 0, builder: new FrameBuilder() });
  return Promise.all(
    list.map(async ({ shard, chunk, builder }, i) => {
      const id = (await sha256(`${seed}/${shard}/${chunk}`)).slice(0, FRAME_ID_BYTES);
      const frame = builder.build(id, source, i === 0 ? counters : NO_COUNTERS);
      return { shard, rows: frame.rows, bytes: encodeFrame(frame) };
    }),
  );
}

export interface DispatchOutcome {
  /** Rows that are on disk now, those of an earlier try with the same ids included. */
  counted: number;
  /** Shards that did not take everything. */
  failed: number[];
}

/** Bytes that go into one call, well under the platform's 32 MiB. */
const CALL_BYTES = 4 * 1024 * 1024;

/** Sends everything; a shard that fails does not stop the others. */
export async function dispatch(
  list: readonly Parcel[],
  send: (shard: number, payloads: Uint8Array[]) => Promise<IngestResult>,
  retries: RetryDeps,
  peers: Peers,
  onFailure: (shard: number, error: unknown) => void,
): Promise<DispatchOutcome> {
  const byShard = Map.groupBy(list, ({ shard }) => shard);
  let counted = 0;
  const failed: number[] = [];
  await Promise.all(
    [...byShard].map(async ([shard, mine]) => {
      try {
        for (const call of callsOf(mine)) {
          const frames = call.map(({ bytes }) => bytes);
          const result = await retry(() => peers.send(frames, (payloads) => send(shard, payloads)), retries);
          // A refusal is for good: the shard reads neither of the two forms.
          if (!result.ok) throw new Error(`shard refused a frame: ${result.fault}`);
          counted += result.accepted + result.duplicate;
        }
      } catch (error) {
        onFailure(shard, error);
        failed.push(shard);
      }
    }),
  );
  return { counted, failed: failed.sort((a, b) => a - b) };
}

function* callsOf(parcelsOfShard: readonly Parcel[]): Generator<Parcel[]> {
  let call: Parcel[] = [];
  let size = 0;
  for (const parcel of parcelsOfShard) {
    if (call.length > 0 && size + parcel.bytes.length > CALL_BYTES) {
      yield call;
      call = [];
      size = 0;
    }
    call.push(parcel);
    size += parcel.bytes.length;
  }
  if (call.length > 0) yield call;
}
