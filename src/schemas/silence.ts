/** Silences as users write and read them (contract §5). `null` counts as absent; unknown keys are refused. */
import * as z from "zod/mini";
import type { Silence } from "../thresholds/silences.ts";
import { EVENT_KINDS } from "../wire/event.ts";
import { components, ja4Glob, pageOf, time } from "./common.ts";
import { itemId, itemTimes, type WithoutServerMade } from "./item.ts";

const kinds = z.array(z.enum(EVENT_KINDS)).check(z.minLength(1), z.maxLength(EVENT_KINDS.length));

export const silenceInput = z
  .strictObject({
    id: z.optional(itemId),
    ja4: z.optional(ja4Glob),
    kinds: z.optional(kinds),
    verified_bots: z.optional(z.boolean()),
    until: z.optional(z.iso.datetime({ offset: true })),
    reason: z.optional(z.string().check(z.maxLength(1_000))),
    ...itemTimes,
  })
  .check((context) => {
    const { ja4, kinds: named, verified_bots } = context.value;
    if (ja4 !== undefined || named !== undefined || verified_bots === true) return;
    context.issues.push({
      code: "custom",
      path: [],
      message: "what is silenced is missing: ja4, kinds or verified_bots",
      input: context.value,
    });
  })
  .register(components, {
    id: "SilenceInput",
    description:
      "What a user writes. What is given must all hold; at least one of ja4, kinds, verified_bots is.",
  });
export type SilenceInput = WithoutServerMade<z.infer<typeof silenceInput>>;

export const silenceOutput = z
  .object({
    id: z.string(),
    ja4: z.optional(z.string()),
    kinds: z.optional(kinds),
    verified_bots: z.optional(z.boolean()),
    until: z.optional(time),
    reason: z.optional(z.string()),
    created_at: time,
    updated_at: time,
  })
  .register(components, {
    id: "Silence",
    description: "A stored silence; without `until` it is an allow-list. One that has ended stays listed.",
  });

export const silenceList = pageOf(silenceOutput).register(components, {
  id: "SilenceList",
  description: "A page of silences, by id.",
});

/** The form that the shards run. */
export function compileSilence(stored: SilenceInput & { id: string }): Silence {
  return {
    id: stored.id,
    ja4: stored.ja4,
    kinds: stored.kinds,
    untilMs: stored.until === undefined ? undefined : Date.parse(stored.until),
    verifiedBots: stored.verified_bots === true,
  };
}
