/** Thresholds (contract §5): users' own rules, in force on every shard when the write is answered. */
import type * as z from "zod/mini";
import { rfc3339 } from "../base/time.ts";
import { withoutServerMade } from "../schemas/item.ts";
import {
  compileThreshold,
  type ThresholdTestAnswer,
  thresholdInput,
  thresholdList,
  thresholdOutput,
  thresholdTest,
} from "../schemas/threshold.ts";
import { type DryRun, mergeDryRuns, siteDryRun } from "../thresholds/dry-run.ts";
import type { Threshold } from "../thresholds/rule.ts";
import { readJson } from "./body.ts";
import { type Call, json, type Route } from "./call.ts";
import { gather, partialOf } from "./gather.ts";
import { absent, itemRoutes, type Resource } from "./items.ts";
import { validate } from "./validate.ts";

const thresholdExample = {
  ...{ enabled: true, ja4: "t13d*", severity: "critical" as const },
  when: { signal: "reqs" as const, window: "1m" as const, op: ">" as const, value: 5000 },
  ...{ for: "0s", clear: { value: 4000, for: "1m" }, cooldown: "10m", min_reqs: 0 },
  on_missing: "skip" as const,
  note: "More than the login form ever saw.",
};

/** Thresholds as a kind of item. */
export const thresholdResource = {
  kind: "thresholds",
  noun: "threshold",
  idPrefix: "t",
  input: thresholdInput,
  output: thresholdOutput,
  example: thresholdExample,
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
  faultsAt: ({ expires_at }, nowMs) =>
    expires_at !== undefined && Date.parse(expires_at) <= nowMs
      ? [{ pointer: "/expires_at", detail: "is over: the threshold would never be in force" }]
      : [],
  show: async (call, thresholds) => {
    const active = await activeByThreshold(call);
    return thresholds.map((stored) => ({ ...stored, active: active.get(stored.id) ?? [] }));
  },
} satisfies Resource<"thresholds", z.infer<typeof thresholdInput>>;

export const thresholdRoutes: Route[] = [
  ...itemRoutes(thresholdResource),
  {
    method: "POST",
    path: "/v1/sites/:site/thresholds/test",
    scope: "read",
    operationId: "testNewThreshold",
    summary: "What a threshold that is not stored would do; nothing changes.",
    body: { "application/json": thresholdInput },
    example: thresholdExample,
    answers: { 200: { description: "What it would do.", schema: thresholdTest } },
    problems: [400, 413, 415, 422, 503],
    handle: testNew,
  },
  {
    method: "POST",
    path: "/v1/sites/:site/thresholds/:id/test",
    scope: "read",
    operationId: "testThreshold",
    summary: "What a stored threshold would do, also while it is disabled; nothing changes.",
    answers: { 200: { description: "What it would do.", schema: thresholdTest } },
    problems: [503],
    handle: testStored,
  },
];

/** Fingerprints that each threshold is raised for, over all shards. */
async function activeByThreshold({ at }: Call): Promise<Map<string, string[]>> {
  const { answers } = await gather(at, await at.map(), (shard) => shard.activeThresholds());
  const active = new Map<string, string[]>();
  for (const [id, ja4s] of answers.flatMap((answer) => Object.entries(answer))) {
    active.set(id, [...(active.get(id) ?? []), ...ja4s].sort());
  }
  return active;
}

async function testNew(call: Call): Promise<Response> {
  const input = thresholdResource.normal(validate(thresholdInput, await readJson(call.request)));
  return test(call, compileThreshold({ ...input, id: input.id ?? "" }));
}

async function testStored(call: Call): Promise<Response> {
  const stored = await call.at.settings().item("thresholds", call.params.id!);
  if (stored === undefined) throw absent(thresholdResource);
  return test(call, compileThreshold(stored.body));
}

/** Asks every shard; a threshold of the whole site is tried on the sum of what they tell. */
async function test({ at }: Call, threshold: Threshold): Promise<Response> {
  const map = await at.map();
  if (threshold.scope === "site") {
    const { answers, missing } = await gather(at, map, (shard) => shard.siteHistory());
    return json({ ...testAnswer(siteDryRun(threshold, answers)), ...partialOf(missing) });
  }
  const { answers, missing } = await gather(at, map, (shard) => shard.dryRun(threshold));
  return json({ ...testAnswer(mergeDryRuns(threshold, answers)), ...partialOf(missing) });
}

function testAnswer(run: DryRun): ThresholdTestAnswer {
  return {
    as_of: rfc3339(run.asOfMs),
    evaluated: run.evaluated,
    missing: run.missing,
    would_fire: run.fired,
    ...(run.more === 0 ? {} : { would_fire_more: run.more }),
    last_hour: { episodes: run.episodes, fingerprints: run.fingerprints },
  };
}
