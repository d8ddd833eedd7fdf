/** The feed's hibernating sockets: opens them, replays, sends what is new, hears what clients say. */
import type { Subprotocol, Subscription } from "../src/api/objects.ts";
import {
  FEED_CLIENT_ERRORS_MAX,
  FEED_CLIENT_FRAME_MAX_BYTES,
  FEED_HEARTBEAT_S,
} from "../src/base/feed-limits.ts";
import { ulid } from "../src/base/random.ts";
import { utf8Length } from "../src/base/text.ts";
import { rfc3339 } from "../src/base/time.ts";
import { type Credit, FRESH_CREDIT, isExhausted, spend } from "../src/feed/credit.ts";
import { cursorText } from "../src/feed/cursor.ts";
import { type FeedFilter, filterTest } from "../src/feed/filter.ts";
import { clientFrame } from "../src/schemas/feed.ts";
import { pack } from "../src/wire/codec.ts";
import type { FeedStore, StoredEvent } from "./sql/feed-store.ts";

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

/** The slice of the platform's object that is needed. */
export type SocketHost = Pick<
  DurableObjectState,
  "acceptWebSocket" | "getWebSockets" | "getWebSocketAutoResponseTimestamp" | "setWebSocketAutoResponse"
>;

export class FeedSockets {
  readonly #host: SocketHost;
  readonly #site: string;
  readonly #store: FeedStore;

  constructor(host: SocketHost, site: string, store: FeedStore) {
    this.#host = host;
    this.#site = site;
    this.#store = store;
    host.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  get count(): number {
    return this.#host.getWebSockets().length;
  }

  /** Opens a subscription and sends what is kept of it; answers the client's end. */
  open(opened: Subscription): WebSocket {
    const { filter, protocol } = opened;
    const since = opened.since ?? this.#store.newest;
    const pair = new WebSocketPair();
    const [client, server] = [pair[0], pair[1]];
    this.#host.acceptWebSocket(server);
    const attachment: Attachment = { filter, protocol, credit: FRESH_CREDIT, errors: 0, pongMs: 0 };
    server.serializeAttachment(attachment);
    this.#control(server, "hellotide.feed.hello", {
      cursor: cursorText(since),
      oldest: cursorText(this.#store.oldest),
      heartbeat_s: FEED_HEARTBEAT_S,
    });
    this.#replay(server, since);
    return client;
  }

  /** Sends new events to everyone who wants them. */
  broadcast(fresh: readonly StoredEvent[]): void {
    if (fresh.length === 0) return;
    for (const socket of this.#host.getWebSockets()) this.#sendAll(socket, fresh);
  }

  /** Takes a client's frame. */
  take(socket: WebSocket, message: string | ArrayBuffer): void {
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
  closed(socket: WebSocket, code: number): void {
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
    const pongMs = this.#host.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
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
