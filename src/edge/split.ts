/** Which shard a row belongs to, and rows of one site → a builder for each shard. */
import { shardOf } from "../base/hash.ts";
import type { FrameBuilder } from "../wire/frame-builder.ts";

interface Shards {
  readonly epoch: number;
  readonly shards: number;
}

/** The fingerprint's shard; a row without one belongs to none and goes to that of `spread`, a number that counts up. */
export function shardOfRow(ja4: string, { epoch, shards }: Shards, spread: number): number {
  return ja4 === "" ? spread % shards : shardOf(ja4, shards, epoch);
}

/** The shard is found once a fingerprint; `spread`: of rows without one. `spare`: an empty builder. */
export function splitByShard(
  builder: FrameBuilder,
  map: Shards,
  spread: number,
  spare: () => FrameBuilder,
): Map<number, FrameBuilder> {
  const parts = new Map<number, FrameBuilder>();
  builder.splitInto((ja4) => {
    const shard = shardOfRow(ja4, map, spread);
    let part = parts.get(shard);
    if (part === undefined) {
      part = spare();
      parts.set(shard, part);
    }
    return part;
  });
  return parts;
}
