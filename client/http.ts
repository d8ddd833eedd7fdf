/** One request over `fetch`: address, token, repeats, errors. It knows no operation. */
import { errorOf, HelloTideError } from "./error.ts";
import type { Clock } from "./time.ts";

/** What the client needs of `fetch`: any implementation of the standard has it. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Ends with a slash, so that a server below a path prefix works as well. */
  readonly base: URL;
  /** Absent = something on the way says who asks. */
  readonly token: string | undefined;
  readonly fetch: Fetch;
  /** Tries after the first. */
  readonly retries: number;
  readonly clock: Clock;
}

export type QueryValue = string | number | boolean | undefined;

export interface Ask {
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether a repeat of a request that may have been carried out does no harm; of GET and PUT it is known. */
  readonly isRepeatable?: boolean | undefined;
}

const FIRST_PAUSE_MS = 250;
const PAUSE_MAX_MS = 30_000;
/** A server that wants us away for longer is told to the caller. */
const RETRY_AFTER_MAX_MS = 60_000;

export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Who asks. */
  get credentials(): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** The address of `path` (from the server's root, without a leading slash). */
  url(path: string, query: Ask["query"] = {}): URL {
    const url = new URL(path.replace(/^\//, ""), this.#options.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  /** Any answer, once; for the feed, which has repeats of its own. */
  open(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    method = "GET",
  ): Promise<Response> {
    return this.#options.fetch(url.href, { method, headers: { ...headers, ...this.credentials }, signal });
  }

  /** The answer of a status below 400. Throws a HelloTideError for others, after the repeats that make sense. */
  async send(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const { clock, retries } = this.#options;
    const isRepeatable = ask.isRepeatable ?? (method === "GET" || method === "PUT");
    for (let attempt = 1; ; attempt++) {
      const error = await this.#once(method, path, ask).catch((thrown: unknown) => thrown);
      if (error instanceof Response) return error;
      const pauseMs =
        attempt > retries ? undefined : repeatAfterMs(error, attempt, isRepeatable, clock.random());
      if (pauseMs === undefined || ask.signal?.aborted) throw error;
      await clock.wait(pauseMs, ask.signal);
    }
  }

  async #once(method: string, path: string, ask: Ask): Promise<Response> {
    const { fetch, clock } = this.#options;
    const headers = new Headers(this.credentials);
    for (const [name, value] of Object.entries(ask.headers ?? {})) {
      if (value !== undefined) headers.set(name, value);
    }
    if (ask.body !== undefined) headers.set("content-type", ask.contentType ?? "application/json");
    const response = await fetch(this.url(path, ask.query).href, {
      method,
      headers,
      ...(ask.body === undefined ? {} : { body: ask.body }),
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    });
    if (response.status >= 400) throw await errorOf(response, clock.nowMs());
    return response;
  }
}

/**
 * The pause before the next try; `undefined` = there is none. 429 was not carried out, so anything may be sent again; 503 and
 * a lost connection may have been, in part.
 */
export function repeatAfterMs(
  error: unknown,
  attempt: number,
  isRepeatable: boolean,
  random: number,
): number | undefined {
  const own = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), PAUSE_MAX_MS) * (0.5 + random / 2);
  if (!(error instanceof HelloTideError)) return isRepeatable ? Math.round(own) : undefined;
  const { status, retryAfterMs = 0 } = error;
  if (status !== 429 && !(status === 503 && isRepeatable)) return undefined;
  return retryAfterMs > RETRY_AFTER_MAX_MS ? undefined : Math.round(Math.max(own, retryAfterMs));
}
