/** A site's operations by name; everything else goes by `request`. */
import { Feed, type FeedOptions, type FeedSource } from "./feed/feed.ts";
import type { Operations, Schemas } from "./generated.ts";
import type { Http, QueryValue } from "./http.ts";
import { jsonLines } from "./lines.ts";
import { NDJSON, type Path, type RequestOptions, sendRequest } from "./request.ts";

const SITE = "/v1/sites/{site}";

type QueryOf<P extends Path> = Operations[P] extends { GET: { request: { query?: infer Q } } }
  ? Omit<NonNullable<Q>, "cursor">
  : never;

export interface IngestOptions extends RequestOptions {
  /** Of this batch, for good; absent = a random one, so that a repeat after a lost answer counts nothing twice. */
  readonly idempotencyKey?: string | undefined;
}

/** What users write under an id. */
export interface Collection<Item, Input> {
  /** All of them, page by page. */
  list(): AsyncGenerator<Item, void, undefined>;
  get(id: string): Promise<Item>;
  create(input: Input): Promise<Item>;
  put(id: string, input: Input, options?: { readonly ifMatch?: string | undefined }): Promise<Item>;
  delete(id: string): Promise<void>;
}

export interface Thresholds extends Collection<Schemas["Threshold"], Schemas["ThresholdInput"]> {
  /** What a threshold would do, whether stored (its id) or not (its rule); nothing changes. */
  test(threshold: string | Schemas["ThresholdInput"]): Promise<Schemas["ThresholdTest"]>;
}

export class Site {
  readonly name: string;
  readonly thresholds: Thresholds;
  readonly silences: Collection<Schemas["Silence"], Schemas["SilenceInput"]>;
  readonly #http: Http;
  readonly #source: FeedSource;

  constructor(source: FeedSource) {
    this.#source = source;
    this.#http = source.http;
    this.name = source.site;
    const { http, site } = source;
    this.thresholds = {
      ...collection<Schemas["Threshold"], Schemas["ThresholdInput"]>(http, site, "thresholds"),
      test: (threshold) =>
        typeof threshold === "string"
          ? sendRequest(http, "POST", `${SITE}/thresholds/{id}/test`, { params: { site, id: threshold } })
          : sendRequest(http, "POST", `${SITE}/thresholds/test`, { params: { site }, body: threshold }),
    };
    this.silences = collection(http, site, "silences");
  }

