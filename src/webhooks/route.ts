/** Which events go to which webhook (contract §5). */
import type { FeedEvent } from "../wire/event.ts";
import type { Format } from "./format.ts";

const SEVERITIES: readonly FeedEvent["data"]["severity"][] = ["info", "warning", "critical"];

/** A secret while it signs; `untilMs` = it was rotated away and ends then. */
export interface SigningSecret {
  secret: string;
  untilMs?: number;
}

/** A webhook in the form that the feed runs. */
export interface FeedWebhook {
  id: string;
  url: string;
  format: Format;
  enabled: boolean;
  /** Absent = all built-in and site kinds. */
  kinds?: string[];
  minSeverity: FeedEvent["data"]["severity"];
  /** Newest first. */
  secrets: SigningSecret[];
  /** Of PagerDuty. */
  routingKey?: string;
  /** Thresholds whose `notify` names it. */
  thresholds: string[];
  /** Time of the user's last write: what was switched off because of an answer is tried again after the next one. */
  writtenAt: string;
}

/**
 * Whether the webhook is told of the event. What is silenced or grouped is not told; a threshold goes to the webhooks that
 * it names, whatever kinds those ask for.
 */
export function isFor(webhook: FeedWebhook, { data }: FeedEvent): boolean {
  if (!webhook.enabled || data.silenced === true || data.grouped === true) return false;
  if (SEVERITIES.indexOf(data.severity) < SEVERITIES.indexOf(webhook.minSeverity)) return false;
  if (data.kind === "threshold") return webhook.thresholds.includes(data.threshold ?? "");
  return webhook.kinds?.includes(data.kind) ?? true;
}

/** Secrets that sign at this time. */
export function secretsAt({ secrets }: FeedWebhook, nowMs: number): string[] {
  return secrets.flatMap(({ secret, untilMs }) => (untilMs === undefined || untilMs > nowMs ? [secret] : []));
}

/** The same for every try of an event at a webhook, so that a receiver can tell a repeat; without a dot, as the standard asks. */
export function messageId(eventId: string, webhookId: string): string {
  return `msg_${eventId}_${webhookId}`;
}
