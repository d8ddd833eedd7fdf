/** Rows of one site → a builder for each shard. */
import { shardOf } from "../base/hash.ts";
import type { FrameBuilder } from "../wire/frame-builder.ts";

/** The shard is found once a fingerprint; rows without one belong to no shard and go to `spread`. `spare`: an empty builder. */
export function splitByShard(
  builder: FrameBuilder,
  { epoch, shards }: { readonly epoch: number; readonly shards: number },
  spread: number,
  spare: () => FrameBuilder,
): Map<number, FrameBuilder> {
  const parts = new Map<number, FrameBuilder>();
  builder.splitInto((ja4) => {
    const shard = ja4 === "" ? spread : shardOf(ja4, shards, epoch);
    let part = parts.get(shard);
    if (part === undefined) {
      part = spare();
      parts.set(shard, part);
    }
    return part;
  });
  return parts;
}
