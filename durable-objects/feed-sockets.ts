/**
 * The feed's hibernating sockets: opens them, replays, hears what clients say. Who is sent what is the audience's matter; it is
 * built when something is to be sent, so a client's ack wakes the object without a look at any other socket.
 */
import type { Subscription } from "../src/api/objects.ts";
import {
  FEED_CLIENT_ERRORS_MAX,
  FEED_CLIENT_FRAME_MAX_BYTES,
  FEED_HEARTBEAT_S,
} from "../src/base/feed-limits.ts";
import { ulid } from "../src/base/random.ts";
import { utf8Length } from "../src/base/text.ts";
import { rfc3339 } from "../src/base/time.ts";
import { Audience } from "../src/feed/audience.ts";
import { FRESH_CREDIT } from "../src/feed/credit.ts";
import { cursorText } from "../src/feed/cursor.ts";
import {
  type Member,
  type Membership,
  renewedMembership,
  type StoredEvent,
  type Subprotocol,
} from "../src/feed/membership.ts";
import { endOf, type Proof, type TokenNews } from "../src/feed/proof.ts";
import { clientFrame } from "../src/schemas/feed.ts";
import { pack } from "../src/wire/codec.ts";
import type { Duty } from "./feed-alarm.ts";
import type { FeedStore } from "./sql/feed-store.ts";
import type { ProofStore } from "./sql/proof-store.ts";

const REPLAY_PAGE = 500;
const CLOSE_POLICY = 1008;
const CLOSE_TOO_BIG = 1009;
/** A code for applications (RFC 6455 §7.4.2): the contract's. */
const CLOSE_UNAUTHORIZED = 4401;

/** The slice of the platform's object that is needed. */
export type SocketHost = Pick<
  DurableObjectState,
  "acceptWebSocket" | "getWebSockets" | "getWebSocketAutoResponseTimestamp" | "setWebSocketAutoResponse"
>;

type Data = Record<string, string | number>;

export class FeedSockets {
  readonly #host: SocketHost;
  readonly #site: string;
  readonly #store: FeedStore;
  readonly #proofs: ProofStore;
  #built: Audience<WebSocket> | undefined;
  /** No socket's token ends earlier, ms; one that has closed may have been the reason. */
  #nextEndMs = Number.POSITIVE_INFINITY;

  constructor(host: SocketHost, site: string, store: FeedStore, proofs: ProofStore) {
    this.#host = host;
    this.#site = site;
    this.#store = store;
    this.#proofs = proofs;
    host.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  get count(): number {
    return this.#host.getWebSockets().length;
  }

  /** Tells clients whose filter hides events how far they went. */
  get checkpoints(): Duty {
    return {
      name: "checkpoints",
      dueMs: () => this.#audience.checkpointDueMs(),
      run: (nowMs) => this.#checkpoint(nowMs),
    };
  }

  /** Closes the sockets whose tokens end. */
  get endings(): Duty {
    return {
      name: "endings",
      dueMs: () => {
        const { members } = this.#audience;
        return members.size === 0 || this.#nextEndMs === Number.POSITIVE_INFINITY
          ? undefined
          : this.#nextEndMs;
      },
      run: (nowMs) => this.#endOver(nowMs),
    };
  }

  /** Opens a subscription and sends what is kept of it; answers the client's end, or `undefined` when its token has ended. */
  open(subscription: Subscription, nowMs: number): WebSocket | undefined {
    const { filter, protocol, since = this.#store.newest } = subscription;
    const proof = this.#current(subscription.proof);
    if ((proof?.untilMs ?? Number.POSITIVE_INFINITY) <= nowMs) return undefined;
    const audience = this.#audience;
    const pair = new WebSocketPair();
    const [client, server] = [pair[0], pair[1]];
    this.#host.acceptWebSocket(server);
    const member = audience.join(server, {
      ...{ filter, protocol, credit: FRESH_CREDIT, errors: 0, pongMs: 0, told: since },
      ...(proof === undefined ? {} : { proof }),
    });
    this.#noteEnd(member);
    this.#control(member, nowMs, "hellotide.feed.hello", {
      cursor: cursorText(since),
      oldest: cursorText(this.#store.oldest),
      heartbeat_s: FEED_HEARTBEAT_S,
    });
    this.#replay(member, since, nowMs);
    return client;
  }

  /** What has become of a token: its sockets end now or at their time. */
  hear(news: TokenNews, nowMs: number): void {
    for (const member of this.#audience.members.values()) {
      if (member.proof?.token !== news.token) continue;
      member.proof = this.#current(member.proof);
      this.#noteEnd(member);
      this.#audience.save(member);
    }
    this.#endOver(nowMs);
  }

  /** Sends new events to everyone who wants them. */
  broadcast(fresh: readonly StoredEvent[], nowMs: number): void {
    const first = fresh[0];
    if (first === undefined) return;
    // They are kept already, and nobody was sent them.
    this.#built ??= this.#restored(first.sequence - 1);
    this.#built.broadcast(fresh);
    this.#checkpoint(nowMs);
  }

  /** Takes a client's frame. */
  take(socket: WebSocket, message: string | ArrayBuffer, nowMs: number): void {
    const size = typeof message === "string" ? utf8Length(message) : message.byteLength;
    if (size > FEED_CLIENT_FRAME_MAX_BYTES) {
      this.#built?.leave(socket);
      socket.close(CLOSE_TOO_BIG, "a frame may have 4096 bytes");
      return;
    }
    const frame = typeof message === "string" ? parseClientFrame(message) : undefined;
    if (frame === undefined) {
      this.#misunderstood(socket, nowMs);
      return;
    }
    this.#renew(socket);
    if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
  }

  /** Answers a close: the runtime does not do so for hibernating sockets, and the client would wait for it. */
  closed(socket: WebSocket, code: number): void {
    this.#built?.leave(socket);
    // Codes without a meaning on the wire (RFC 6455 §7.4.1: no status, abnormal, TLS) cannot be sent back.
    const sendable = code >= 1000 && code <= 4999 && ![1005, 1006, 1015].includes(code);
    socket.close(sendable ? code : 1000);
  }

  get #audience(): Audience<WebSocket> {
    this.#built ??= this.#restored(this.#store.newest);
    return this.#built;
  }

