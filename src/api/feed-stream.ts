/**
 * Server-sent events: the Worker holds a WebSocket to the feed object and re-encodes it. The object's side hibernates; an
 * event stream held by the object itself would keep it awake for as long as anyone listens.
 *
 * The stream is pulled. Acks go upstream as the client takes what there is, so one that does not read runs out of credit at
 * the feed object like any other, with at most that credit held here.
 */
import {
  FEED_HEARTBEAT_S,
  FEED_UNACKED_MAX_BYTES,
  FEED_UNACKED_MAX_EVENTS,
  SSE_DRAIN_MS,
} from "../base/feed-limits.ts";
import { SECOND_MS } from "../config.ts";
import { SSE_HEARTBEAT, SSE_START, type SseMessage, sseMessage } from "../feed/sse.ts";

/** Characters of one chunk at most, but for a message that is longer. */
const CHUNK_LENGTH = 65_536;
/** An ack is due when this part of the credit was used. */
const ACK_PART = 8;

/** What the stream needs of a WebSocket. */
export interface Upstream {
  accept(): void;
  send(text: string): void;
  close(code: number): void;
  addEventListener(type: "message" | "close" | "error", listener: (event: object) => void): void;
}

/** Sleeps so many ms; rejects when `signal` aborts. */
type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** A body that passes on what `upstream` says, until `left` aborts: the client has gone away. */
export function eventStream(upstream: Upstream, wait: Wait, left: AbortSignal): ReadableStream<Uint8Array> {
  const source = new Pulled(upstream, wait);

  return new ReadableStream(
    {
      start: (controller) => source.start(controller, left),
      pull: (controller) => source.pull(controller),
      cancel: () => source.cancel(),
    },
    // Nothing is asked for before the client takes it.
    { highWaterMark: 0 },
  );
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

class Pulled {
  readonly #upstream: Upstream;
  readonly #wait: Wait;
  /** Ends what still sleeps. */
  readonly #over = new AbortController();
  readonly #encoder = new TextEncoder();
  #waiting: SseMessage[] = [];
  #prelude = SSE_START;
  /** Passed on since the last ack. */
  #events = 0;
  #length = 0;
  #ended = false;
  #beatDue = false;
  #isBeating = false;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(upstream: Upstream, wait: Wait) {
    this.#upstream = upstream;
    this.#wait = wait;
  }

  start(controller: Controller, left: AbortSignal): void {
    this.#upstream.addEventListener("message", (event) => {
      const { data } = event as { data?: unknown };
      const message = typeof data === "string" ? sseMessage(data) : undefined;
      if (message === undefined) return;
      this.#waiting.push(message);
      this.#wake?.();
    });
    const end = () => {
      if (this.#ended) return;
      this.#ended = true;
      this.#wake?.();
      void this.#cut(controller);
    };
    this.#upstream.addEventListener("close", end);
    this.#upstream.addEventListener("error", end);
    // The platform drops the body of a client that has left without cancelling it (cloudflare/workerd#6832): without this,
    // socket, timer and all they hold would stay until the next heartbeat.
    left.addEventListener("abort", () => {
      if (this.#isOver) return;
      this.cancel();
      controller.error(left.reason);
    });
    this.#upstream.accept();
  }

  async pull(controller: Controller): Promise<void> {
    while (!this.#isOver && this.#isIdle) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#beat();
      await woken;
    }
    if (this.#isOver) return;
    const text = this.#prelude + this.#heartbeat() + this.#messages();
    this.#prelude = "";
    if (text !== "") controller.enqueue(this.#encoder.encode(text));
    if (this.#ended && this.#waiting.length === 0) {
      this.#finish();
      controller.close();
    }
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#finish();
    if (!this.#ended) this.#upstream.close(1000);
  }

  /** Nothing follows: what waits is let go. */
  #finish(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#over.abort();
    this.#wake?.();
  }

  /** Whether the time has passed; `false` when the stream is over before. */
  #slept(ms: number): Promise<boolean> {
    return this.#wait(ms, this.#over.signal).then(
      () => !this.#isOver,
      () => false,
    );
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#prelude === "" && !this.#ended && !this.#beatDue;
  }

  /** One wait at a time, however many events pass. */
  #beat(): void {
    if (this.#isBeating) return;
    this.#isBeating = true;
    void this.#slept(FEED_HEARTBEAT_S * SECOND_MS).then((isDue) => {
      if (!isDue) return;
      this.#isBeating = false;
      this.#beatDue = true;
      this.#wake?.();
    });
  }

  /** A comment when one is due. The object's auto-response answers the ping without waking up, and renews the credit. */
  #heartbeat(): string {
    if (!this.#beatDue) return "";
    this.#beatDue = false;
    if (!this.#ended) this.#upstream.send("ping");
    return SSE_HEARTBEAT;
  }

  #messages(): string {
    let text = "";
    let taken = 0;
    let cursor: string | undefined;
    for (const message of this.#waiting) {
      if (taken > 0 && text.length + message.text.length > CHUNK_LENGTH) break;
      text += message.text;
      cursor = message.cursor ?? cursor;
      taken++;
    }
    this.#waiting = this.#waiting.slice(taken);
    this.#events += taken;
    this.#length += text.length;
    const isDue =
      this.#events >= FEED_UNACKED_MAX_EVENTS / ACK_PART || this.#length >= FEED_UNACKED_MAX_BYTES / ACK_PART;
    if (isDue && cursor !== undefined && !this.#ended) {
      this.#upstream.send(JSON.stringify({ type: "ack", cursor }));
      this.#events = 0;
      this.#length = 0;
    }
    return text;
  }

  /** The feed has ended: a client that reads gets the rest, one that does not is cut and the rest forgotten. */
  async #cut(controller: Controller): Promise<void> {
    if (!(await this.#slept(SSE_DRAIN_MS))) return;
    this.#finish();
    controller.error(new Error("too far behind: resume with the last id"));
  }
}
