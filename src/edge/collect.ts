/** Records → rows → one list of frames a shard, with the counts that the answer shows. */
import type { KeyedHash } from "../base/hash.ts";
import { shardOf } from "../base/hash.ts";
import { ERRORS_SHOWN_MAX } from "../config.ts";
import { FrameBuilder } from "../wire/frame-builder.ts";
import { parseObservation } from "../wire/observation.ts";
import type { RecordResult } from "../wire/records.ts";
import { toRow } from "./row.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

export interface Collected {
  accepted: number;
  rejected: number;
  expired: number;
  withoutJa4: number;
  errors: { index: number; detail: string }[];
  /** Frames in the making, by shard. */
  builders: Map<number, FrameBuilder[]>;
}

/** The same records, time and map always give the same frames: that is what makes a repeat harmless. */
export function collect(
  found: Iterable<RecordResult>,
  nowMs: number,
  map: { epoch: number; shards: number },
  hash: KeyedHash,
  agents: UserAgentClassifier,
): Collected {
  const result: Collected = {
    accepted: 0,
    rejected: 0,
    expired: 0,
    withoutJa4: 0,
    errors: [],
    builders: new Map(),
  };
  const reject = (index: number, detail: string) => {
    result.rejected++;
    if (result.errors.length < ERRORS_SHOWN_MAX) result.errors.push({ index, detail });
  };
  let index = -1;
  for (const record of found) {
    index++;
    if ("fault" in record) {
      reject(index, record.fault);
      continue;
    }
    const observation = parseObservation(record.value, nowMs);
    if ("expired" in observation) {
      if (observation.expired) result.expired++;
      else reject(index, observation.detail);
      continue;
    }
    const row = toRow(observation, hash, agents);
    if (typeof row === "string") {
      reject(index, row);
      continue;
    }
    result.accepted++;
    if (row.ja4 === "") result.withoutJa4++;
    // Rows without a fingerprint belong to no shard in particular: spread them.
    const shard = row.ja4 === "" ? index % map.shards : shardOf(row.ja4, map.shards, map.epoch);
    builderFor(result.builders, shard).add(row);
  }
  return result;
}

function builderFor(builders: Map<number, FrameBuilder[]>, shard: number): FrameBuilder {
  const list = builders.get(shard) ?? [];
  builders.set(shard, list);
  let last = list[list.length - 1];
  if (last === undefined || last.isFull()) {
    last = new FrameBuilder();
    list.push(last);
  }
  return last;
}
