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
  type Subprotocol,
  type Subscription,
  type WebhookStatus,
} from "../src/api/objects.ts";
import {
  FEED_CLIENT_ERRORS_MAX,
  FEED_CLIENT_FRAME_MAX_BYTES,
  FEED_HEARTBEAT_S,
} from "../src/base/feed-limits.ts";
import { ulid } from "../src/base/random.ts";
import { utf8Length } from "../src/base/text.ts";
import { rfc3339 } from "../src/base/time.ts";
import { HOUR_MS } from "../src/config.ts";
import { DEFAULT_DETECTION } from "../src/detect/settings.ts";
import { type Credit, FRESH_CREDIT, isExhausted, spend } from "../src/feed/credit.ts";
import { cursorText } from "../src/feed/cursor.ts";
import { type FeedFilter, filterTest } from "../src/feed/filter.ts";
import { stormEndMs } from "../src/feed/storm.ts";
import { parseOptions } from "../src/options.ts";
import type { FeedCounts } from "../src/reading/metrics.ts";
import type { Feedback } from "../src/schemas/anomalies.ts";
import { clientFrame } from "../src/schemas/feed.ts";
import type { FeedWebhook } from "../src/webhooks/route.ts";
import type { Sent } from "../src/webhooks/send.ts";
import { pack } from "../src/wire/codec.ts";
import { anomalyPage } from "./anomaly-page.ts";
import type { Env } from "./env.ts";
import { FeedAlarm } from "./feed-alarm.ts";
import { FeedStore, type StoredEvent } from "./sql/feed-store.ts";
import { StormStore } from "./sql/storm-store.ts";
import { StormGuard } from "./storm-guard.ts";
import { siteOfName } from "./stubs.ts";
import type { WebhookOutbox } from "./webhook-outbox.ts";
import { feedOutbox, testMessage } from "./webhook-wiring.ts";

/** What a socket carries over hibernation (≤ 16 KiB). */
interface Attachment {
  filter: FeedFilter;
  protocol: Subprotocol;
  credit: Credit;
  errors: number;
  /** Time of the last automatic pong that the credit was renewed for, ms. */
  pongMs: number;
}

const REPLAY_PAGE = 500;
const CLOSE_POLICY = 1008;
const CLOSE_TOO_BIG = 1009;
const CLOSE_TRY_AGAIN = 1013;

export class AnomalyFeed extends DurableObject<Env> {
  readonly #site: string;
  readonly #store: FeedStore;
  #settings: FeedSettings;
  readonly #storms: StormStore;
  readonly #origin: string;
  readonly #alarm: FeedAlarm;
  readonly #outbox: WebhookOutbox;
  #prunedMs = 0;

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
    this.#alarm = new FeedAlarm(ctx.storage, [storm, this.#outbox]);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Takes a shard's outbox; answers up to which number it is kept. Repeats change nothing. */
  async append(source: string, events: { n: number; event: string }[]): Promise<number> {
    const nowMs = Date.now();
    const guard = this.#guard(nowMs);
    const { fresh, high } = this.#store.append(source, events, nowMs, guard, (sequence, event) =>
      this.#outbox.note(sequence, event, nowMs),
    );
    if (fresh.length > 0) {
      for (const socket of this.ctx.getWebSockets()) this.#sendAll(socket, fresh);
    }
    if (nowMs - this.#prunedMs > HOUR_MS) {
      this.#prunedMs = nowMs;
      this.#store.prune(nowMs);
      this.#storms.prune(nowMs);
    }
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

  addTicket(digest: string, expiresMs: number): void {
    this.#store.prune(Date.now());
    this.#store.addTicket(digest, expiresMs);
  }

