/** One question to every shard of a site. A shard that does not answer is named, and the others' answers still count. */
import { unavailable } from "../base/problem.ts";
import type { ShardMap, ShardObject, SiteObjects } from "./objects.ts";

export interface Gathered<T> {
  answers: T[];
  missing: number[];
}

/** Asks all shards side by side. Throws 503 when none answers. */
export async function gather<T>(
  at: SiteObjects,
  map: ShardMap,
  ask: (shard: ShardObject, index: number) => Promise<T>,
): Promise<Gathered<T>> {
  const asked = Array.from({ length: map.shards }, (_, i) => ask(at.shard(map, i), i));
  const results = await Promise.allSettled(asked);
  const answers: T[] = [];
  const missing: number[] = [];
  results.forEach((result, shard) => {
    if (result.status === "fulfilled") answers.push(result.value);
    else missing.push(shard);
  });
  if (answers.length === 0) throw unavailable("No shard of the site answers.");
  return { answers, missing };
}

/** The answer's `partial` member; nothing when every shard answered. */
export function partialOf(missing: readonly number[]): { partial?: { missing_shards: number[] } } {
  return missing.length === 0
    ? {}
    : { partial: { missing_shards: [...new Set(missing)].sort((a, b) => a - b) } };
}
