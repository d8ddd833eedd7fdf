/** Frames to their shards: side by side over shards, in order within one, repeated with the same ids. */

import { sha256 } from "../base/hash.ts";
import { isOverloaded, type RetryDeps, retry } from "../base/retry.ts";
import { FRAME_ID_WINDOW } from "../config.ts";
import { type Counters, encodeFrame, type Source } from "../wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../wire/frame-builder.ts";
import type { IngestResult } from "../wire/ingest.ts";
import { type Channel, type Channels, FRAME_SOURCE_BYTES, frameId } from "./channels.ts";
import type { Peers } from "./peers.ts";

export interface Parcel {
  shard: number;
  rows: number;
  bytes: Uint8Array;
}

/** Gives the frames of one request their ids: the `chunk`-th of a shard, from 0, asked for in order. */
export interface FrameIds {
  next(shard: number, chunk: number): Uint8Array | Promise<Uint8Array>;
}

/** Ids that follow from `seed`, the shard and the place: a repeat with the same seed makes the same ones. */
export function seededIds(seed: string): FrameIds {
  const sources = new Map<number, Promise<Uint8Array>>();
  return {
    next: async (shard, chunk) => {
      // A shard would take the repeat of the first ones for too old to know. No body makes so many.
      if (chunk >= FRAME_ID_WINDOW) throw new RangeError("too many frames for one source");
      const source = sources.get(shard) ?? sha256(`${seed}/${shard}`);
      sources.set(shard, source);
      return frameId((await source).slice(0, FRAME_SOURCE_BYTES), chunk + 1);
    },
  };
}

/** Ids on the isolate's own channels, which are one request's until `close`. */
export class ChannelIds implements FrameIds {
  readonly #channels: Channels;
  readonly #site: string;
  readonly #epoch: number;
  readonly #open = new Map<number, Channel>();

  constructor(channels: Channels, site: string, epoch: number) {
    this.#channels = channels;
    this.#site = site;
    this.#epoch = epoch;
  }

  next(shard: number): Uint8Array {
    const channel = this.#open.get(shard) ?? this.#channels.open(this.#site, this.#epoch, shard);
    this.#open.set(shard, channel);
    return frameId(channel.source, channel.next++);
  }

  /** Nothing more is sent under these ids. */
  close(): void {
    for (const [shard, channel] of this.#open) {
      this.#channels.close(channel, this.#site, this.#epoch, shard);
    }
    this.#open.clear();
  }
}

/**
 * Encodes what was collected. The counters ride on the first frame, an empty one when there is no other. `weight`: of
 * sampled rows, in thousandths of a request.
 */
export async function parcels(
  builders: ReadonlyMap<number, FrameBuilder[]>,
  ids: FrameIds,
  source: Source,
  counters: Counters,
  weight?: number,
): Promise<Parcel[]> {
  const list = [...builders].flatMap(([shard, frames]) =>
    frames.map((builder, chunk) => ({ shard, chunk, builder })),
  );
  const counted = Object.values(counters).some((count) => count > 0);
  if (list.length === 0 && counted) list.push({ shard: 0, chunk: 0, builder: new FrameBuilder() });
  return Promise.all(
    list.map(async ({ shard, chunk, builder }, i) => {
      const id = await ids.next(shard, chunk);
      const frame = builder.build(id, source, i === 0 ? counters : NO_COUNTERS);
      if (weight !== undefined) frame.weight = weight;
      return { shard, rows: frame.rows, bytes: encodeFrame(frame) };
    }),
  );
}

export interface DispatchOutcome {
  /** Rows that are on disk now, those of an earlier try with the same ids included. */
  counted: number;
  /** Shards that did not take everything. */
  failed: number[];
  /** Whether one of them has too much to do. */
  overloaded: boolean;
}

/** Bytes that go into one call, well under the platform's 32 MiB. */
const CALL_BYTES = 4 * 1024 * 1024;

/** Sends everything; a shard that fails gets no further call, and does not stop the others. */
export async function dispatch(
  list: readonly Parcel[],
  send: (shard: number, payloads: Uint8Array[]) => Promise<IngestResult>,
  retries: RetryDeps,
  peers: Peers,
  onFailure: (shard: number, error: unknown) => void,
): Promise<DispatchOutcome> {
  const byShard = Map.groupBy(list, ({ shard }) => shard);
  let counted = 0;
  let overloaded = false;
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
          if (result.stale > 0) throw new Error("frames came too late for their source");
        }
      } catch (error) {
        onFailure(shard, error);
        failed.push(shard);
        overloaded ||= isOverloaded(error);
      }
    }),
  );
  return { counted, failed: failed.sort((a, b) => a - b), overloaded };
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