  useTicket(digest: string): boolean {
    return this.#store.useTicket(digest, Date.now());
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
    const clients = this.ctx.getWebSockets().length;
    return { ...this.#store.anomalies.counts(), clients, webhookFailures: this.#outbox.lost };
  }

  webhookStatus(ids: string[]): Record<string, WebhookStatus> {
    return Object.fromEntries(ids.map((id) => [id, this.#outbox.status(id)]));
  }

  testWebhook(webhook: FeedWebhook): Promise<Sent> {
    return testMessage(this.#site, webhook);
  }

  /** Opens a subscription that the Worker has checked. 400 for a cursor of the future. */
  override async fetch(request: Request): Promise<Response> {
    const opened = JSON.parse(request.headers.get(SUBSCRIPTION_HEADER) ?? "") as Subscription;
    const { filter, protocol } = opened;
    const since = opened.since ?? this.#store.newest;
    if (since > this.#store.newest) return new Response(null, { status: 400 });
    const pair = new WebSocketPair();
    const [client, server] = [pair[0], pair[1]];
    this.ctx.acceptWebSocket(server);
    const attachment: Attachment = { filter, protocol, credit: FRESH_CREDIT, errors: 0, pongMs: 0 };
    server.serializeAttachment(attachment);
    this.#control(server, "hellotide.feed.hello", {
      cursor: cursorText(since),
      oldest: cursorText(this.#store.oldest),
      heartbeat_s: FEED_HEARTBEAT_S,
    });
    this.#replay(server, since);
    const offered = request.headers.get("sec-websocket-protocol");
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: offered === null ? {} : { "sec-websocket-protocol": offered },
    });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const size = typeof message === "string" ? utf8Length(message) : message.byteLength;
    if (size > FEED_CLIENT_FRAME_MAX_BYTES) {
      socket.close(CLOSE_TOO_BIG, "a frame may have 4096 bytes");
      return;
    }
    const frame = typeof message === "string" ? parseClientFrame(message) : undefined;
    const attachment = socket.deserializeAttachment() as Attachment;
    if (frame === undefined) {
      const errors = attachment.errors + 1;
      socket.serializeAttachment({ ...attachment, errors });
      this.#control(socket, "hellotide.feed.error", { detail: 'expected {"type":"ack","cursor"} or ping' });
      if (errors >= FEED_CLIENT_ERRORS_MAX)
        socket.close(CLOSE_POLICY, "too many frames that were not understood");
      return;
    }
    socket.serializeAttachment({ ...attachment, credit: FRESH_CREDIT });
    if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
  }

  /** Answers a close: the runtime does not do so for hibernating sockets, and the client would wait for it. */
  override webSocketClose(socket: WebSocket, code: number): void {
    // Codes without a meaning on the wire (RFC 6455 §7.4.1: no status, abnormal, TLS) cannot be sent back.
    const sendable = code >= 1000 && code <= 4999 && ![1005, 1006, 1015].includes(code);
    socket.close(sendable ? code : 1000);
  }

  /** Sends what is kept after `since`. Synchronous, so no event comes between the last page and going live. */
  #replay(socket: WebSocket, since: number): void {
    const { oldest } = this.#store;
    if (since + 1 < oldest) {
      this.#control(socket, "hellotide.feed.gap", { from: cursorText(since), to: cursorText(oldest - 1) });
    }
    for (let at = since; ; ) {
      const page = this.#store.after(at, REPLAY_PAGE);
      if (page.length === 0 || !this.#sendAll(socket, page)) return;
      at = page[page.length - 1]!.sequence;
    }
  }

  /** False when the socket was closed because it had fallen too far behind. */
  #sendAll(socket: WebSocket, events: readonly StoredEvent[]): boolean {
    // A socket that is closing is still listed, with nothing to send to.
    if (socket.readyState !== WebSocket.OPEN) return false;
    const attachment = this.#renewed(socket);
    const wanted = filterTest(attachment.filter);
    let { credit } = attachment;
    for (const event of events) {
      if (!wanted(event.traits)) continue;
      const frame = attachment.protocol === "cloudevents.json" ? event.text : packed(event);
      credit = spend(credit, frame.length);
      if (isExhausted(credit)) {
        socket.close(CLOSE_TRY_AGAIN, "too far behind: resume with your last cursor");
        return false;
      }
      socket.send(frame);
    }
    socket.serializeAttachment({ ...attachment, credit });
    return true;
  }

  /** The socket's state; an automatic pong since the last look counts as a sign of life. */
  #renewed(socket: WebSocket): Attachment {
    const attachment = socket.deserializeAttachment() as Attachment;
    const pongMs = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return pongMs > attachment.pongMs ? { ...attachment, pongMs, credit: FRESH_CREDIT } : attachment;
  }

  /** A frame about the connection itself: no sequence, past every filter. */
  #control(socket: WebSocket, type: string, data: Record<string, string | number>): void {
    const nowMs = Date.now();
    const event = {
      specversion: "1.0",
      id: ulid(nowMs, (bytes) => crypto.getRandomValues(bytes)),
      source: `/sites/${this.#site}`,
      type,
      time: rfc3339(nowMs),
      datacontenttype: "application/json",
      data,
    };
    const { protocol } = socket.deserializeAttachment() as Attachment;
    socket.send(protocol === "cloudevents.json" ? JSON.stringify(event) : pack(event));
  }
}

/** The event as msgpack, made once however many sockets want it. */
function packed(event: StoredEvent): Uint8Array {
  event.packed ??= pack(JSON.parse(event.text));
  return event.packed;
}

/** A frame that the contract knows. */
function parseClientFrame(text: string): { type: "ack" | "ping" } | undefined {
  if (text === "ping") return { type: "ping" };
  try {
    const parsed = clientFrame.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
