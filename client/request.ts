/** Any operation of the OpenAPI document, typed by its path and method. */
import type { Operations } from "./generated.ts";
import type { Ask, Http } from "./http.ts";

/** The feed is no request: `site(…).feed()` reads it. */
export type Path = Exclude<keyof Operations, `${string}/feed`>;
export type MethodOf<P extends Path> = keyof Operations[P] & string;
type Operation<P extends Path, M extends MethodOf<P>> = Operations[P][M] & {
  readonly request: object;
  readonly answer: unknown;
};

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}

/** `params`, `query`, `headers` and `body`, as the operation has them. */
export type RequestOf<P extends Path, M extends MethodOf<P>> = Operation<P, M>["request"];
export type AnswerOf<P extends Path, M extends MethodOf<P>> = Operation<P, M>["answer"];
/** May be left out only where nothing in it is required. */
export type InitOf<P extends Path, M extends MethodOf<P>> =
  Record<never, never> extends RequestOf<P, M>
    ? [init?: RequestOf<P, M> & RequestOptions]
    : [init: RequestOf<P, M> & RequestOptions];

interface AnyInit extends RequestOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Ask["query"];
  readonly headers?: Ask["headers"];
  readonly body?: unknown;
}

/** Sends it, and gives the parsed JSON, the text of other media types, or `undefined` for an answer without a body. */
export async function sendRequest<P extends Path, M extends MethodOf<P>>(
  http: Http,
  method: M,
  path: P,
  init: AnyInit,
): Promise<AnswerOf<P, M>> {
  const { params = {}, query, headers, body, signal } = init;
  const response = await http.send(method, fillIn(path, params), {
    query,
    headers,
    signal,
    // What is given as text is sent as text: lines of NDJSON.
    ...(body === undefined
      ? {}
      : typeof body === "string"
        ? { body, contentType: NDJSON }
        : { body: JSON.stringify(body) }),
  });
  if (response.status === 204) return undefined as AnswerOf<P, M>;
  const isJson = /^application\/(\w+\+)?json\b/.test(response.headers.get("content-type") ?? "");
  return (await (isJson ? response.json() : response.text())) as AnswerOf<P, M>;
}

export const NDJSON = "application/x-ndjson";

/** `/v1/sites/{site}` with the values in their places. */
export function fillIn(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined || value === "") throw new TypeError(`${path} needs params.${name}`);
    return encodeURIComponent(value);
  });
}
