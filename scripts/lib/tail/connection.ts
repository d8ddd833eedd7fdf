/** One connection to the feed, from the handshake to its end: a thin adapter between a WebSocket and the session. */
import { ACK_CHARS, ACK_EVENTS, type Ended, isDead } from "./policy.ts";
import type { FeedEvent, Session } from "./session.ts";

export interface ConnectionDeps {
  readonly signal: AbortSignal;
  /** Prints an event; `written` is called when whoever reads our output has it. */
  show(event: FeedEvent, whole: unknown, written: () => void): void;
  say(notice: string): void;
  nowMs(): number;
}

/** `opened` false = the server did not upgrade. */
export type Outcome = Ended & { readonly opened: boolean; readonly why: string };

const SUBPROTOCOL = "cloudevents.json";
const OPEN_TIMEOUT_MS = 15_000;
/** How often acks, pings and silence are looked at. */
const TICK_MS = 5_000;
const CLOSE_NORMAL = 1000;
/** A server that is gone answers no close. */
const CLOSE_WAIT_MS = 500;
/** As the platform's sockets report an end without a close frame (RFC 6455 §7.4.1). */
const CODE_ABNORMAL = 1006;

/** Resolves when the connection is over; never rejects. */
export function connect(url: URL, token: string, session: Session, deps: ConnectionDeps): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${token}` },
      protocols: [SUBPROTOCOL],
    });
    const fromMs = deps.nowMs();
    const acks = new Acks(socket);
    let opened = false;
    let events = 0;
    let heardMs = fromMs;
    let pingedMs = fromMs;

    const tick = setInterval(() => {
      const now = deps.nowMs();
      acks.flush();
      // Behind with our own output, we neither renew our credit nor judge a silence that is ours.
      if (acks.isBehind) return;
      if (isDead(now - heardMs, session.heartbeatMs)) end(CODE_ABNORMAL, "no answer to a ping");
      else if (opened && now - pingedMs >= session.heartbeatMs / 2) {
        pingedMs = now;
        socket.send("ping");
      }
    }, TICK_MS);
    const tooSlow = setTimeout(() => end(CODE_ABNORMAL, "no answer to the handshake"), OPEN_TIMEOUT_MS);
    const stop = () => {
      if (socket.readyState === WebSocket.OPEN) acks.flush();
      socket.close(CLOSE_NORMAL);
      setTimeout(() => end(CLOSE_NORMAL, "stopped"), CLOSE_WAIT_MS);
    };
    deps.signal.addEventListener("abort", stop, { once: true });

    let isOver = false;
    function end(code: number, why: string): void {
      if (isOver) return;
      isOver = true;
      clearInterval(tick);
      clearTimeout(tooSlow);
      deps.signal.removeEventListener("abort", stop);
      socket.close();
      resolve({ opened, code, why, livedMs: opened ? deps.nowMs() - fromMs : 0, events });
    }

    socket.addEventListener("open", () => {
      opened = true;
      clearTimeout(tooSlow);
    });
    socket.addEventListener("message", ({ data }: { data: unknown }) => {
      // What comes after our own end belongs to the next connection, which asks for it again.
      if (isOver || typeof data !== "string") return;
      heardMs = deps.nowMs();
      const { event, notice } = session.receive(data);
      if (notice !== undefined) deps.say(notice);
      if (event === undefined) return;
      events++;
      const { sequence } = event.event;
      acks.received(data.length);
      deps.show(event.event, event.whole, () => acks.written(sequence));
    });
    socket.addEventListener("error", () => {
      if (!opened) end(CODE_ABNORMAL, "no connection");
    });
    socket.addEventListener("close", ({ code, reason }: { code: number; reason: string }) => {
      end(code, reason === "" ? `code ${code}` : `${reason} (code ${code})`);
    });
  });
}

/** Acknowledges what has been written, before the server's patience ends. */
class Acks {
  readonly #socket: WebSocket;
  #unwritten = 0;
  #written: string | undefined;
  #events = 0;
  #chars = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Events that nobody has read yet. */
  get isBehind(): boolean {
    return this.#unwritten > 0;
  }

  received(chars: number): void {
    this.#unwritten++;
    this.#chars += chars;
  }

  written(sequence: string): void {
    this.#unwritten--;
    this.#written = sequence;
    if (++this.#events >= ACK_EVENTS || this.#chars >= ACK_CHARS) this.flush();
  }

  flush(): void {
    if (this.#written === undefined || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type: "ack", cursor: this.#written }));
    this.#written = undefined;
    this.#events = 0;
    this.#chars = 0;
  }
}
