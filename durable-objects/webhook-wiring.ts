/** The outbox of webhooks on the platform: its clock, its chance, its network. */
import { ulid } from "../src/base/random.ts";
import { rfc3339 } from "../src/base/time.ts";
import { SECOND_MS } from "../src/config.ts";
import type { ToldEvent } from "../src/webhooks/format.ts";
import type { FeedWebhook } from "../src/webhooks/route.ts";
import { type Fetch, type Sent, send } from "../src/webhooks/send.ts";
import { feedEvent } from "../src/wire/event.ts";
import type { FeedStore } from "./sql/feed-store.ts";
import type { Sql } from "./sql/migrate.ts";
import { WebhookStore } from "./sql/webhook-store.ts";
import { WebhookOutbox } from "./webhook-outbox.ts";

/** Whoever asks for a test waits for it, and the API gives an object up after five seconds. */
const TEST_TIMEOUT_MS = 4 * SECOND_MS;

const fetcher: Fetch = (url, init) => fetch(url, init);

/** `arm`: sets the alarm anew. */
export function feedOutbox(storage: Sql, events: FeedStore, arm: () => Promise<void>): WebhookOutbox {
  return new WebhookOutbox({
    store: new WebhookStore(storage),
    eventOf: (sequence) => events.text(sequence),
    send: (webhook, event) => send(webhook, event, Date.now(), fetcher),
    now: Date.now,
    random: Math.random,
    arm: () => void arm(),
  });
}

/** Sends a message about nothing, now. */
export function testMessage(site: string, webhook: FeedWebhook): Promise<Sent> {
  const nowMs = Date.now();
  return send(webhook, testEvent(site, nowMs), nowMs, fetcher, TEST_TIMEOUT_MS);
}

/** What that message says. */
export function testEvent(site: string, nowMs: number): ToldEvent {
  const time = rfc3339(nowMs);
  const id = ulid(nowMs, (bytes) => crypto.getRandomValues(bytes));
  const data = {
    kind: "test",
    severity: "info" as const,
    started_at: time,
    summary: "A test of this webhook.",
  };
  return feedEvent(site, "hellotide.webhook.test", "site", id, time, data);
}
