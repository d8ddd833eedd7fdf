/** Where we are in the feed: frames in, events and notices out. It outlives connections, and knows none. */

export interface FeedEvent {
  readonly type: string;
  readonly time: string;
  readonly subject: string;
  readonly sequence: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Received {
  /** A new event, with the whole of what came. */
  readonly event?: { readonly event: FeedEvent; readonly whole: unknown };
  /** Something to tell the user. */
  readonly notice?: string;
}

const HEARTBEAT_DEFAULT_S = 30;
const CURSOR_FORM = /^\d{1,16}$/;

export class Session {
  /** The last event that was received, or the place that the server named; absent = live from the next connection on. */
  #cursor: string | undefined;
  heartbeatMs = HEARTBEAT_DEFAULT_S * 1_000;
  /** Whether a server of this feed has ever greeted us. */
  hasConnected = false;

  constructor(since: string | undefined) {
    this.#cursor = since;
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** The feed begins anew: the server no longer knows our cursor. */
  reset(): void {
    this.#cursor = "0";
  }

  receive(text: string): Received {
    const frame = parse(text);
    // `pong`, as text or as a frame, is only a sign of life.
    if (frame === undefined || frame.type === "pong") return {};
    const data = objectOf(frame.data) ?? {};
    switch (frame.type) {
      case "hellotide.feed.hello":
        return this.#hello(data);
      case "hellotide.feed.checkpoint":
        this.#advance(data.cursor);
        return {};
      case "hellotide.feed.gap":
        this.#advance(data.to);
        return {
          notice: `gap: events after ${textOf(data.from)} up to ${textOf(data.to)} are no longer kept`,
        };
      case "hellotide.feed.error":
        return { notice: `the server did not understand us: ${textOf(data.detail)}` };
      default:
        return this.#event(frame, data);
    }
  }

  #hello(data: Readonly<Record<string, unknown>>): Received {
    const again = this.hasConnected;
    this.hasConnected = true;
    const { heartbeat_s: heartbeat } = data;
    if (typeof heartbeat === "number" && heartbeat > 0) this.heartbeatMs = heartbeat * 1_000;
    // Live means from here on: what happens while a connection is lost must not be missed.
    this.#cursor ??= cursorOf(data.cursor);
    return { notice: `${again ? "resumed" : "connected"} at cursor ${this.#cursor ?? "unknown"}` };
  }

  #event(frame: Readonly<Record<string, unknown>>, data: Readonly<Record<string, unknown>>): Received {
    const sequence = cursorOf(frame.sequence);
    if (sequence === undefined || !this.#advance(sequence)) return {};
    const { type, time, subject } = frame;
    const event = { type: textOf(type), time: textOf(time), subject: textOf(subject), sequence, data };
    return { event: { event, whole: frame } };
  }

  /** False for what we had already: sequences only grow. */
  #advance(to: unknown): boolean {
    const cursor = cursorOf(to);
    if (cursor === undefined) return false;
    if (this.#cursor !== undefined && Number(cursor) <= Number(this.#cursor)) return false;
    this.#cursor = cursor;
    return true;
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function cursorOf(value: unknown): string | undefined {
  return typeof value === "string" && CURSOR_FORM.test(value) ? value : undefined;
}
