/** One connection to the feed, from the handshake to its end: a thin adapter between a WebSocket and the session. */
import type { Clock } from "../time.ts";
import { ACK_CHARS, ACK_EVENTS, type Ended, isDead } from "./policy.ts";
import type { Received, Session } from "./session.ts";

/** What the feed needs of a WebSocket: the browser's, Node's, a Worker's and those of packages have it. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number): void;
  addEventListener(type: "open" | "message" | "error" | "close", listener: (event: never) => void): void;
}

export interface ConnectionDeps {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Something new came; `taken` is to be called when whoever reads the feed is done with the event. */
  take(received: Received, taken: () => void): void;
}

/** `opened` false = the server did not upgrade. */
export type Outcome = Ended & { readonly opened: boolean; readonly why: string };

export const SUBPROTOCOL = "cloudevents.json";
const OPEN_TIMEOUT_MS = 15_000;
/** How often acks, pings and silence are looked at. */
const TICK_MS = 5_000;
const CLOSE_NORMAL = 1000;
/** A server that is gone answers no close. */
const CLOSE_WAIT_MS = 500;
/** As the platform's sockets report an end without a close frame (RFC 6455 §7.4.1). */
const CODE_ABNORMAL = 1006;
/** `WebSocket.OPEN`; an injected class may not have the constant. */
const OPEN = 1;

/** Resolves when the connection is over; never rejects. */
export function runConnection(
  socket: WebSocketLike,
  session: Session,
  deps: ConnectionDeps,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const { clock, signal } = deps;
    const fromMs = clock.nowMs();
    const acks = new Acks(socket);
    let opened = false;
    let events = 0;
    let heardMs = fromMs;
    let pingedMs = fromMs;

    const tick = setInterval(() => {
      const now = clock.nowMs();
      acks.flush();
      // Behind with our own reader, we neither renew our credit nor judge a silence that is ours.
      if (acks.isBehind) return;
      if (isDead(now - heardMs, session.heartbeatMs)) end(CODE_ABNORMAL, "no answer to a ping");
      else if (socket.readyState === OPEN && now - pingedMs >= session.heartbeatMs / 2) {
        pingedMs = now;
        socket.send("ping");
      }
    }, TICK_MS);
    const tooSlow = setTimeout(() => end(CODE_ABNORMAL, "no answer to the handshake"), OPEN_TIMEOUT_MS);
    const stop = () => {
      acks.flush();
      socket.close(CLOSE_NORMAL);
      setTimeout(() => end(CLOSE_NORMAL, "stopped"), CLOSE_WAIT_MS);
    };
    signal.addEventListener("abort", stop, { once: true });

    let isOver = false;
    function end(code: number, why: string): void {
      if (isOver) return;
      isOver = true;
      clearInterval(tick);
      clearTimeout(tooSlow);
      signal.removeEventListener("abort", stop);
      socket.close();
      resolve({ opened, code, why, livedMs: opened ? clock.nowMs() - fromMs : 0, events });
    }

    socket.addEventListener("open", () => {
      opened = true;
      clearTimeout(tooSlow);
    });
    socket.addEventListener("message", ({ data }: { data: unknown }) => {
      // What comes after our own end belongs to the next connection, which asks for it again.
      if (isOver || typeof data !== "string") return;
      heardMs = clock.nowMs();
      const received = session.receive(data);
      const { event } = received;
      if (event !== undefined) {
        events++;
        acks.received(data.length);
      }
      deps.take(received, () => event !== undefined && acks.taken(event.sequence));
    });
    socket.addEventListener("error", () => {
      if (!opened) end(CODE_ABNORMAL, "no connection");
    });
    socket.addEventListener("close", ({ code, reason }: { code: number; reason: string }) => {
      end(code, reason === "" ? `code ${code}` : `${reason} (code ${code})`);
    });
    if (signal.aborted) stop();
  });
}

/** Acknowledges what has been taken, before the server's patience ends. */
class Acks {
  readonly #socket: WebSocketLike;
  #untaken = 0;
  #taken: string | undefined;
  #events = 0;
  #chars = 0;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
  }

  /** Events that nobody has read yet. */
  get isBehind(): boolean {
    return this.#untaken > 0;
  }

  received(chars: number): void {
    this.#untaken++;
    this.#chars += chars;
  }

  taken(sequence: string): void {
    this.#untaken--;
    this.#taken = sequence;
    if (++this.#events >= ACK_EVENTS || this.#chars >= ACK_CHARS) this.flush();
  }

  flush(): void {
    if (this.#taken === undefined || this.#socket.readyState !== OPEN) return;
    this.#socket.send(JSON.stringify({ type: "ack", cursor: this.#taken }));
    this.#taken = undefined;
    this.#events = 0;
    this.#chars = 0;
  }
}
