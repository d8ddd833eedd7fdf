/**
 * The platform's globals as simulated code sees them: virtual time, seeded chance, and the few web classes that it uses,
 * without the event loop's streams. They ask the kernel that runs now, so one loaded bundle serves any number of worlds.
 */
import { createHash } from "node:crypto";
import type { Event, Kernel } from "./kernel.ts";
import { SocketPair } from "./socket.ts";

let kernel: Kernel | undefined;
let log: ((text: string) => void) | undefined;

/** Makes a world the one whose time and chance simulated code gets. `onLog`: told each line that it logs. */
export function install(running: Kernel, onLog: (text: string) => void): void {
  kernel = running;
  log = onLog;
}

function now(): Kernel {
  if (kernel === undefined) throw new Error("no world is running");
  return kernel;
}

function clockMs(): number {
  const { nowMs, current } = now();
  return nowMs + current.skewMs;
}

class SimulatedDate extends Date {
  constructor(...parameters: [] | [number | string | Date]) {
    super(parameters.length === 0 ? clockMs() : parameters[0]);
  }

  static override now(): number {
    return clockMs();
  }
}

/** A timer of the context whose turn it is. */
function setTimer(action: () => void, ms = 0): Event {
  const running = now();
  const context = running.current;
  context.waiting++;
  return running.after(Math.max(0, ms), context, "timer", () => {
    context.waiting--;
    action();
  });
}

function clearTimer(timer: Event | undefined): void {
  if (timer?.action === undefined) return;
  timer.action = undefined;
  timer.context.waiting--;
}

const scheduler = { wait: (ms: number) => new Promise<void>((resolve) => setTimer(resolve, ms)) };

const crypto = {
  getRandomValues<T extends ArrayBufferView>(into: T): T {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    const { draw } = now();
    for (let i = 0; i < bytes.length; i++) bytes[i] = draw.int(256);
    return into;
  },
  subtle: {
    // The real one answers from a thread of its own, at a time that no seed decides.
    async digest(name: string, data: Uint8Array): Promise<ArrayBuffer> {
      if (name !== "SHA-256") throw new Error(`no digest ${name}`);
      return new Uint8Array(createHash("sha256").update(data).digest()).buffer;
    },
  },
};

const math: Record<string, unknown> = {};
for (const name of Object.getOwnPropertyNames(Math)) math[name] = Math[name as keyof Math];
math.random = () => now().draw.uniform();

const write = (text: string) => log?.(text);
const console = { log: write, info: write, warn: write, error: write, debug: write };

interface RequestInput {
  readonly method?: string;
  readonly headers?: Headers | Record<string, string>;
  readonly body?: Uint8Array;
}

/** What the API reads of a request. */
export class SimulatedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }> } } | null;

  constructor(url: string, { method = "GET", headers = {}, body }: RequestInput = {}) {
    this.url = url;
    this.method = method;
    this.headers = new Headers(headers);
    let rest = body;
    const read = async () => {
      const value = rest;
      rest = undefined;
      return value === undefined ? { done: true } : { done: false, value };
    };
    this.body = body === undefined ? null : { getReader: () => ({ read }) };
  }
}

interface ResponseInput {
  readonly status?: number;
  readonly headers?: Headers | Record<string, string>;
  readonly webSocket?: unknown;
}

/** What the API makes of a response. */
export class SimulatedResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly webSocket: unknown;
  readonly text: string | undefined;

  constructor(body: string | null, { status = 200, headers = {}, webSocket }: ResponseInput = {}) {
    this.status = status;
    this.headers = new Headers(headers);
    this.webSocket = webSocket;
    this.text = body ?? undefined;
  }
}

class RequestResponsePair {
  readonly request: string;
  readonly response: string;

  constructor(request: string, response: string) {
    this.request = request;
    this.response = response;
  }
}

class DurableObject {
  readonly ctx: unknown;
  readonly env: unknown;

  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** `cloudflare:workers`. */
const workers = { DurableObject };

function requireModule(name: string): unknown {
  if (name === "cloudflare:workers") return workers;
  throw new Error(`the simulated platform has no module ${name}`);
}

/** Names that a bundle finds in place of the process's own. */
export const GLOBALS: Readonly<Record<string, unknown>> = {
  require: requireModule,
  Date: SimulatedDate,
  Math: math,
  setTimeout: setTimer,
  clearTimeout: clearTimer,
  scheduler,
  crypto,
  console,
  Request: SimulatedRequest,
  Response: SimulatedResponse,
  WebSocketPair: SocketPair,
  WebSocket: { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 },
  WebSocketRequestResponsePair: RequestResponsePair,
  // Whoever uses one of these would bring time or chance from outside into the world.
  setInterval: undefined,
  setImmediate: undefined,
  process: undefined,
  performance: undefined,
  fetch: undefined,
};
