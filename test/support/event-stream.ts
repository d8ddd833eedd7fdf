/**
 * A client of the feed as server-sent events, on node:http so that a test sees when a connection ends: messages as an
 * EventSource would hand them out, with the id that it would send on its next connection (HTML Living Standard §9.2.6,
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
 */
import { Agent, type IncomingMessage, request } from "node:http";
import type { Target } from "./client.ts";
import { type FeedEvent, feedPath } from "./stream.ts";

export interface StreamMessage {
  /** Of the `event:` line. */
  readonly type: string;
  /** The last `id:` so far; empty = there was none. */
  readonly lastId: string;
  readonly event: FeedEvent;
}

export interface EventStreamOptions {
  readonly query?: string;
  /** Of the connection before; absent = this is the first. */
  readonly lastId?: string;
}

/** One connection is one client's: none is kept for the next. */
const agent = new Agent({ keepAlive: false });
const OPEN_MAX_MS = 10_000;

export class EventStream {
  readonly messages: StreamMessage[] = [];
  isEnded = false;
  readonly #incoming: IncomingMessage;
  #rest = "";
  #lastId: string;

  private constructor(incoming: IncomingMessage, lastId: string) {
    this.#incoming = incoming;
    this.#lastId = lastId;
    incoming.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    const end = () => {
      this.isEnded = true;
    };
    incoming.on("error", end);
    incoming.on("close", end);
  }

  /** Resolves when the stream has begun; rejects when the server refuses it or is not there. */
  static open(
    target: Target,
    site: string,
    { query, lastId }: EventStreamOptions = {},
  ): Promise<EventStream> {
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(feedPath(site, query), target.url), {
        agent,
        headers: {
          ...{ accept: "text/event-stream", authorization: `Bearer ${target.token}` },
          ...(lastId === undefined ? {} : { "last-event-id": lastId }),
        },
      });
      const timer = setTimeout(() => outgoing.destroy(new Error("no answer")), OPEN_MAX_MS);
      outgoing.on("error", reject);
      outgoing.on("close", () => clearTimeout(timer));
      outgoing.on("response", (incoming) => {
        clearTimeout(timer);
        if (incoming.statusCode === 200) resolve(new EventStream(incoming, lastId ?? ""));
        else {
          incoming.destroy();
          reject(new Error(`the stream was refused: ${incoming.statusCode}`));
        }
      });
      outgoing.end();
    });
  }

  close(): void {
    this.#incoming.destroy();
  }

  /** What an unfinished message has so far stays until its empty line: at the connection's end it is as good as never sent. */
  #take(text: string): void {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
      this.#lastId = fields.get("id") ?? this.#lastId;
      const data = fields.get("data");
      if (data === undefined) continue;
      const event = JSON.parse(data) as FeedEvent;
      this.messages.push({ type: fields.get("event") ?? "message", lastId: this.#lastId, event });
    }
  }
}
