/** WebSockets between a client and an object: frames in order, each later than the one before, until the connection is gone. */
import type { Context, Kernel } from "./kernel.ts";

const OPEN = 1;
const CLOSED = 3;

/** What the other side of a connection does with what arrives. */
export interface SocketEvents {
  message(data: string | Uint8Array): void;
  close(code: number): void;
}

/** The way between the two ends, once both are taken. */
interface Line {
  readonly kernel: Kernel;
  latencyMs(): number;
}

/** One end. */
export class Socket {
  #other: Socket | undefined;
  #line: Line | undefined;
  #context: Context | undefined;
  #events: SocketEvents | undefined;
  #attachment: unknown;
  #lastMs = 0;
  /** What was sent before the other end was taken. */
  readonly #waiting: (() => void)[] = [];
  readyState = OPEN;
  /** Last automatic answer, ms. */
  pongMs: number | undefined;

  join(other: Socket): void {
    this.#other = other;
  }

  /** Takes the end over: from now on `context` hears what arrives. */
  take(line: Line, context: Context, events: SocketEvents): void {
    this.#line = line;
    this.#context = context;
    this.#events = events;
    // It was cut before anybody had it.
    if (this.readyState !== OPEN) line.kernel.after(0, context, "socket lost", () => events.close(1006));
    // What the other side sent meanwhile.
    for (const go of this.#other!.#waiting.splice(0)) go();
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = structuredClone(value);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.#attachment);
  }

  /** Never throws, whoever listens; what was sent is a copy. */
  send(data: string | Uint8Array): void {
    if (this.readyState !== OPEN) return;
    const copy = typeof data === "string" ? data : data.slice();
    this.#leave("frame", (other) => other.#events?.message(copy));
  }

  close(code = 1005): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSED;
    this.#leave("close", (other) => other.#closed(code));
  }

  /** The connection is gone: what is on its way never arrives, and both sides find out some time. */
  cut(): void {
    for (const end of [this, this.#other!]) {
      const wasOpen = end.readyState === OPEN;
      end.readyState = CLOSED;
      const [line, context] = [end.#line, end.#context];
      if (!wasOpen || line === undefined || context === undefined) continue;
      line.kernel.after(line.latencyMs(), context, "socket lost", () => end.#events?.close(1006));
    }
  }

  #closed(code: number): void {
    this.readyState = CLOSED;
    this.#events?.close(code);
  }

  /** Through the gate of whoever sends, then after what was sent before. */
  #leave(label: string, arrive: (other: Socket) => void): void {
    const line = this.#line!;
    line.kernel.current.output(() => {
      const other = this.#other!;
      const go = () => {
        this.#lastMs = Math.max(this.#lastMs, line.kernel.nowMs + line.latencyMs());
        line.kernel.at(this.#lastMs, other.#context!, label, () => {
          if (other.readyState === OPEN) arrive(other);
        });
      };
      if (other.#context === undefined) this.#waiting.push(go);
      else go();
    });
  }
}

/** `new WebSocketPair()`: the ends by number. */
export class SocketPair {
  readonly 0 = new Socket();
  readonly 1 = new Socket();

  constructor() {
    this[0].join(this[1]);
    this[1].join(this[0]);
  }
}
