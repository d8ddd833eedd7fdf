/** The feed as an async iterator, over any number of connections: each event once and in order, as fast as it is read. */
import { errorOf, HelloTideError } from "../error.ts";
import type { Operations } from "../generated.ts";
import type { Http } from "../http.ts";
import { type Outcome, runConnection, SUBPROTOCOL, type WebSocketLike } from "./connection.ts";
import { afterEnd, CLOSE_REVOKED, CLOSE_TRY_AGAIN, judgeStatus } from "./policy.ts";
import { type FeedEvent, type FeedGap, type Received, Session } from "./session.ts";

/** `waiting`: the connection is lost or was refused for now, and is tried again after `pauseMs`. */
export type FeedState =
  | { readonly state: "open"; readonly cursor: string | undefined; readonly resumed: boolean }
  | {
      readonly state: "waiting";
      readonly why: string;
      readonly code: number;
      readonly pauseMs: number;
      readonly hasConnected: boolean;
    };

type FeedQuery = NonNullable<Operations["/v1/sites/{site}/feed"]["GET"]["request"]["query"]>;

export interface FeedOptions {
  /** Begin after this cursor; `"0"` = all that is kept; absent = from now on. */
  readonly since?: string | undefined;
  readonly kind?: string | readonly string[] | undefined;
  readonly type?: FeedEvent["type"] | readonly FeedEvent["type"][] | undefined;
  /** A glob that knows `*` only. */
  readonly ja4?: string | undefined;
  /** 0 to 30; hides only events with a score. */
  readonly minScore?: number | undefined;
  readonly minSeverity?: FeedQuery["min_severity"];
  /** Whether silenced anomalies are shown too. */
  readonly silenced?: boolean | undefined;
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal | undefined;
  onState?(state: FeedState): void;
  /** Events are missing that the server no longer keeps. */
  onGap?(gap: FeedGap): void;
  /** The server did not understand a frame of ours. */
  onError?(detail: string): void;
}

export type WebSocketClass = new (url: string, options?: never) => WebSocketLike;

export interface FeedSource {
  readonly http: Http;
  readonly site: string;
  readonly WebSocket: WebSocketClass | undefined;
  /** `header`: the class takes headers, as Node's does. `ticket`: a ticket is fetched for each connection. */
  readonly auth: "header" | "ticket";
}

interface Held {
  readonly event: FeedEvent;
  readonly taken: () => void;
}

/** One reader: iterate it once. */
export class Feed implements AsyncIterable<FeedEvent, void, undefined> {
  readonly #source: FeedSource;
  readonly #options: FeedOptions;
  readonly #session: Session;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  /** Received and not yet asked for; the server's credit (5,000 events, 1 MiB) bounds it. */
  readonly #held: Held[] = [];
  #cursor: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;
  #isRead = false;
  /** Wakes whoever waits for a change of the above; one reader and one runner at most. */
  readonly #wake = new Set<() => void>();

  constructor(source: FeedSource, options: FeedOptions) {
    if (source.WebSocket === undefined) {
      throw new TypeError("this platform has no WebSocket: give the client one as its option `WebSocket`");
    }
    this.#source = source;
    this.#options = options;
    this.#session = new Session(options.since);
    this.#cursor = options.since;
    const { signal } = this.#over;
    this.#signal = options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]);
    this.#signal.addEventListener("abort", () => this.#changed(), { once: true });
  }

