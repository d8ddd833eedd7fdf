/** Users of the API: an uploader of observations, a writer of thresholds, subscribers of the feed. All go through the real router. */
import type { Draw } from "../../src/simulate/random.ts";
import type { Faults } from "./faults.ts";
import { Context, type Kernel } from "./kernel.ts";
import type { Product } from "./product.ts";
import { GLOBALS, SimulatedRequest, type SimulatedResponse } from "./shims.ts";
import { Socket } from "./socket.ts";

export const TOKEN = "simulator";
const ORIGIN = "https://localhost";
/** A client that heard nothing for this long tries again. */
const PATIENCE_MS = 20_000;

interface Wish {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** The Worker's API, which any number of invocations serve. */
export class Api {
  readonly kernel: Kernel;
  readonly #faults: Faults;
  readonly #product: Product;
  readonly #services: object;
  /** Answers that no part of the API may give. */
  readonly faults: string[] = [];

  constructor(kernel: Kernel, faults: Faults, product: Product, env: object) {
    this.kernel = kernel;
    this.#faults = faults;
    this.#product = product;
    const options = product.parseOptions(env);
    this.#services = {
      options,
      objects: product.objectsOf(env, options, { maps: new Map(), hash: undefined }),
      agents: new product.UserAgentClassifier(),
      peers: new product.Peers(),
      channels: new product.Channels((bytes) =>
        (GLOBALS.crypto as typeof globalThis.crypto).getRandomValues(bytes),
      ),
      credentials: new product.Credentials(),
      access: undefined,
      limits: new product.RateLimits(0),
      random: (GLOBALS.Math as Math).random,
      wait: (GLOBALS.scheduler as { wait(ms: number): Promise<void> }).wait,
      log: () => undefined,
    };
  }

  latencyMs(): number {
    return this.#faults.latencyMs();
  }

  /** One request of a client; `undefined` when no answer came. */
  send(client: Client, { method, path, headers = {}, body }: Wish): Promise<SimulatedResponse | undefined> {
    const { kernel } = this;
    const fate = this.#faults.ofCall(false);
    const { promise, resolve } = Promise.withResolvers<SimulatedResponse | undefined>();
    const invocation = new Context("api");
    kernel.after(PATIENCE_MS, client, "no answer", () => resolve(undefined));
    const request = new SimulatedRequest(`${ORIGIN}${path}`, {
      method,
      headers: { ...headers, authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }),
    });
    const arrivesMs = fate.arrivesMs[0];
    if (arrivesMs === undefined) return promise;
    kernel.after(arrivesMs, invocation, `${method} ${path.split("?")[0]}`, () => {
      if (this.#faults.strikes("isolateDeath")) {
        // Somewhere on the way the isolate that serves it dies.
        kernel.after(this.#faults.draw.int(2_000), invocation, "invocation dies", () => invocation.die());
      }
      void this.#product.answer(request, this.#services).then((response) => {
        if (response.status === 500) this.faults.push(`${method} ${path} is 500`);
        if (fate.failsMs !== undefined) return;
        kernel.after(fate.answerMs, client, `${response.status}`, () => resolve(response));
      });
    });
    return promise;
  }
}

/** Somebody who uses the API. */
export class Client extends Context {
  readonly api: Api;
  readonly draw: Draw;
  readonly site: string;

  constructor(name: string, api: Api, draw: Draw, site: string) {
    super(name);
    this.api = api;
    this.draw = draw;
    this.site = site;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.api.kernel.after(ms, this, "wakes", resolve));
  }

  /** Again and again until the answer is one of `done`. */
  async insist(wish: Wish, done: readonly number[]): Promise<SimulatedResponse> {
    for (;;) {
      const response = await this.api.send(this, wish);
      if (response !== undefined && done.includes(response.status)) return response;
      if (response !== undefined && ![409, 500, 503].includes(response.status))
        this.api.faults.push(`${wish.method} ${wish.path} is ${response.status}: ${response.text}`);
      await this.sleep(500 + this.draw.int(4_000));
    }
  }
}

/** Sends bodies of observations, each until it is accepted. */
export class Uploader extends Client {
  /** Observations whose 202 has come. */
  accepted = 0;
  isIdle = true;
  #bodies = 0;

