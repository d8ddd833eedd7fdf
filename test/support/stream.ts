/** A client of the feed for the contract tests: it keeps every message in order and lets tests await the next one. */
import { request } from "node:http";
import type { Target } from "./client.ts";

export interface FeedEvent {
  readonly specversion: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  readonly time: string;
  readonly sequence?: string;
  readonly datacontenttype?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface FeedOptions {
  readonly query?: string;
  readonly token?: string | null;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface Feed {
  /** The subprotocol the server chose. */
  readonly protocol: string;
  /** All CloudEvents so far, hello first. */
  readonly events: readonly FeedEvent[];
  /** Text frames that are not JSON objects, such as `pong`. */
  readonly texts: readonly string[];
  /** Raw binary frames (`cloudevents.msgpack`). */
  readonly binaries: readonly Uint8Array[];
  readonly closed: Promise<Closed>;
  /** The first event, past or future, that `wanted` accepts. */
  waitFor(what: string, wanted: (event: FeedEvent) => boolean, timeoutMs?: number): Promise<FeedEvent>;
  /** Until `done` holds for this feed; for counts of events, texts and binaries. */
  waitUntil(what: string, done: (feed: Feed) => boolean, timeoutMs?: number): Promise<void>;
  send(text: string): void;
  /** Starts the closing handshake; await `closed` for its end. */
  close(): void;
}

const WAIT_MS = 10_000;

export function feedPath(site: string, query = ""): string {
  return `/v1/sites/${site}/feed${query ? `?${query}` : ""}`;
}

/** Resolves when the socket is open; rejects when the server refuses it (use `handshake` to see how). */
export function openFeed(target: Target, site: string, options: FeedOptions = {}): Promise<Feed> {
  const url = new URL(feedPath(site, options.query), target.url);
  url.protocol = "ws:";
  const token = options.token === undefined ? target.token : options.token;
  const socket = new WebSocket(url, {
    protocols: [...(options.protocols ?? [])],
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers },
  });
  socket.binaryType = "arraybuffer";

  const events: FeedEvent[] = [];
  const texts: string[] = [];
  const binaries: Uint8Array[] = [];
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of [...listeners]) listener();
  };
  socket.addEventListener("message", ({ data }: { data: unknown }) => {
    if (data instanceof ArrayBuffer) binaries.push(new Uint8Array(data));
    else if (typeof data === "string" && data.startsWith("{")) events.push(JSON.parse(data) as FeedEvent);
    else texts.push(String(data));
    notify();
  });
  let end: Closed | undefined;
  const closed = new Promise<Closed>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => {
      end = { code, reason };
      resolve(end);
      notify();
    });
  });

  function waitUntil(what: string, done: (feed: Feed) => boolean, timeoutMs = WAIT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        listeners.delete(check);
        clearTimeout(timer);
        reject(new Error(`feed: ${what}: ${why}; had ${events.map((event) => describe(event)).join(", ")}`));
      };
      const timer = setTimeout(() => fail(`not within ${timeoutMs} ms`), timeoutMs);
      function check(): void {
        if (done(feed)) {
          listeners.delete(check);
          clearTimeout(timer);
          resolve();
        } else if (end) fail(`closed with ${end.code} ${end.reason}`);
      }
      listeners.add(check);
      check();
    });
  }

  const feed: Feed = {
    get protocol() {
      return socket.protocol;
    },
    events,
    texts,
    binaries,
    closed,
    waitUntil,
    async waitFor(what, wanted, timeoutMs) {
      await waitUntil(what, () => events.some(wanted), timeoutMs);
      return events.find(wanted) as FeedEvent;
    },
    send: (text) => socket.send(text),
    close: () => socket.close(),
  };
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(feed));
    socket.addEventListener("error", () => reject(new Error(`the feed refused ${url.search}`)));
  });
}

function describe(event: FeedEvent): string {
  return `${event.type.replace("hellotide.", "")}(${event.subject ?? ""} ${event.sequence ?? ""})`;
}

/** Events that carry a sequence, so not hello, checkpoint, gap or error. */
export function stored(feed: Feed): FeedEvent[] {
  return feed.events.filter((event) => event.sequence !== undefined);
}

export interface HandshakeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A WebSocket handshake by hand, for the answers that a WebSocket client hides. */
export function handshake(
  target: Target,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  token: string | null = target.token,
): Promise<HandshakeAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, target.url), {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": Buffer.from("contract-tests-0").toString("base64"),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      timeout: WAIT_MS,
    });
    const headersOf = (raw: NodeJS.Dict<string | string[]>): Headers =>
      new Headers(Object.entries(raw).map(([name, value]) => [name, String(value)] as [string, string]));
    outgoing.on("upgrade", (incoming, socket) => {
      socket.destroy();
      resolve({ status: incoming.statusCode ?? 0, headers: headersOf(incoming.headers), text: "" });
    });
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, headers: headersOf(incoming.headers), text }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