  /** The full form; a HelloTideError of status 404 when it was not seen in the last hour. */
  fingerprint(ja4: string, options: RequestOptions = {}): Promise<Schemas["Fingerprint"]> {
    return sendRequest(this.#http, "GET", `${SITE}/fingerprints/{ja4}`, {
      ...options,
      params: { site: this.name, ja4 },
    });
  }

  /** Short rows of all pages; `limit` is the length of a page. */
  fingerprints(
    query: QueryOf<"/v1/sites/{site}/fingerprints"> = {},
  ): AsyncGenerator<Schemas["FingerprintRow"], void, undefined> {
    return pages(this.#http, this.#path("fingerprints"), { ...query }, "fingerprints");
  }

  /** At most 100 fingerprints at once. */
  lookup(ja4: readonly string[], options: RequestOptions = {}): Promise<Schemas["LookupAnswer"]> {
    return sendRequest(this.#http, "POST", `${SITE}/fingerprints/lookup`, {
      ...options,
      params: { site: this.name },
      body: { ja4 },
    });
  }

  /** Sixty minutes, oldest first. */
  timeline(ja4: string, options: RequestOptions = {}): Promise<Schemas["Timeline"]> {
    return sendRequest(this.#http, "GET", `${SITE}/fingerprints/{ja4}/timeline`, {
      ...options,
      params: { site: this.name, ja4 },
    });
  }

  related(ja4: string, options: RequestOptions = {}): Promise<Schemas["Related"]> {
    return sendRequest(this.#http, "GET", `${SITE}/fingerprints/{ja4}/related`, {
      ...options,
      params: { site: this.name, ja4 },
    });
  }

  families(query: QueryOf<"/v1/sites/{site}/families">): AsyncGenerator<Schemas["Family"], void, undefined> {
    return pages(this.#http, this.#path("families"), { ...query }, "families");
  }

  summary(options: RequestOptions = {}): Promise<Schemas["Summary"]> {
    return sendRequest(this.#http, "GET", `${SITE}/summary`, { ...options, params: { site: this.name } });
  }

  /** As they stand, newest first; with `since` event by event, oldest first. */
  anomalies(
    query: QueryOf<"/v1/sites/{site}/anomalies"> = {},
  ): AsyncGenerator<Schemas["AnomalyList"]["anomalies"][number], void, undefined> {
    return pages(this.#http, this.#path("anomalies"), { ...query }, "anomalies");
  }

  anomaly(id: string, options: RequestOptions = {}): Promise<Schemas["AnomalyAnswer"]> {
    return sendRequest(this.#http, "GET", `${SITE}/anomalies/{id}`, {
      ...options,
      params: { site: this.name, id },
    });
  }

  /** Whether an anomaly was a true one. */
  feedback(
    id: string,
    feedback: Schemas["FeedbackInput"],
    options: RequestOptions = {},
  ): Promise<Schemas["Feedback"]> {
    return sendRequest(this.#http, "POST", `${SITE}/anomalies/{id}/feedback`, {
      ...options,
      params: { site: this.name, id },
      body: feedback,
    });
  }

  /** One row of numbers a fingerprint, in order of the fingerprints, as they are streamed. */
  async *features(
    query: { readonly ja4?: string | undefined } & RequestOptions = {},
  ): AsyncGenerator<Schemas["FeatureRow"], void, undefined> {
    const { ja4, signal } = query;
    const response = await this.#http.send("GET", this.#path("features"), {
      query: { format: "ndjson", ja4 },
      signal,
    });
    if (response.body !== null) yield* jsonLines<Schemas["FeatureRow"]>(response.body);
  }

  /**
   * Sends observations, at most 50,000, again where the server asks for it or the answer was lost: with the same key they are
   * counted once.
   */
  async ingest(
    observations: readonly Schemas["Observation"][],
    options: IngestOptions = {},
  ): Promise<Schemas["IngestAnswer"]> {
    const key = options.idempotencyKey ?? crypto.randomUUID();
    const response = await this.#http.send("POST", this.#path("observations"), {
      headers: { "idempotency-key": key },
      body: observations.map((one) => `${JSON.stringify(one)}\n`).join(""),
      contentType: NDJSON,
      signal: options.signal,
      isRepeatable: true,
    });
    return (await response.json()) as Schemas["IngestAnswer"];
  }

  /** Events as they happen; see FeedOptions. Nothing is connected before it is iterated. */
  feed(options: FeedOptions = {}): Feed {
    return new Feed(this.#source, options);
  }

  #path(rest: string): string {
    return `v1/sites/${encodeURIComponent(this.name)}/${rest}`;
  }
}

function collection<Item, Input>(
  http: Http,
  site: string,
  name: "thresholds" | "silences",
): Collection<Item, Input> {
  const root = `v1/sites/${encodeURIComponent(site)}/${name}`;
  const one = (id: string) => `${root}/${encodeURIComponent(id)}`;
  const read = async (response: Promise<Response>) => (await (await response).json()) as Item;
  return {
    list: () => pages(http, root, {}, "items"),
    get: (id) => read(http.send("GET", one(id))),
    create: (input) => read(http.send("POST", root, { body: JSON.stringify(input) })),
    put: (id, input, { ifMatch } = {}) =>
      read(
        http.send("PUT", one(id), {
          body: JSON.stringify(input),
          headers: { "if-match": ifMatch },
          // With a condition, a repeat of what was carried out would be refused.
          isRepeatable: ifMatch === undefined,
        }),
      ),
    delete: async (id) => {
      await http.send("DELETE", one(id));
    },
  };
}

/** The rows of all pages, which are fetched as the rows are read. */
async function* pages<T>(
  http: Http,
  path: string,
  query: Readonly<Record<string, QueryValue>>,
  member: string,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  do {
    const response = await http.send("GET", path, { query: { ...query, cursor } });
    const page = (await response.json()) as Readonly<Record<string, unknown>>;
    yield* page[member] as readonly T[];
    cursor = page.next_cursor as string | undefined;
  } while (cursor !== undefined);
}