  /** Where to go on later (`since`): after the last event that was handed out. Absent before the first hello. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FeedEvent, void, undefined> {
    if (this.#isRead) throw new TypeError("a feed can be iterated once; open another one");
    this.#isRead = true;
    const runner = this.#run()
      .catch((error: unknown) => {
        if (!this.#signal.aborted) this.#failure = { error };
      })
      .finally(() => {
        this.#isOver = true;
        this.#changed();
      });
    try {
      while (!this.#signal.aborted) {
        const next = this.#held.shift();
        if (next !== undefined) {
          this.#cursor = next.event.sequence;
          yield next.event;
          next.taken();
          if (this.#held.length === 0) this.#changed();
        } else if (this.#isOver) break;
        else await this.#change();
      }
      if (this.#failure !== undefined) throw this.#failure.error;
    } finally {
      this.#over.abort();
      await runner;
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#source.http;
    let attempt = 0;
    while (!this.#signal.aborted) {
      const outcome = await this.#connect();
      if (this.#signal.aborted) return;
      if (outcome.code === CLOSE_REVOKED) {
        throw new HelloTideError(401, `the server closed the feed: ${outcome.why}`);
      }
      const next = afterEnd(outcome, attempt, clock.random());
      ({ attempt } = next);
      const pauseMs = Math.max(next.ms, outcome.retryAfterMs ?? 0);
      // Being sent on to the next piece of a long past is no news.
      if (outcome.code !== CLOSE_TRY_AGAIN) {
        const { hasConnected } = this.#session;
        this.#options.onState?.({
          state: "waiting",
          why: outcome.why,
          code: outcome.code,
          pauseMs,
          hasConnected,
        });
      }
      await clock.wait(pauseMs, this.#signal);
      // What was not read yet is not asked for again: memory holds one connection's worth at most.
      while (this.#held.length > 0 && !this.#signal.aborted) await this.#change();
    }
  }

  /** One connection, or the reason why there is none. Throws what is final. */
  async #connect(): Promise<Outcome & { readonly retryAfterMs?: number | undefined }> {
    const { WebSocket, auth, http } = this.#source;
    try {
      const url = this.#url();
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      if (auth === "ticket") url.searchParams.set("ticket", await this.#ticket());
      const options =
        auth === "header" ? { protocols: [SUBPROTOCOL], headers: http.credentials } : [SUBPROTOCOL];
      const socket = new WebSocket!(url.href, options as never);
      const outcome = await runConnection(socket, this.#session, {
        signal: this.#signal,
        clock: http.clock,
        take: (received, taken) => this.#take(received, taken),
      });
      if (outcome.opened || this.#signal.aborted) return outcome;
      await this.#askWhy();
      return outcome;
    } catch (error) {
      if (this.#signal.aborted) throw error;
      return this.#refused(error);
    }
  }

  async #ticket(): Promise<string> {
    const { http, site } = this.#source;
    const url = http.url(`v1/sites/${encodeURIComponent(site)}/feed-tickets`);
    const response = await http.open(url, {}, this.#signal, "POST");
    if (!response.ok) throw await errorOf(response, http.clock.nowMs());
    return ((await response.json()) as { ticket: string }).ticket;
  }

  /**
   * Clients of WebSockets are not told why they were refused, so the same address is asked for events by plain HTTP. Throws the
   * refusal; returns when there is none.
   */
  async #askWhy(): Promise<void> {
    const { http } = this.#source;
    const response = await http.open(this.#url(), { accept: "text/event-stream" }, this.#signal);
    // 426 = nothing wrong but the way of asking.
    if (response.status >= 400 && response.status !== 426) throw await errorOf(response, http.clock.nowMs());
    await response.body?.cancel();
  }

  #refused(error: unknown): Outcome & { readonly retryAfterMs?: number | undefined } {
    const lost = { opened: false, code: 0, livedMs: 0, events: 0 };
    if (!(error instanceof HelloTideError)) return { ...lost, why: reasonOf(error) };
    const said = { ...lost, why: `the server answers ${error.message}`, retryAfterMs: error.retryAfterMs };
    switch (judgeStatus(error.status, this.#session.hasConnected)) {
      case "reset":
        this.#options.onGap?.(this.#session.reset());
        return said;
      case "try again":
        return said;
      default:
        throw error;
    }
  }

  #take(received: Received, taken: () => void): void {
    const { event, gap, error, opened } = received;
    if (event !== undefined) this.#held.push({ event, taken });
    else if (this.#held.length === 0) this.#cursor = this.#session.cursor;
    if (opened !== undefined) this.#options.onState?.({ state: "open", ...opened });
    if (gap !== undefined) this.#options.onGap?.(gap);
    if (error !== undefined) this.#options.onError?.(error);
    this.#changed();
  }

  #url(): URL {
    const { http, site } = this.#source;
    return http.url(
      `v1/sites/${encodeURIComponent(site)}/feed`,
      queryOf(this.#options, this.#session.cursor),
    );
  }

  #changed(): void {
    const waiting = [...this.#wake];
    this.#wake.clear();
    for (const wake of waiting) wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.add(resolve);
      if (this.#signal.aborted) this.#changed();
    });
  }
}

function queryOf(options: FeedOptions, since: string | undefined) {
  const list = (names: string | readonly string[] | undefined) =>
    typeof names === "object" ? names.join(",") : names;
  return {
    since,
    kind: list(options.kind),
    type: list(options.type),
    ja4: options.ja4,
    min_score: options.minScore,
    min_severity: options.minSeverity,
    silenced: options.silenced,
  };
}

/** `fetch` says only "fetch failed"; the cause has the reason. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
