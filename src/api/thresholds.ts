/** Thresholds (contract §5): users' own rules, in force on every shard when the write is answered. */
import type * as z from "zod/mini";
import { rfc3339 } from "../base/time.ts";
import { withoutServerMade } from "../schemas/item.ts";
import { thresholdInput, thresholdList, thresholdOutput } from "../schemas/threshold.ts";
import type { Call, Route } from "./call.ts";
import { gather } from "./gather.ts";
import { itemRoutes, type Resource } from "./items.ts";

/** Thresholds as a kind of item. */
export const thresholdResource = {
  kind: "thresholds",
  noun: "threshold",
  idPrefix: "t",
  input: thresholdInput,
  output: thresholdOutput,
  list: thresholdList,
  summaries: {
    list: "Thresholds by id, each with the fingerprints it is raised for.",
    create: "Create a threshold; without an id it gets one.",
    one: "One threshold.",
    put: "Create or replace a threshold.",
    remove: "Delete a threshold; what it raised is cleared.",
  },
  normal: (written) => {
    const input = withoutServerMade(written);
    // Stored times have one spelling, whatever zone they were written in.
    return input.expires_at === undefined
      ? input
      : { ...input, expires_at: rfc3339(Date.parse(input.expires_at)) };
  },
  show: async (call, thresholds) => {
    const active = await activeByThreshold(call);
    return thresholds.map((stored) => ({ ...stored, active: active.get(stored.id) ?? [] }));
  },
} satisfies Resource<"thresholds", z.infer<typeof thresholdInput>>;

export const thresholdRoutes: Route[] = itemRoutes(thresholdResource);

/** Fingerprints that each threshold is raised for, over all shards. */
async function activeByThreshold({ at }: Call): Promise<Map<string, string[]>> {
  const { answers } = await gather(at, await at.map(), (shard) => shard.activeThresholds());
  const active = new Map<string, string[]>();
  for (const [id, ja4s] of answers.flatMap((answer) => Object.entries(answer))) {
    active.set(id, [...(active.get(id) ?? []), ...ja4s].sort());
  }
  return active;
}
