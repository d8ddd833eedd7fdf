/** Webhooks as users write and read them (contract §5). `null` counts as absent; unknown keys are refused. */
import * as z from "zod/mini";
import { FORMATS } from "../webhooks/format.ts";
import type { FeedWebhook, SigningSecret } from "../webhooks/route.ts";
import { EVENT_KINDS } from "../wire/event.ts";
import { components, count, overlap, pageOf, time } from "./common.ts";
import { itemId, itemTimes, serverMade } from "./item.ts";

const KINDS = EVENT_KINDS.filter((kind) => kind !== "threshold");
const kinds = z.array(z.enum(KINDS)).check(z.minLength(1), z.maxLength(KINDS.length));
const severity = z.enum(["info", "warning", "critical"]);
const note = z.optional(z.string().check(z.maxLength(1_000)));

export const webhookInput = z
  .strictObject({
    id: z.optional(itemId),
    url: z.string(),
    format: z._default(z.enum(FORMATS), "cloudevents"),
    kinds: z.optional(kinds),
    min_severity: z._default(severity, "info"),
    enabled: z._default(z.boolean(), true),
    routing_key: z.optional(z.string().check(z.minLength(1), z.maxLength(128))),
    note,
    secret: serverMade,
    overlap_until: serverMade,
    status: serverMade,
    disabled_reason: serverMade,
    ...itemTimes,
  })
  .register(components, {
    id: "WebhookInput",
    description:
      "What a user writes. `kinds` absent = all built-in and site kinds; thresholds go to the webhooks that their `notify` names. `routing_key` is PagerDuty's, is never shown, and stays when a later write leaves it out.",
  });
export type WebhookInput = Omit<
  z.infer<typeof webhookInput>,
  "secret" | "overlap_until" | "status" | "disabled_reason" | "created_at" | "updated_at"
>;

const status = z.object({
  pending: count,
  failures: count,
  last_delivery_at: z.optional(time),
  last_status: z.optional(z.int()),
  last_detail: z.optional(z.string()),
});

export const webhookOutput = z
  .object({
    id: z.string(),
    url: z.string(),
    format: z.enum(FORMATS),
    kinds: z.optional(kinds),
    min_severity: severity,
    enabled: z.boolean(),
    note,
    created_at: time,
    updated_at: time,
    overlap_until: z.optional(time),
    secret: z.optional(z.string()),
    status: z.optional(status),
    disabled_reason: z.optional(z.string()),
  })
  .register(components, {
    id: "Webhook",
    description:
      "A stored webhook. `secret` only in the answer that made it; `overlap_until` = the secret of before signs too until then; `status`: messages waiting, messages given up, the last delivery and answer; `disabled_reason`: it answered 410 and gets nothing until it is written again.",
  });

export const webhookList = pageOf(webhookOutput).register(components, {
  id: "WebhookList",
  description: "A page of webhooks, by id.",
});

export const webhookRotation = z.strictObject({ overlap: z._default(overlap, "24h") }).register(components, {
  id: "WebhookRotation",
  description: "How long the secret of before signs beside the new one, at most 7d.",
});

export const webhookTest = z
  .object({ delivered: z.boolean(), status: z.optional(z.int()), detail: z.string() })
  .register(components, {
    id: "WebhookTest",
    description: "What came of a test message; `status` is absent when there was no answer.",
  });

/** A webhook as it is stored, with what is secret. */
export interface StoredWebhook extends WebhookInput {
  id: string;
  created_at: string;
  updated_at: string;
  secrets?: SigningSecret[];
}

/** The form that the feed runs; `thresholds`: ids of those that name it. */
export function compileWebhook(stored: StoredWebhook, thresholds: string[]): FeedWebhook {
  return {
    id: stored.id,
    url: stored.url,
    format: stored.format,
    enabled: stored.enabled,
    ...(stored.kinds === undefined ? {} : { kinds: stored.kinds }),
    minSeverity: stored.min_severity,
    secrets: stored.secrets ?? [],
    ...(stored.routing_key === undefined ? {} : { routingKey: stored.routing_key }),
    thresholds,
    writtenAt: stored.updated_at,
  };
}