  /** `records` of any age; answers when they are accepted. */
  async upload(records: readonly object[]): Promise<void> {
    this.isIdle = false;
    const key = `${this.name}-${++this.#bodies}`;
    const response = await this.insist(
      {
        method: "POST",
        path: `/v1/sites/${this.site}/observations`,
        headers: { "content-type": "application/x-ndjson", "idempotency-key": key },
        body: records.map((record) => JSON.stringify(record)).join("\n"),
      },
      [202],
    );
    const { accepted } = JSON.parse(response.text ?? "{}") as { accepted: number };
    if (accepted !== records.length)
      this.api.faults.push(`${accepted} of ${records.length} observations were accepted`);
    this.accepted += accepted;
    this.isIdle = true;
  }
}

/** Writes and deletes thresholds. */
export class Writer extends Client {
  /** Revision → what was written under it, as told to the writer. */
  readonly written = new Map<number, string>();
  isIdle = true;

  async put(id: string, threshold: object): Promise<void> {
    this.isIdle = false;
    const body = JSON.stringify(threshold);
    const path = `/v1/sites/${this.site}/thresholds/${id}`;
    const headers = { "content-type": "application/json" };
    const response = await this.insist({ method: "PUT", path, headers, body }, [200, 201]);
    const revision = Number(/\d+/.exec(response.headers.get("etag") ?? "")?.[0]);
    const before = this.written.get(revision);
    if (before !== undefined && before !== `${id} ${body}`)
      this.api.faults.push(`revision ${revision} was given to two writes`);
    this.written.set(revision, `${id} ${body}`);
    this.isIdle = true;
  }

  async remove(id: string): Promise<void> {
    this.isIdle = false;
    await this.insist({ method: "DELETE", path: `/v1/sites/${this.site}/thresholds/${id}` }, [204, 404]);
    this.isIdle = true;
  }
}

interface FeedFrame {
  type: string;
  id: string;
  sequence?: string;
  data: { cursor?: string; threshold?: string; ja4?: string };
}

/** Reads the feed, and goes on where it was whenever the connection breaks. */
export class Subscriber extends Client {
  /** Ids of the events by sequence. */
  readonly seen = new Map<number, FeedFrame>();
  /** Last sequence seen, or from which on it listens; `undefined` = not told yet. */
  cursor: number | undefined;
  acks = true;
  connects = 0;
  #socket: Socket | undefined;

  /** Connects, for as long as the world lasts. */
  async listen(since: number | undefined): Promise<void> {
    this.cursor = since;
    for (;;) {
      await this.#connect();
      await this.sleep(this.draw.int(3_000));
    }
  }

  /** Breaks off, as clients do. */
  hangUp(): void {
    this.#socket?.cut();
  }

  async #connect(): Promise<void> {
    const query = this.cursor === undefined ? "" : `?since=${this.cursor}`;
    const response = await this.api.send(this, {
      method: "GET",
      path: `/v1/sites/${this.site}/feed${query}`,
      headers: { upgrade: "websocket" },
    });
    if (response === undefined || response.status === 503) return;
    if (response.status !== 101 || !(response.webSocket instanceof Socket)) {
      this.api.faults.push(`the feed answers ${response.status}: ${response.text}`);
      return;
    }
    const socket = response.webSocket;
    this.#socket = socket;
    this.connects++;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.take(this.api, this, {
      message: (data) => this.#heard(socket, data),
      close: () => resolve(),
    });
    await promise;
  }

  #heard(socket: Socket, data: string | Uint8Array): void {
    const frame = JSON.parse(String(data)) as FeedFrame;
    if (frame.type === "hellotide.feed.hello") {
      this.cursor ??= Number(frame.data.cursor);
      return;
    }
    const sequence = Number(frame.sequence);
    if (sequence !== (this.cursor ?? Number.NaN) + 1)
      this.api.faults.push(`${this.name} was at ${this.cursor} and got ${frame.type} ${frame.sequence}`);
    if (this.seen.has(sequence)) this.api.faults.push(`${this.name} saw ${sequence} twice`);
    this.seen.set(sequence, frame);
    this.cursor = sequence;
    if (this.acks && this.draw.chance(0.3))
      socket.send(JSON.stringify({ type: "ack", cursor: frame.sequence }));
  }
}
