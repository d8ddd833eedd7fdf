/**
 * A black-box HTTP client for the contract tests: it knows what `contract.md` says and nothing of the code.
 * Every answer is kept in `answers`, so that a file can end by holding all of them to /openapi.json.
 */
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import { Packr } from "msgpackr";
import type { FullForm, Problem, Summary } from "./oracle-forms.ts";

/** The part of a running server that a client needs; read at each request, because a restart may move it. */
export interface Target {
  readonly url: string;
  readonly token: string;
}

export interface Ask {
  /** Another token than the server's own; `null` sends no Authorization header. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Sent as application/json. */
  readonly json?: unknown;
}

export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body, taken to be `T`; shapes are proved by the tests and by /openapi.json. */
  json<T>(): T;
}

export interface Client {
  readonly target: Target;
  readonly answers: Answer[];
  send(method: string, path: string, ask?: Ask): Promise<Answer>;
  get(path: string, ask?: Ask): Promise<Answer>;
  post(path: string, ask?: Ask): Promise<Answer>;
  put(path: string, ask?: Ask): Promise<Answer>;
  delete(path: string, ask?: Ask): Promise<Answer>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const ANNOUNCED_FROM_BYTES = 1_048_576;
/** Keeps connections, as real clients do; a restarted server gets new ones. */
const agent = new Agent({ keepAlive: true, timeout: 2_000 });

export function createClient(target: Target): Client {
  const answers: Answer[] = [];
  async function send(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const headers = new Headers(ask.headers);
    const token = ask.token === undefined ? target.token : ask.token;
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    if (ask.json !== undefined && !headers.has("content-type"))
      headers.set("content-type", "application/json");
    const body = ask.json === undefined ? ask.body : JSON.stringify(ask.json);
    const bytes = typeof body === "string" ? Buffer.from(body) : (body ?? Buffer.alloc(0));
    const {
      status,
      headers: received,
      text,
    } = await exchange(new URL(path, target.url), method, headers, bytes);
    const answer: Answer = {
      method,
      path,
      status,
      headers: received,
      text,
      json: <T>() => JSON.parse(text) as T,
    };
    answers.push(answer);
    return answer;
  }
  return {
    target,
    answers,
    send,
    get: (path, ask) => send("GET", path, ask),
    post: (path, ask) => send("POST", path, ask),
    put: (path, ask) => send("PUT", path, ask),
    delete: (path, ask) => send("DELETE", path, ask),
  };
}

interface Exchanged {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * One exchange by node:http, which adds no content type of its own. Large bodies are announced first
 * (`Expect: 100-continue`): a server that refuses one answers without reading it and hangs up, and Node's clients
 * then often see the broken upload instead of the answer.
 */
function exchange(url: URL, method: string, headers: Headers, body: Uint8Array): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const announced = body.length > ANNOUNCED_FROM_BYTES;
    const outgoing = request(url, {
      method,
      headers: {
        ...Object.fromEntries(headers),
        ...(body.length > 0 || method !== "GET" ? { "content-length": `${body.length}` } : {}),
        ...(announced ? { expect: "100-continue" } : {}),
      },
      agent,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const pairs = Object.entries(incoming.headers).map(([name, value]): [string, string] => [
          name,
          `${value}`,
        ]);
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: incoming.statusCode ?? 0, headers: new Headers(pairs), text });
      });
    });
    if (announced) {
      outgoing.on("continue", () => outgoing.end(body));
      outgoing.flushHeaders();
    } else outgoing.end(body);
  });
}

export type BodyFormat = "ndjson" | "json" | "msgpack";

export const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  ndjson: "application/x-ndjson",
  json: "application/json",
  msgpack: "application/msgpack",
};

const packr = new Packr({ useRecords: false });

export function encodeBody(records: readonly unknown[], format: BodyFormat): Uint8Array<ArrayBuffer> {
  if (format === "msgpack") return Uint8Array.from(packr.pack(records));
  if (format === "json") return Uint8Array.from(Buffer.from(JSON.stringify(records)));
  return Uint8Array.from(Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join("")));
}

export interface IngestOptions {
  readonly format?: BodyFormat;
  readonly gzip?: boolean;
  readonly key?: string;
  readonly token?: string | null;
}

export interface IngestAnswer {
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  readonly without_ja4: number;
  readonly errors: readonly { readonly index: number; readonly detail: string }[];
}

export function observationsPath(site: string): string {
  return `/v1/sites/${site}/observations`;
}

