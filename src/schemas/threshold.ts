/** Thresholds as users write and read them (contract §5). `null` counts as absent; unknown keys are refused. */
import * as z from "zod/mini";
import { parseDuration } from "../base/time.ts";
import { CLEAR_AFTER_DEFAULT_MS, COOLDOWN_DEFAULT_MS } from "../config.ts";
import { contradictions } from "../thresholds/contradictions.ts";
import { OPERATORS, SITE_SUBJECT, type Threshold } from "../thresholds/rule.ts";
import { isOfScope, needsWindow, THRESHOLD_SIGNALS } from "../thresholds/signals.ts";
import { components, count, duration, ja4, ja4Glob, pageOf, time, windowName } from "./common.ts";
import { itemId, itemTimes, serverMade, type WithoutServerMade } from "./item.ts";

const COMPARISONS_MAX = 8;

const comparison = z
  .strictObject({
    signal: z.enum(THRESHOLD_SIGNALS, "not a number of the full form or the summary"),
    window: z.optional(windowName),
    op: z.enum(OPERATORS),
    value: z.number(),
  })
  .check((context) => {
    const { signal, window } = context.value;
    if (needsWindow(signal) === (window !== undefined)) return;
    const message = window === undefined ? "this signal needs a window" : "this signal has no window";
    context.issues.push({ code: "custom", path: ["window"], message, input: window });
  })
  .register(components, {
    id: "Comparison",
    description:
      "A number against a value: counts and ratios in a `window`; without one `local.*`, `global.*`, `combined.*` (its value), `divergence.<signal>` (its score), `score`, `score.<kind>`, and for the whole site `since_start.*`.",
  });

const comparisons = z.array(comparison).check(z.minLength(1), z.maxLength(COMPARISONS_MAX));
const when = z
  .union([comparison, z.strictObject({ all: comparisons }), z.strictObject({ any: comparisons })])
  .register(components, { id: "Condition", description: "One comparison, or all or any of up to 8." });

const scope = z.enum(["fingerprint", "site"]);

export const thresholdInput = z
  .strictObject({
    id: z.optional(itemId),
    enabled: z._default(z.boolean(), true),
    scope: z.optional(scope),
    ja4: z.optional(z.union([ja4Glob, z.array(ja4Glob).check(z.minLength(1), z.maxLength(100))])),
    severity: z._default(z.enum(["info", "warning", "critical"]), "warning"),
    when,
    for: z._default(duration, "0s"),
    clear: z.optional(z.strictObject({ value: z.optional(z.number()), for: z.optional(duration) })),
    cooldown: z._default(duration, "10m"),
    min_reqs: z._default(z.int().check(z.gte(0)), 0),
    on_missing: z.enum(["skip", "fire"]),
    notify: z.optional(z.array(z.string().check(z.maxLength(63))).check(z.maxLength(20))),
    expires_at: z.optional(z.iso.datetime({ offset: true })),
    note: z.optional(z.string().check(z.maxLength(1_000))),
    active: serverMade,
    ...itemTimes,
  })
  .check((context) => {
    for (const { path, message } of faultsOf(context.value)) {
      context.issues.push({ code: "custom", path, message, input: context.value });
    }
  })
  .register(components, { id: "ThresholdInput", description: "What a user writes." });
export type ThresholdInput = WithoutServerMade<z.infer<typeof thresholdInput>>;

interface Written {
  scope?: "fingerprint" | "site" | undefined;
  ja4?: string | string[] | undefined;
  when: z.infer<typeof when>;
  clear?: { value?: number | undefined } | undefined;
  min_reqs: number;
}

interface FaultAt {
  path: (string | number)[];
  message: string;
}

/** What of a threshold contradicts itself. */
function faultsOf({ scope = "fingerprint", ja4, when: condition, clear, min_reqs }: Written): FaultAt[] {
  const { mode, comparisons } = conditionOf(condition);
  const pathOf = (at: number, member: string) =>
    "op" in condition ? ["when", member] : ["when", mode, at, member];
  const faults: FaultAt[] = [];
  if (scope === "site" && ja4 !== undefined)
    faults.push({ path: ["ja4"], message: "a threshold of the whole site has no fingerprints" });
  for (const [at, { signal }] of comparisons.entries()) {
    if (isOfScope(signal, scope)) continue;
    const message = `not a number of ${scope === "site" ? "the summary" : "a fingerprint"}`;
    faults.push({ path: pathOf(at, "signal"), message });
  }
  if (faults.length > 0) return faults;
  for (const { at, detail } of contradictions({ mode, comparisons, minReqs: min_reqs }))
    faults.push({ path: at === undefined ? ["min_reqs"] : pathOf(at, "value"), message: detail });
  const unclear = clearFault(condition, clear?.value);
  if (unclear !== undefined) faults.push({ path: ["clear", "value"], message: unclear });
  return faults;
}

