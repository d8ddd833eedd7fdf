/** The switches of `test/workerd/aux/faulty.ts`: HelloTide whose objects can be made to fail one by one. */
import type { Client } from "../../../test/support/client.ts";

export const FAULTY = new URL("../../../test/workerd/aux/faulty.ts", import.meta.url);

export type How = "works" | "throws" | "hangs" | "slow_disk" | "evict";

/** Names as `durable-objects/stubs.ts` makes them, epoch 1. */
export function shardName(site: string, shard: number): string {
  return `v1/${site}/shard/1-${shard}`;
}

/** Puts an object into a state, or ends its instance; `ms`: how slow the disk is. */
export async function order(client: Client, object: string, how: How, ms = 0): Promise<void> {
  const answer = await client.post("/__fault", { json: { object, how, ms } });
  if (answer.status !== 200) throw new Error(`the order was not taken: ${answer.status} ${answer.text}`);
}

/** How often each object was started since the engine was. */
export async function startsOf(client: Client): Promise<ReadonlyMap<string, number>> {
  const answer = await client.get("/__fault");
  return new Map(Object.entries(answer.json<Record<string, number>>()));
}
