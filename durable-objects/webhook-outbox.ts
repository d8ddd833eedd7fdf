/**
 * Delivers events to webhooks. Each webhook has a lane with one message under way, so events keep their order as far as a
 * receiver takes them; a lane that fails pauses alone. What is under way is not marked on disk: an object that dies sends
 * it again, under the same id.
 */
import type { WebhookStatus } from "../src/api/objects.ts";
import { rfc3339 } from "../src/base/time.ts";
import { SECOND_MS } from "../src/config.ts";
import type { ToldEvent } from "../src/webhooks/format.ts";
import { type FeedWebhook, isFor } from "../src/webhooks/route.ts";
import { nextTry, verdictOf } from "../src/webhooks/schedule.ts";
import { SEND_TIMEOUT_MS, type Sent } from "../src/webhooks/send.ts";
import type { FeedEvent } from "../src/wire/event.ts";
import type { Duty } from "./feed-alarm.ts";
import type { Due, Lane, WebhookStore } from "./sql/webhook-store.ts";

/** The platform opens six connections at a time (https://developers.cloudflare.com/workers/platform/limits/) … */
const CONNECTIONS = 6;
/** … of which receivers that failed last may hold so many: those that hang must not keep the others waiting. */
const CONNECTIONS_FAILING = 4;
/** By then a try has ended, or the object that made it has. */
const LEASE_MS = SEND_TIMEOUT_MS + 15 * SECOND_MS;

export interface OutboxDeps {
  store: WebhookStore;
  /** A kept event as JSON; `undefined` = it is no longer kept. */
  eventOf(sequence: number): string | undefined;
  send(webhook: FeedWebhook, event: ToldEvent): Promise<Sent>;
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Called when something is due later than before. */
  arm(): void;
}

export class WebhookOutbox implements Duty {
  readonly name = "webhooks";
  readonly #deps: OutboxDeps;
  #webhooks: readonly FeedWebhook[] = [];
  /** Webhooks with a message under way, and until when that is to be believed, ms. */
  readonly #busy = new Map<string, number>();

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  /** Puts webhooks into force; what was to be sent to others is dropped. */
  use(webhooks: readonly FeedWebhook[]): void {
    this.#webhooks = webhooks;
    this.#deps.store.keepOnly(new Set(webhooks.map(({ id }) => id)));
  }

  /** Takes an event in; within the transaction that keeps the event. */
  note(sequence: number, event: FeedEvent, nowMs: number): void {
    for (const webhook of this.#webhooks) {
      if (!this.#isGone(webhook) && isFor(webhook, event)) this.#deps.store.add(webhook.id, sequence, nowMs);
    }
  }

  dueMs(nowMs: number): number | undefined {
    const dues = this.#webhooks.flatMap((webhook) => {
      const leaseMs = this.#busy.get(webhook.id);
      if (leaseMs !== undefined) return [leaseMs];
      if (!this.#isOpen(webhook)) return [];
      const dueMs = this.#deps.store.dueMs(webhook.id);
      if (dueMs === undefined) return [];
      const atMs = Math.max(dueMs, this.#deps.store.lane(webhook.id).pausedUntilMs);
      // It waits for a connection, and whoever frees one looks for it.
      return [atMs <= nowMs && this.#busy.size > 0 ? nowMs + LEASE_MS : atMs];
    });
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** Begins what is due, as far as there are connections; waits for none of it. */
  run(nowMs: number): void {
    for (const [id, leaseMs] of this.#busy) if (leaseMs <= nowMs) this.#busy.delete(id);
    for (const webhook of this.#webhooks) {
      const lane = this.#deps.store.lane(webhook.id);
      if (this.#busy.has(webhook.id) || !this.#isOpen(webhook) || lane.pausedUntilMs > nowMs) continue;
      if (this.#busy.size >= (lane.failures > 0 ? CONNECTIONS_FAILING : CONNECTIONS)) continue;
      const due = this.#deps.store.next(webhook.id, nowMs);
      if (due === undefined) continue;
      this.#busy.set(webhook.id, nowMs + LEASE_MS);
      void this.#deliver(webhook, due);
    }
  }

  status(id: string): WebhookStatus {
    const { store } = this.#deps;
    const lane = store.lane(id);
    const webhook = this.#webhooks.find((one) => one.id === id);
    return {
      pending: store.pending(id),
      failures: lane.lost,
      ...(lane.deliveredMs === undefined ? {} : { last_delivery_at: rfc3339(lane.deliveredMs) }),
      ...(lane.status === undefined ? {} : { last_status: lane.status }),
      ...(lane.detail === undefined ? {} : { last_detail: lane.detail }),
      ...(webhook !== undefined && this.#isGone(webhook)
        ? { disabled_reason: "The receiver answered 410 Gone." }
        : {}),
    };
  }

  get lost(): number {
    return this.#deps.store.lost;
  }

  #isGone({ id, writtenAt }: FeedWebhook): boolean {
    return this.#deps.store.lane(id).goneFor === writtenAt;
  }

  #isOpen(webhook: FeedWebhook): boolean {
    return webhook.enabled && !this.#isGone(webhook);
  }

  async #deliver(webhook: FeedWebhook, due: Due): Promise<void> {
    const { store, eventOf, send, now, arm } = this.#deps;
    const text = eventOf(due.sequence);
    if (text === undefined) store.giveUp(webhook.id, due.sequence);
    else {
      const sent = await send(webhook, JSON.parse(text) as ToldEvent);
      // Deleted meanwhile: nothing of it is to come back.
      if (this.#webhooks.some(({ id }) => id === webhook.id))
        store.transaction(() => this.#settle(webhook, due, sent, now()));
    }
    this.#busy.delete(webhook.id);
    this.run(now());
    arm();
  }

  #settle(webhook: FeedWebhook, { sequence, sinceMs, tries }: Due, sent: Sent, nowMs: number): void {
    const { store, random } = this.#deps;
    const { id } = webhook;
    const before = store.lane(id);
    const { status: _, ...rest } = before;
    const told: Lane = { ...rest, ...(sent.status === undefined ? {} : { status: sent.status }) };
    told.detail = sent.detail;
    const verdict = verdictOf(sent.status);
    if (verdict === "delivered") {
      store.remove(id, sequence);
      store.setLane(id, { ...told, failures: 0, pausedUntilMs: 0, deliveredMs: nowMs });
      return;
    }
    if (verdict === "gone") {
      store.setLane(id, { ...told, goneFor: webhook.writtenAt });
      store.giveUp(id);
      return;
    }
    const failures = before.failures + 1;
    const isAboutReceiver = isReceiverDown(sent.status);
    const count = isAboutReceiver ? failures : tries + 1;
    const retry = { sinceMs, nowMs, retryAfterMs: sent.retryAfterMs, random: random() };
    const againMs = nextTry({ tries: count, ...retry });
    // What is given up gives its receiver the same pause.
    const pauseMs = nextTry({ tries: count, ...retry, sinceMs: nowMs }) ?? nowMs;
    store.setLane(id, { ...told, failures, pausedUntilMs: isAboutReceiver ? pauseMs : 0 });
    if (againMs === undefined) store.giveUp(id, sequence);
    else store.postpone(id, sequence, tries + 1, againMs);
  }
}

/** Whether a failure is the receiver's as a whole, and not this message's: then no other message fares better. */
function isReceiverDown(status: number | undefined): boolean {
  return status === undefined || status >= 500 || status === 429 || status === 408;
}
