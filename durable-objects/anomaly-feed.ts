/**
 * AnomalyFeed: one per site. Gives events their sequence, keeps them, sends them to hibernating sockets. Rows first, then
 * memory, then sockets; the platform holds the sends until the rows are durable.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type AnomalyPage,
  type AnomalyQuery,
  type FeedSettings,
  SUBSCRIPTION_HEADER,
  type Subscription,
  type WebhookStatus,
} from "../src/api/objects.ts";
import { ulid } from "../src/base/random.ts";
import { DEFAULT_DETECTION } from "../src/detect/settings.ts";
import type { Proof, TokenNews } from "../src/feed/proof.ts";
import { stormEndMs } from "../src/feed/storm.ts";
import { parseOptions } from "../src/options.ts";
import type { FeedCounts } from "../src/reading/metrics.ts";
import type { Feedback } from "../src/schemas/anomalies.ts";
import type { FeedWebhook } from "../src/webhooks/route.ts";
import type { Sent } from "../src/webhooks/send.ts";
import { anomalyPage } from "./anomaly-page.ts";
import type { Env } from "./env.ts";
import { type Duty, FeedAlarm } from "./feed-alarm.ts";
import { FeedSockets } from "./feed-sockets.ts";
import { FeedStore } from "./sql/feed-store.ts";
import { ProofStore } from "./sql/proof-store.ts";
import { StormStore } from "./sql/storm-store.ts";
import { StormGuard } from "./storm-guard.ts";
import { siteOfName } from "./stubs.ts";
import type { WebhookOutbox } from "./webhook-outbox.ts";
import { feedOutbox, testMessage } from "./webhook-wiring.ts";

export class AnomalyFeed extends DurableObject<Env> {
  readonly #site: string;
  readonly #store: FeedStore;
  #settings: FeedSettings;
  readonly #storms: StormStore;
  readonly #origin: string;
  readonly #alarm: FeedAlarm;
  readonly #outbox: WebhookOutbox;
  readonly #proofs: ProofStore;
  readonly #sockets: FeedSockets;
  readonly #retention: Duty;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#site = siteOfName(ctx.id.name);
    this.#origin = parseOptions(env).publicUrl ?? "";
    this.#store = new FeedStore(ctx.storage);
    this.#settings = { revision: 0, storm: DEFAULT_DETECTION.storm, ...this.#store.settings() };
    this.#storms = new StormStore(ctx.storage);
    const storm = {
      name: "storm",
      dueMs: () => stormEndMs(this.#storms.state, this.#settings.storm),
      run: async () => void (await this.append("", [])),
    };
    this.#outbox = feedOutbox(ctx.storage, this.#store, () => this.#alarm.arm(Date.now()));
    this.#outbox.use(this.#settings.webhooks ?? []);
    this.#retention = {
      name: "retention",
      dueMs: () => this.#store.pruneDueMs(),
      run: (atMs) => {
        this.#store.prune(atMs);
        this.#storms.prune(atMs);
      },
    };
    this.#proofs = new ProofStore(ctx.storage);
    this.#sockets = new FeedSockets(ctx, this.#site, this.#store, this.#proofs);
    const { checkpoints, endings } = this.#sockets;
    this.#alarm = new FeedAlarm(ctx.storage, [storm, this.#outbox, this.#retention, checkpoints, endings]);
  }

  /** Takes a shard's outbox; answers up to which number it is kept. Repeats change nothing. */
  async append(source: string, events: { n: number; event: string }[]): Promise<number> {
    const nowMs = Date.now();
    const guard = this.#guard(nowMs);
    const { fresh, high } = this.#store.append(source, events, nowMs, guard, (sequence, event) =>
      this.#outbox.note(sequence, event, nowMs),
    );
    this.#sockets.broadcast(fresh, nowMs);
    if ((this.#retention.dueMs(nowMs) ?? Number.POSITIVE_INFINITY) <= nowMs) await this.#retention.run(nowMs);
    this.#outbox.run(nowMs);
    await this.#alarm.arm(nowMs);
    return high;
  }

  /** Puts settings into force; answers the revision in force (an older push is ignored). */
  async applySettings(settings: FeedSettings): Promise<number> {
    if (settings.revision >= this.#settings.revision) {
      this.#store.setSettings(settings);
      this.#settings = settings;
      this.#outbox.use(settings.webhooks ?? []);
      // What waited for a webhook that was off is due now.
      await this.#alarm.arm(Date.now());
    }
    return this.#settings.revision;
  }

  override async alarm(): Promise<void> {
    await this.#alarm.fire(Date.now());
  }

  #guard(nowMs: number): StormGuard {
    const site = { name: this.#site, origin: this.#origin };
    return new StormGuard(this.#storms, site, this.#settings.storm, nowMs, () =>
      ulid(nowMs, (bytes) => crypto.getRandomValues(bytes)),
    );
  }

  addTicket(digest: string, expiresMs: number, proof?: Proof): void {
    this.#proofs.addTicket(digest, expiresMs, Date.now(), proof);
  }

  useTicket(digest: string): { proof?: Proof } | false {
    return this.#proofs.useTicket(digest, Date.now());
  }

  /** Ends the sockets that do not hold any more after what has become of a token. Repeats change nothing. */
  async tokenChanged(news: TokenNews): Promise<void> {
    const nowMs = Date.now();
    if (this.#proofs.note(news, nowMs)) this.#sockets.hear(news, nowMs);
    await this.#alarm.arm(nowMs);
  }

  anomalies(query: AnomalyQuery): AnomalyPage | "future_cursor" {
    return anomalyPage(this.#store, query);
  }

  anomaly(anomalyId: string): { event: string; feedback?: Feedback } | undefined {
    const found = this.#store.anomalies.find(anomalyId);
    if (found === undefined) return undefined;
    return { event: found.text, ...(found.feedback === undefined ? {} : { feedback: found.feedback }) };
  }

  putFeedback(anomalyId: string, feedback: Feedback): boolean {
    return this.#store.anomalies.putFeedback(anomalyId, feedback);
  }

  counts(): FeedCounts {
    const { count } = this.#sockets;
    return { ...this.#store.anomalies.counts(), clients: count, webhookFailures: this.#outbox.lost };
  }

  webhookStatus(ids: string[]): Record<string, WebhookStatus> {
    return Object.fromEntries(ids.map((id) => [id, this.#outbox.status(id)]));
  }

  testWebhook(webhook: FeedWebhook): Promise<Sent> {
    return testMessage(this.#site, webhook);
  }

  /** Opens a subscription that the Worker has checked. 400 for a cursor of the future, 401 when its token has ended. */
  override async fetch(request: Request): Promise<Response> {
    const opened = JSON.parse(request.headers.get(SUBSCRIPTION_HEADER) ?? "") as Subscription;
    if ((opened.since ?? 0) > this.#store.newest) return new Response(null, { status: 400 });
    const nowMs = Date.now();
    const webSocket = this.#sockets.open(opened, nowMs);
    if (webSocket === undefined) return new Response(null, { status: 401 });
    await this.#alarm.arm(nowMs);
    const offered = request.headers.get("sec-websocket-protocol");
    const headers = offered === null ? {} : { "sec-websocket-protocol": offered };
    return new Response(null, { status: 101, webSocket, headers });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#sockets.take(socket, message, Date.now());
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#sockets.closed(socket, code);
  }
}
