/** Rows sorted into frames in the making, by the shard that owns them. */
import { FrameBuilder, type Row } from "../wire/frame-builder.ts";
import { shardOfRow } from "./split.ts";

export class ShardedFrames {
  readonly builders = new Map<number, FrameBuilder[]>();
  readonly #map: { epoch: number; shards: number };

  constructor(map: { epoch: number; shards: number }) {
    this.#map = map;
  }

  /** `index`: the row's place in its request, which spreads rows without a fingerprint. */
  add(row: Row, index: number): void {
    const shard = shardOfRow(row.ja4, this.#map, index);
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
