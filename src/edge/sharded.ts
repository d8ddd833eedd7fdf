/** Rows sorted into frames in the making, by the shard that owns them. */
import { shardOf } from "../base/hash.ts";
import { FrameBuilder, type Row } from "../wire/frame-builder.ts";

export class ShardedFrames {
  readonly builders = new Map<number, FrameBuilder[]>();
  readonly #map: { epoch: number; shards: number };

  constructor(map: { epoch: number; shards: number }) {
    this.#map = map;
  }

  /** `index`: the row's place in its request; rows without a fingerprint belong to no shard and are spread by it. */
  add(row: Row, index: number): void {
    const { epoch, shards } = this.#map;
    const shard = row.ja4 === "" ? index % shards : shardOf(row.ja4, shards, epoch);
    const list = this.builders.get(shard) ?? [];
    this.builders.set(shard, list);
    let last = list[list.length - 1];
    if (last === undefined || last.isFull()) {
      last = new FrameBuilder();
      list.push(last);
    }
    last.add(row);
  }
}
