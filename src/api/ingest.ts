/** What both ways in, observations and Logpush uploads, do alike: claimed keys, frames to their shards, what came of it. */
import { errorClass } from "../base/log.ts";
import { Problem } from "../base/problem.ts";
import { RETRY_AFTER_MAX_S, RETRY_AFTER_S, SHARD_TRIES } from "../config.ts";
import { type DispatchOutcome, dispatch, type Parcel } from "../edge/dispatch.ts";
import type { Call } from "./call.ts";
import type { ShardMap, ShardObject } from "./objects.ts";

/** Sends frames to the shards of the call's site. Never throws: what fails is logged, and in the outcome. */
export function sendFrames(call: Call, map: ShardMap, list: readonly Parcel[]): Promise<DispatchOutcome> {
  const { at, site, wait, random, peers, log } = call;
  return dispatch(
    list,
    (shard, payloads) => at.shard(map, shard).ingest(payloads, map.shards),
    { tries: SHARD_TRIES, wait, random },
    peers,
    (shard, error) => log({ event: "shard_failed", site, shard, error: errorClass(error) }),
  );
}

/**
 * Part of the observations may be on disk: the same key completes them, without one `counted` tells how many. Senders that
 * were refused together are asked to come back apart; `random` in [0, 1).
 */
export function incomplete(
  { counted, overloaded }: Omit<DispatchOutcome, "failed">,
  random: number,
  detail = "Not every shard took its part. Send it again with the same Idempotency-Key.",
): Problem {
  const retryAfterS = RETRY_AFTER_S + Math.floor(random * (RETRY_AFTER_MAX_S - RETRY_AFTER_S + 1));
  return new Problem(503, overloaded ? "overloaded" : "unavailable", detail, {
    headers: { "retry-after": String(retryAfterS) },
    members: { counted },
  });
}

/**
 * Does the work of a key that was claimed at its home, and stores the answer there for repeats, unless it is not to be kept.
 * Throws what the work throws, and the key is free for the next try.
 */
export async function settled<Answer>(
  home: Pick<ShardObject, "settle">,
  key: string,
  work: () => Promise<Answer>,
  isKept: (answer: Answer) => boolean = () => true,
): Promise<Answer> {
  try {
    const answer = await work();
    await home.settle(key, isKept(answer) ? JSON.stringify(answer) : undefined);
    return answer;
  } catch (error) {
    // When even this fails, the key's lease ends by itself.
    await home.settle(key, undefined).catch(() => undefined);
    throw error;
  }
}
