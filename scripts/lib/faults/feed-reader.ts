/** A client of the feed that comes and goes, and what it has made of the events: by WebSocket, or as server-sent events. */
import { EventStream } from "../../../test/support/event-stream.ts";
import { type FeedEvent, openFeed } from "../../../test/support/stream.ts";
import type { FaultServer } from "./server.ts";

export const WAYS = ["websocket", "event-stream"] as const;
export type Way = (typeof WAYS)[number];

interface Heard {
  readonly event: FeedEvent;
  /** Where to go on after it. */
  readonly cursor: string | undefined;
}

/** One connection. */
export interface Connection {
  heard(): readonly Heard[];
  close(): void;
}

export class FeedReader {
  readonly way: Way;
  readonly #site: string;
  /** Of the events that it has processed. */
  readonly sequences: number[] = [];
  readonly subjects: string[] = [];
  /** Messages hellotide.feed.gap: the feed itself says that it forgot something. */
  gaps = 0;
  /** Server-sent events whose lines `id:` and `event:` are not the event's own. */
  mislabelled = 0;
  connections = 0;
  #cursor: string | undefined;

  constructor(way: Way, site: string) {
    this.way = way;
    this.#site = site;
  }

  /** Sequence of the last event that it has processed; 0 = none yet. */
  get last(): number {
    return this.sequences.at(-1) ?? 0;
  }

  /** Connects where it left off; `undefined` when the server did not take it. */
  async connect(server: FaultServer): Promise<Connection | undefined> {
    const opened = this.way === "websocket" ? this.#openSocket(server) : this.#openStream(server);
    const connection = await opened.catch(() => undefined);
    if (connection !== undefined) this.connections++;
    return connection;
  }

  /** Takes in the first `limit` new events of a connection; what else came is as good as never received. */
  process(connection: Connection, limit = Number.POSITIVE_INFINITY): void {
    let left = limit;
    for (const { event, cursor } of connection.heard()) {
      if (event.type === "hellotide.feed.gap") this.gaps++;
      if (event.sequence !== undefined) {
        if (left-- === 0) return;
        this.sequences.push(Number(event.sequence));
        if (event.type === "hellotide.threshold.raised") this.subjects.push(event.subject ?? "");
      }
      this.#cursor = cursor ?? this.#cursor;
    }
  }

  /** Events that are not the next one after the last: `missing` or again. */
  faults(): { missing: number; again: number } {
    let missing = 0;
    let again = 0;
    let last = 0;
    for (const sequence of this.sequences) {
      if (sequence > last + 1) missing += sequence - last - 1;
      if (sequence <= last) again++;
      last = Math.max(last, sequence);
    }
    return { missing, again };
  }

  async #openSocket(server: FaultServer): Promise<Connection> {
    const feed = await openFeed(server, this.#site, { query: `since=${this.#cursor ?? 0}` });
    return {
      heard: () => feed.events.map((event) => ({ event, cursor: event.sequence })),
      close: () => feed.close(),
    };
  }

  /** As an EventSource: `since` stays in the address, the last id wins over it. */
  async #openStream(server: FaultServer): Promise<Connection> {
    const last = this.#cursor === undefined ? {} : { lastId: this.#cursor };
    const stream = await EventStream.open(server, this.#site, { query: "since=0", ...last });
    return {
      heard: () =>
        stream.messages.map(({ type, lastId, event }) => {
          const isOwn = event.sequence === undefined || event.sequence === lastId;
          if (!isOwn || type !== event.type) this.mislabelled++;
          return { event, cursor: lastId };
        }),
      close: () => stream.close(),
    };
  }
}
