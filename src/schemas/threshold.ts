/** Thresholds as users write and read them (contract §5). `null` counts as absent; unknown keys are refused. */
import * as z from "zod/mini";
import { parseDuration } from "../base/time.ts";
import { CLEAR_AFTER_DEFAULT_MS, COOLDOWN_DEFAULT_MS } from "../config.ts";
import { OPERATORS, THRESHOLD_SIGNALS, type Threshold } from "../thresholds/rule.ts";
import { components, duration, ja4, ja4Glob, time, windowName } from "./common.ts";
import { itemId, itemTimes, serverMade, type WithoutServerMade } from "./item.ts";

const COMPARISONS_MAX = 8;

const comparison = z
  .strictObject({
    signal: z.enum(THRESHOLD_SIGNALS),
    window: windowName,
    op: z.enum(OPERATORS),
    value: z.number(),
  })
  .register(components, { id: "Comparison", description: "A window's number against a value." });

const comparisons = z.array(comparison).check(z.minLength(1), z.maxLength(COMPARISONS_MAX));
const when = z
  .union([comparison, z.strictObject({ all: comparisons }), z.strictObject({ any: comparisons })])
  .register(components, { id: "Condition", description: "One comparison, or all or any of up to 8." });

export const thresholdInput = z
  .strictObject({
    id: z.optional(itemId),
    enabled: z._default(z.boolean(), true),
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
    const message = clearFault(context.value);
    if (message === undefined) return;
    context.issues.push({
      code: "custom",
      path: ["clear", "value"],
      message,
      input: context.value.clear?.value,
    });
  })
  .register(components, { id: "ThresholdInput", description: "What a user writes." });
export type ThresholdInput = WithoutServerMade<z.infer<typeof thresholdInput>>;

/** Why a clear value cannot be; `undefined` when it can. */
function clearFault({
  when: condition,
  clear,
}: {
  when: z.infer<typeof when>;
  clear?: { value?: number | undefined } | undefined;
}): string | undefined {
  const off = clear?.value;
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
    active: z.optional(z.array(ja4)),
  })
  .register(components, {
    id: "Threshold",
    description: "A stored threshold; `active` lists the fingerprints it is raised for.",
  });
export type ThresholdOutput = z.infer<typeof thresholdOutput>;

export const thresholdList = z
  .object({ items: z.array(thresholdOutput), next_cursor: z.optional(z.string()) })
  .register(components, { id: "ThresholdList", description: "A page of thresholds, by id." });

/** The form that the shards run: durations in ms, defaults filled in. */
export function compileThreshold(stored: ThresholdOutput): Threshold {
  return {
    id: stored.id,
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

function conditionOf(condition: ThresholdOutput["when"]): Threshold["when"] {
  if ("all" in condition) return { mode: "all", comparisons: condition.all };
  if ("any" in condition) return { mode: "any", comparisons: condition.any };
  return { mode: "all", comparisons: [condition] };
}