export function ingest(
  client: Client,
  site: string,
  records: readonly unknown[],
  options: IngestOptions = {},
): Promise<Answer> {
  const format = options.format ?? "ndjson";
  const body = encodeBody(records, format);
  return client.post(observationsPath(site), {
    ...(options.token === undefined ? {} : { token: options.token }),
    headers: {
      "content-type": CONTENT_TYPES[format],
      ...(options.gzip ? { "content-encoding": "gzip" } : {}),
      ...(options.key === undefined ? {} : { "idempotency-key": options.key }),
    },
    body: options.gzip ? Uint8Array.from(gzipSync(body)) : body,
  });
}

/** Sends records that must all be accepted. */
export async function ingestAll(
  client: Client,
  site: string,
  records: readonly unknown[],
  options: IngestOptions = {},
): Promise<IngestAnswer> {
  const answer = await ingest(client, site, records, options);
  if (answer.status !== 202)
    throw new Error(`ingest answered ${answer.status}: ${answer.text.slice(0, 500)}`);
  const counts = answer.json<IngestAnswer>();
  if (counts.accepted !== records.length) throw new Error(`not all accepted: ${answer.text.slice(0, 500)}`);
  return counts;
}

/** A well-formed JA4 for test number `n`; all differ in their second and third part. */
export function ja4Of(n: number, head = "t13d1516h2"): string {
  const b = n.toString(16).padStart(12, "0");
  const c = (n * 7919 + 1).toString(16).padStart(12, "0");
  return `${head}_${b}_${c}`;
}

export function fingerprintPath(site: string, ja4: string): string {
  return `/v1/sites/${site}/fingerprints/${ja4}`;
}

export async function fullForm(client: Client, site: string, ja4: string): Promise<FullForm> {
  const answer = await client.get(fingerprintPath(site, ja4));
  if (answer.status !== 200) throw new Error(`${ja4}: ${answer.status} ${answer.text}`);
  return answer.json<FullForm>();
}

/** Requests in the last hour; 0 for a fingerprint that was never seen. */
export async function hourlyRequests(client: Client, site: string, ja4: string): Promise<number> {
  const answer = await client.get(fingerprintPath(site, ja4));
  if (answer.status === 404) return 0;
  if (answer.status !== 200) throw new Error(`${ja4}: ${answer.status} ${answer.text}`);
  return answer.json<FullForm>().windows["1h"].reqs;
}

export async function summaryOf(client: Client, site: string): Promise<Summary> {
  const answer = await client.get(`/v1/sites/${site}/summary`);
  if (answer.status !== 200) throw new Error(`summary: ${answer.status} ${answer.text}`);
  return answer.json<Summary>();
}

/** Asks again until `probe` gives something other than `undefined`; fails at the deadline, naming what it waited for. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined>,
  intervalMs = 100,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() >= deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** RFC 3339 UTC with milliseconds, as all times in answers and events are. */
export const TIME_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Paths of all `null`s in a JSON value; contract: answers and events never contain any. */
export function nullsIn(value: unknown, at = "$"): string[] {
  if (value === null) return [at];
  if (Array.isArray(value)) return value.flatMap((item, index) => nullsIn(item, `${at}[${index}]`));
  if (typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => nullsIn(item, `${at}.${key}`));
}

/** What is wrong with an error answer, by RFC 9457 and the contract; empty when it is right. */
export function problemFaults(answer: Answer, status: number): string[] {
  const faults: string[] = [];
  if (answer.status !== status) faults.push(`status ${answer.status}, not ${status}`);
  const contentType = answer.headers.get("content-type") ?? "";
  if (!contentType.startsWith("application/problem+json")) {
    return [...faults, `content type ${contentType}`, answer.text.slice(0, 300)];
  }
  const problem = answer.json<Partial<Problem>>();
  for (const field of ["type", "title", "detail", "instance"] as const) {
    if (typeof problem[field] !== "string" || problem[field] === "") faults.push(`no ${field}`);
  }
  if (problem.status !== status) faults.push(`body status ${problem.status}`);
  if (/\bat \S+ \(|\.ts:\d+|\.js:\d+/.test(answer.text)) faults.push(`a stack trace: ${answer.text}`);
  faults.push(...nullsIn(problem).map((at) => `null at ${at}`));
  return faults;
}

/** JSON pointers of a 422, without the `#` that RFC 9457's example has before them. */
export function pointersOf(answer: Answer): string[] {
  return (answer.json<Problem>().errors ?? []).map((error) => error.pointer.replace(/^#/, ""));
}
