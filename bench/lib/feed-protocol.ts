/** What the feed benchmark, its clients and its workers say to each other. */

/** What the clients' process is started with. It opens all sockets, then prints the port that takes runs, as one line. */
export interface FeedClientsInput {
  /** Of the engine. */
  readonly port: number;
  readonly sockets: number;
}

/** Body of `POST /append` to the engine: one append, as a shard's outbox makes it. */
export interface AppendInput {
  readonly source: string;
  /** Number of the first event in that outbox. */
  readonly from: number;
  readonly count: number;
}

/** Body of a request to the clients' process: sends events and waits until every socket has all of them. */
export type FeedRunInput =
  | {
      /** Several outboxes at once, as fast as the sockets take the events. */
      readonly appends: number;
      /** Events of one append. */
      readonly each: number;
    }
  | {
      /** One outbox, one event an append. */
      readonly events: number;
      /** From one append to the next, ms. */
      readonly everyMs: number;
    };

export interface FeedRunResult {
  readonly events: number;
  readonly seconds: number;
  /** Payload bytes of all frames with an event, over all sockets. */
  readonly bytes: number;
  /** From the request for the append to the frame at a socket; absent where several outboxes ran at once. */
  readonly p50_ms?: number;
  readonly p99_ms?: number;
  /** What any socket missed, had twice, or had in another order so far; the first few as text. */
  readonly faults: number;
  readonly reasons: readonly string[];
}
