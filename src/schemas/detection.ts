/** A site's detection settings as users write and read them (contract §5). What is not written is the default. */
import * as z from "zod/mini";
import { parseDuration } from "../base/time.ts";
import { HOUR_MS, MINUTE_MS } from "../config.ts";
import { DEFAULT_DETECTION, type DetectionSettings } from "../detect/settings.ts";
import { KINDS, type KindName } from "../detect/types.ts";
import { ANOMALY_KINDS } from "../wire/event.ts";
import { components, duration } from "./common.ts";

const BUDGET_MAX = 1_000;
const DELAY_MAX_MS = 10 * MINUTE_MS;
const STORM_RAISES_MAX = 10_000;

/** A duration within bounds, ends included; `said` names them. */
function durationIn(minMs: number, maxMs: number, said: string) {
  return duration.check(
    z.refine((text) => {
      const ms = parseDuration(text);
      // What is no duration at all is told by the pattern.
      return ms === undefined || (ms >= minMs && ms <= maxMs);
    }, `must be ${said}`),
  );
}

const budget = z.number().check(z.gte(0), z.lte(BUDGET_MAX));
const delay = durationIn(0, DELAY_MAX_MS, "0s to 10m");
const raises = z.int().check(z.gte(1), z.lte(STORM_RAISES_MAX));
const per = durationIn(MINUTE_MS, HOUR_MS, "1m to 1h");
const minReqs = z.int().check(z.gte(1));
const minEffect = z.number().check(z.gte(1));

const kindInput = z
  .strictObject({
    enabled: z.optional(z.boolean()),
    min_reqs: z.optional(minReqs),
    min_effect: z.optional(minEffect),
  })
  .register(components, {
    id: "KindSettings",
    description:
      "`min_reqs`: requests in the minute (divergence: in the hour); `min_effect`: times the expected.",
  });
type KindInput = z.infer<typeof kindInput>;

/** One optional member for every built-in kind of the contract. */
const kinds = Object.fromEntries(ANOMALY_KINDS.map((kind) => [kind, z.optional(kindInput)])) as Record<
  (typeof ANOMALY_KINDS)[number],
  z.ZodMiniOptional<typeof kindInput>
>;

export const detectionInput = z
  .strictObject({
    alert_budget_per_day: z.optional(budget),
    delay: z.optional(delay),
    storm: z.optional(z.strictObject({ raises: z.optional(raises), per: z.optional(per) })),
    kinds: z.optional(z.strictObject(kinds)),
  })
  .register(components, {
    id: "DetectionInput",
    description: "What a user writes; what is absent is the default.",
  });
export type DetectionInput = z.infer<typeof detectionInput>;

export const detectionOutput = z
  .object({
    alert_budget_per_day: budget,
    delay,
    storm: z.object({ raises, per }),
    kinds: z.object(kinds),
  })
  .register(components, {
    id: "Detection",
    description:
      "Detection settings with every default filled in. A kind that this version does not run is shown as it was written.",
  });
export type DetectionOutput = z.infer<typeof detectionOutput>;

/** The shortest spelling of a duration in whole seconds. */
function durationText(ms: number): string {
  if (ms > 0 && ms % HOUR_MS === 0) return `${ms / HOUR_MS}h`;
  return ms > 0 && ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS}m` : `${ms / 1_000}s`;
}

function kindOutput(written: KindInput | undefined, kind: KindName): Required<KindInput> {
  const { enabled, minReqs: reqs, minEffect: effect } = DEFAULT_DETECTION.kinds[kind];
  return {
    enabled: written?.enabled ?? enabled,
    min_reqs: written?.min_reqs ?? reqs,
    min_effect: written?.min_effect ?? effect,
  };
}

/** What was written, with the defaults of this version. */
export function filledDetection(written: DetectionInput): DetectionOutput {
  const { alertBudgetPerDay, delayMs, storm } = DEFAULT_DETECTION;
  return {
    alert_budget_per_day: written.alert_budget_per_day ?? alertBudgetPerDay,
    delay: written.delay ?? durationText(delayMs),
    storm: {
      raises: written.storm?.raises ?? storm.raises,
      per: written.storm?.per ?? durationText(storm.perMs),
    },
    kinds: {
      ...written.kinds,
      ...Object.fromEntries(KINDS.map((kind) => [kind, kindOutput(written.kinds?.[kind], kind)])),
    },
  };
}

/** The form that shards and feed run. */
export function compileDetection(written: DetectionInput): DetectionSettings {
  const filled = filledDetection(written);
  const run = KINDS.map((kind) => {
    const { enabled, min_reqs, min_effect } = kindOutput(written.kinds?.[kind], kind);
    return [kind, { enabled, minReqs: min_reqs, minEffect: min_effect }];
  });
  return {
    alertBudgetPerDay: filled.alert_budget_per_day,
    delayMs: parseDuration(filled.delay) ?? DEFAULT_DETECTION.delayMs,
    storm: {
      raises: filled.storm.raises,
      perMs: parseDuration(filled.storm.per) ?? DEFAULT_DETECTION.storm.perMs,
    },
    kinds: Object.fromEntries(run) as DetectionSettings["kinds"],
  };
}
