/** What one request took from the batch → frames for the shards of its site. */
import { shardOf } from "../base/hash.ts";
import { type Counters, encodeFrame } from "../wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../wire/frame-builder.ts";
import type { Taken } from "./batch.ts";

/** An encoded frame, and what it is remembered by until its shard has it. */
export interface EdgeFrame {
  id: Uint8Array;
  shard: number;
  rows: number;
  counters: Counters;
  bytes: Uint8Array;
}

/** Emptied for the next frames: their columns have grown already. Plain data, as everything that an isolate keeps. */
const spares: FrameBuilder[] = [];
const SPARES_MAX = 8;
/** Rows without a fingerprint belong to no shard: every flush gives them to another one. */
let turn = 0;

/** The shard is found once a fingerprint. The counters ride on the first frame, an empty one when there is no other. */
export function framesOf(
  { source, builders, counters }: Pick<Taken, "source" | "builders" | "counters">,
  { epoch, shards }: { epoch: number; shards: number },
  nextId: () => Uint8Array,
): EdgeFrame[] {
  const frames: EdgeFrame[] = [];
  const put = (shard: number, builder: FrameBuilder) => {
    const id = nextId();
    const mine = frames.length === 0 ? counters : NO_COUNTERS;
    const bytes = encodeFrame(builder.build(id, source, mine));
    frames.push({ id, shard, rows: builder.rows, counters: mine, bytes });
  };
  const spread = turn++ % shards;
  for (const builder of builders) {
    if (shards === 1) {
      put(0, builder);
      continue;
    }
    const parts = new Map<number, FrameBuilder>();
    builder.splitInto((ja4) => {
      const shard = ja4 === "" ? spread : shardOf(ja4, shards, epoch);
      let part = parts.get(shard);
      if (part === undefined) {
        part = spares.pop() ?? new FrameBuilder();
        parts.set(shard, part);
      }
      return part;
    });
    for (const [shard, part] of parts) {
      put(shard, part);
      part.reset();
      if (spares.length < SPARES_MAX) spares.push(part);
    }
  }
  if (frames.length === 0) put(spread, new FrameBuilder());
  return frames;
}