  /** `newest`: sequence of the last event that was sent to whoever wanted it. */
  #restored(newest: number): Audience<WebSocket> {
    const audience = new Audience<WebSocket>(newest, {
      pongMs: (socket) => this.#host.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0,
      save: (socket, membership) => socket.serializeAttachment(membership),
    });
    const open = this.#host.getWebSockets().filter(({ readyState }) => readyState === WebSocket.OPEN);
    audience.restore(
      open.map((socket) => [socket, socket.deserializeAttachment() as Membership] as const),
      (sequence) => this.#store.past(sequence, newest),
    );
    for (const member of audience.members.values()) this.#noteEnd(member);
    return audience;
  }

  /** A proof with the end that it has by what is known of its token. */
  #current(proof: Proof | undefined): Proof | undefined {
    if (proof === undefined) return undefined;
    const untilMs = endOf(proof, this.#proofs.news(proof.token));
    return untilMs === Number.POSITIVE_INFINITY ? proof : { ...proof, untilMs };
  }

  #noteEnd({ proof }: Member<WebSocket>): void {
    this.#nextEndMs = Math.min(this.#nextEndMs, proof?.untilMs ?? Number.POSITIVE_INFINITY);
  }

  #endOver(nowMs: number): void {
    const audience = this.#audience;
    if (this.#nextEndMs > nowMs) return;
    this.#nextEndMs = Number.POSITIVE_INFINITY;
    for (const member of audience.members.values()) {
      if ((member.proof?.untilMs ?? Number.POSITIVE_INFINITY) > nowMs) this.#noteEnd(member);
      else audience.end(member, CLOSE_UNAUTHORIZED, "the token was revoked or has expired");
    }
  }

  #renew(socket: WebSocket): void {
    const member = this.#built?.find(socket);
    if (member !== undefined) {
      this.#built?.renew(member);
      return;
    }
    const held = socket.deserializeAttachment() as Membership;
    socket.serializeAttachment(renewedMembership(held, this.#store.newest));
  }

  #misunderstood(socket: WebSocket, nowMs: number): void {
    const member = this.#audience.find(socket);
    if (member === undefined) return;
    member.errors++;
    this.#audience.save(member);
    this.#control(member, nowMs, "hellotide.feed.error", {
      detail: 'expected {"type":"ack","cursor"} or ping',
    });
    if (member.errors >= FEED_CLIENT_ERRORS_MAX)
      this.#audience.end(member, CLOSE_POLICY, "too many frames that were not understood");
  }

  /** Sends what is kept after `since`. Synchronous, so no event comes between the last page and going live. */
  #replay(member: Member<WebSocket>, since: number, nowMs: number): void {
    const { oldest } = this.#store;
    if (since + 1 < oldest) {
      this.#control(member, nowMs, "hellotide.feed.gap", {
        from: cursorText(since),
        to: cursorText(oldest - 1),
      });
    }
    for (let at = since; ; ) {
      const page = this.#store.after(at, REPLAY_PAGE);
      if (page.length === 0) break;
      if (!this.#audience.replay(member, page)) return;
      at = page[page.length - 1]!.sequence;
    }
    this.#audience.settle(member);
    this.#checkpoint(nowMs);
  }

  #checkpoint(nowMs: number): void {
    this.#audience.checkpoint(nowMs, (protocol, sequence) =>
      this.#frame(protocol, nowMs, "hellotide.feed.checkpoint", { cursor: cursorText(sequence) }),
    );
  }

  /** Sends a frame about the connection itself: no sequence, past every filter. */
  #control({ socket, group }: Member<WebSocket>, nowMs: number, type: string, data: Data): void {
    socket.send(this.#frame(group.protocol, nowMs, type, data));
  }

  #frame(protocol: Subprotocol, nowMs: number, type: string, data: Data): string | Uint8Array {
    const event = {
      specversion: "1.0",
      id: ulid(nowMs, (bytes) => crypto.getRandomValues(bytes)),
      source: `/sites/${this.#site}`,
      type,
      time: rfc3339(nowMs),
      datacontenttype: "application/json",
      data,
    };
    return protocol === "cloudevents.json" ? JSON.stringify(event) : pack(event);
  }
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
