/** `hellotide/client`: the API and the feed, typed, for browsers, Node from 20 on, and Workers. No dependency. */
import type { FeedSource, WebSocketClass } from "./feed/feed.ts";
import { type Fetch, Http } from "./http.ts";
import { type AnswerOf, type InitOf, type MethodOf, type Path, sendRequest } from "./request.ts";
import { Site } from "./site.ts";
import { systemClock } from "./time.ts";

export type { Problem } from "./error.ts";
export { HelloTideError } from "./error.ts";
export type { Feed, FeedOptions, FeedState } from "./feed/feed.ts";
export type { FeedEvent, FeedGap } from "./feed/session.ts";
export type { Operations, Schemas } from "./generated.ts";
export type { Collection, IngestOptions, Site, Thresholds } from "./site.ts";

export interface HelloTideOptions {
  /** `https://hellotide.example.com`, with or without a path prefix. */
  readonly url: string | URL;
  /** An API token with the scopes that are used; absent = the browser is known by Cloudflare Access. */
  readonly token?: string | undefined;
  /** Absent = the platform's. */
  readonly fetch?: Fetch | undefined;
  /** Absent = the platform's; Node has one from 22 on. */
  readonly WebSocket?: unknown;
  /**
   * How the feed says who it is: by a header, which Node's own WebSocket can send, or by a ticket that is fetched for each
   * connection. Absent = `header` with Node's own, else `ticket`.
   */
  readonly feedAuth?: "header" | "ticket" | undefined;
  /** Tries after the first one of a request that may be sent again (429, 503, a lost connection). Default: 4. */
  readonly retries?: number | undefined;
}

const RETRIES_DEFAULT = 4;

export class HelloTide {
  readonly #http: Http;
  readonly #feed: Pick<FeedSource, "WebSocket" | "auth">;

  constructor(options: HelloTideOptions) {
    const base = new URL(options.url);
    if (!base.pathname.endsWith("/")) base.pathname += "/";
    this.#http = new Http({
      base,
      token: options.token,
      // Called as a method of the options, the browser's own refuses.
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      retries: options.retries ?? RETRIES_DEFAULT,
      clock: systemClock,
    });
    const own = (globalThis as { WebSocket?: unknown }).WebSocket;
    this.#feed = {
      WebSocket: (options.WebSocket ?? own) as WebSocketClass | undefined,
      auth: options.feedAuth ?? (options.WebSocket === undefined && isNode() ? "header" : "ticket"),
    };
  }

  site(name: string): Site {
    return new Site({ http: this.#http, site: name, ...this.#feed });
  }

  /** Any operation of the OpenAPI document but the feed: `request("GET", "/v1/sites/{site}/summary", { params: { site } })`. */
  request<P extends Path, M extends MethodOf<P>>(
    method: M,
    path: P,
    ...[init]: InitOf<P, M>
  ): Promise<AnswerOf<P, M>> {
    return sendRequest(this.#http, method, path, init ?? {});
  }
}

/** Only Node's (undici's) WebSocket takes headers; a Worker with Node's compatibility also has a `process`. */
function isNode(): boolean {
  const { process, navigator } = globalThis as {
    process?: { release?: { name?: string } };
    navigator?: { userAgent?: string };
  };
  return process?.release?.name === "node" && navigator?.userAgent !== "Cloudflare-Workers";
}
