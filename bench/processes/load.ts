/**
 * Visitors: a fixed number of requests over kept-alive connections, either as fast as answers come (closed loop) or at a
 * steady rate. Every answer is compared with what the origin sends. Prints a LoadResult.
 *
 * On plain sockets, because an HTTP client in Node costs more CPU than the engine that it would measure.
 */
import { connect, type Socket } from "node:net";
import { HOST, visits } from "../lib/traffic.ts";
import { ORIGIN_BODY } from "./origin.ts";

export interface LoadInput {
  readonly port: number;
  readonly connections: number;
  readonly requests: number;
  /** Requests a second; absent = as fast as answers come. */
  readonly rate?: number;
  /** Questions to the API instead of visitors: JSON must come back. */
  readonly api?: { readonly token: string; readonly paths: readonly string[] };
}

export interface LoadResult {
  readonly failed: number;
  /** First few of what went wrong. */
  readonly reasons: readonly string[];
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

const ANSWER_TIMEOUT_MS = 15_000;
const REASONS_SHOWN = 3;
const POOL = 2_000;
const TICK_MS = 1;
const END = Buffer.from("\r\n\r\n");

const input = JSON.parse(process.argv[2] ?? "") as LoadInput;
const { api } = input;
const pool = api === undefined ? visitors() : api.paths.map((path) => question(path, api.token));
const latenciesMs = new Float64Array(input.requests);
const reasons: string[] = [];
let answered = 0;
let failed = 0;
let started = 0;
/** Steady rate only: when each waiting request was due. */
const due: number[] = [];
const idle: Connection[] = [];
const from = performance.now();

function visitors(): Buffer[] {
  return visits(Math.min(POOL, input.requests)).map(({ url, headers, cf }) => {
    const target = url.slice(url.indexOf("/", "https://".length));
    const lines = Object.entries({ ...headers, "x-test-cf": JSON.stringify(cf) }).map((pair) =>
      pair.join(": "),
    );
    return Buffer.from(`GET ${target} HTTP/1.1\r\nhost: ${HOST}\r\n${lines.join("\r\n")}\r\n\r\n`);
  });
}

function question(path: string, token: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n\r\n`);
}

/** One kept-alive connection with at most one request on its way; a broken one is replaced. */
class Connection {
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #sinceMs = 0;
  #busy = false;

  send(dueMs: number, request: Buffer): void {
    this.#busy = true;
    this.#sinceMs = dueMs;
    this.#socket ??= this.#open();
    this.#socket.write(request);
  }

  #open(): Socket {
    const socket = connect({ host: "127.0.0.1", port: input.port, noDelay: true });
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", (bytes) => this.#receive(bytes));
    let why = "the connection was closed";
    socket.on("error", (error) => {
      why = error.message;
    });
    socket.on("close", () => {
      this.#socket = undefined;
      if (this.#busy) this.#done(why);
    });
    return socket;
  }

  #receive(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const end = this.#received.indexOf(END);
    if (end < 0) return;
    const head = this.#received.toString("latin1", 0, end).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
    const body = this.#received.subarray(end + END.length);
    if (body.length < length) return;
    this.#received = Buffer.alloc(0);
    if (!head.startsWith("http/1.1 200 ")) this.#done(head.slice(0, head.indexOf("\r\n")));
    else if (api !== undefined) this.#done(isWhole(body) ? undefined : "not a whole JSON object");
    else this.#done(body.equals(ORIGIN_BODY) ? undefined : "another body than the origin's");
  }

  #done(fault: string | undefined): void {
    this.#busy = false;
    latenciesMs[answered++] = performance.now() - this.#sinceMs;
    if (fault !== undefined) {
      failed++;
      if (reasons.length < REASONS_SHOWN) reasons.push(fault);
    }
    if (answered === input.requests) finish();
    else next(this);
  }
}

/** Parsing every answer would cost the client more than it costs the engine to make it. */
function isWhole(body: Buffer): boolean {
  return body.length > 2 && body[0] === 0x7b && body[body.length - 1] === 0x7d;
}

function next(connection: Connection): void {
  if (input.rate !== undefined) {
    const dueMs = due.shift();
    if (dueMs === undefined) idle.push(connection);
    else connection.send(dueMs, pool[started++ % pool.length]!);
  } else if (started < input.requests) {
    connection.send(performance.now(), pool[started++ % pool.length]!);
  }
}

/** Puts what has become due since the last tick on free connections; what finds none waits, and its clock runs. */
function pace(rate: number): void {
  let made = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const wanted = Math.min(input.requests, Math.floor(((nowMs - from) / 1_000) * rate));
    for (; made < wanted; made++) due.push(nowMs);
    while (due.length > 0 && idle.length > 0) next(idle.pop()!);
    if (made === input.requests) clearInterval(timer);
  }, TICK_MS);
}

function finish(): void {
  const seconds = (performance.now() - from) / 1_000;
  const sorted = latenciesMs.toSorted();
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  const result: LoadResult = {
    failed,
    reasons,
    rps: input.requests / seconds,
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
  };
  // The idle connections would keep the process.
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}

for (let i = 0; i < input.connections; i++) next(new Connection());
if (input.rate !== undefined) pace(input.rate);