/** Why a clear value cannot be; `undefined` when it can. */
function clearFault(condition: z.infer<typeof when>, off: number | undefined): string | undefined {
  if (off === undefined) return undefined;
  if (!("op" in condition)) return "a clear value belongs to a single comparison";
  const beyond = condition.op.startsWith(">") ? off > condition.value : off < condition.value;
  return beyond
    ? "the clear value lies beyond the value that raises: it would clear as soon as it is raised"
    : undefined;
}

export const thresholdOutput = z
  .object({
    id: z.string(),
    enabled: z.boolean(),
    scope: z.optional(scope),
    ja4: z.optional(z.union([z.string(), z.array(z.string())])),
    severity: z.enum(["info", "warning", "critical"]),
    when,
    for: duration,
    clear: z.optional(z.object({ value: z.optional(z.number()), for: z.optional(duration) })),
    cooldown: duration,
    min_reqs: z.int(),
    on_missing: z.enum(["skip", "fire"]),
    notify: z.optional(z.array(z.string())),
    expires_at: z.optional(z.iso.datetime({ offset: true })),
    note: z.optional(z.string()),
    created_at: time,
    updated_at: time,
    active: z.optional(z.array(z.union([ja4, z.literal(SITE_SUBJECT)]))),
  })
  .register(components, {
    id: "Threshold",
    description: "A stored threshold; `active` lists the fingerprints it is raised for, or `site`.",
  });

export const thresholdList = pageOf(thresholdOutput).register(components, {
  id: "ThresholdList",
  description: "A page of thresholds, by id.",
});

export const thresholdTest = z
  .object({
    as_of: time,
    evaluated: count,
    missing: count,
    would_fire: z.array(z.object({ ja4: z.optional(ja4), observed: z.optional(z.number()) })),
    would_fire_more: z.optional(count),
    last_hour: z.object({ episodes: count, fingerprints: count }),
    partial: z.optional(z.object({ missing_shards: z.array(count) })),
  })
  .register(components, {
    id: "ThresholdTest",
    description:
      "What a threshold would do, as if it were enabled and nothing silenced. `evaluated`: fingerprints in its scope (1 for the whole site); `missing`: those of them for which a compared number is absent; `would_fire`: those whose condition holds now, `for` aside, strongest first, at most 1,000, and how many more there are; for the whole site without `ja4`. `last_hour`: how often it would have been raised, and for how many fingerprints, played minute by minute over what is stored of the hour: counts and ratios of 1m and 5m as they were at the end of each minute; numbers without a history (1h, distinct counts, ranks, global signals, scores) as they are now.",
  });
export type ThresholdTestAnswer = z.infer<typeof thresholdTest>;

/** The form that the shards run: durations in ms, defaults filled in. */
export function compileThreshold(stored: ThresholdInput & { id: string }): Threshold {
  return {
    id: stored.id,
    scope: stored.scope ?? "fingerprint",
    enabled: stored.enabled,
    ja4: typeof stored.ja4 === "string" ? [stored.ja4] : stored.ja4,
    severity: stored.severity,
    when: conditionOf(stored.when),
    forMs: parseDuration(stored.for) ?? 0,
    clear: {
      value: stored.clear?.value,
      forMs: parseDuration(stored.clear?.for ?? "") ?? CLEAR_AFTER_DEFAULT_MS,
    },
    cooldownMs: parseDuration(stored.cooldown) ?? COOLDOWN_DEFAULT_MS,
    minReqs: stored.min_reqs,
    onMissing: stored.on_missing,
    expiresAtMs: stored.expires_at === undefined ? undefined : Date.parse(stored.expires_at),
  };
}

function conditionOf(condition: ThresholdInput["when"]): Threshold["when"] {
  if ("all" in condition) return { mode: "all", comparisons: condition.all };
  if ("any" in condition) return { mode: "any", comparisons: condition.any };
  return { mode: "all", comparisons: [condition] };
}
