/** Records → rows → one list of frames a shard, with the counts that the answer shows. */
import type { KeyedHash } from "../base/hash.ts";
import { ERRORS_SHOWN_MAX } from "../config.ts";
import type { FrameBuilder } from "../wire/frame-builder.ts";
import { parseObservation } from "../wire/observation.ts";
import type { RecordResult } from "../wire/records.ts";
import { RowMaker } from "./row.ts";
import { ShardedFrames } from "./sharded.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

/** What the answer tells of the records of a body. */
export interface RecordCounts {
  accepted: number;
  rejected: number;
  expired: number;
  withoutJa4: number;
  errors: { index: number; detail: string }[];
}

export interface Collected extends RecordCounts {
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
  const frames = new ShardedFrames(map);
  const rows = new RowMaker(agents);
  const result: Collected = {
    ...{ accepted: 0, rejected: 0, expired: 0, withoutJa4: 0, errors: [] },
    builders: frames.builders,
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
    const row = rows.ofObservation(observation, hash);
    if (typeof row === "string") {
      reject(index, row);
      continue;
    }
    result.accepted++;
    if (row.ja4 === "") result.withoutJa4++;
    frames.add(row, index);
  }
  return result;
}
