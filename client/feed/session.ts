/** Where we are in the feed: frames in, events and news out. It outlives connections, and knows none. */
import type { Schemas } from "../generated.ts";

/** An event of the feed: switch on `type`, then on `data.kind`. */
export type FeedEvent = Schemas["AnomalyEvent"] | Schemas["ThresholdEvent"] | Schemas["SiteEvent"];

/** Events that are missing: those after `from` up to `to`; without `to` the server's data were replaced. */
export interface FeedGap {
  readonly from: string;
  readonly to?: string;
}

/** What one frame brought: at most one of these. */
export interface Received {
  readonly event?: FeedEvent;
  readonly gap?: FeedGap;
  /** The server did not understand us. */
  readonly error?: string;
  /** Hello: where this connection begins. */
  readonly opened?: { readonly resumed: boolean; readonly cursor: string | undefined };
}

const HEARTBEAT_DEFAULT_S = 30;
const CURSOR_FORM = /^\d{1,16}$/;
const NOTHING: Received = {};

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
  reset(): FeedGap {
    const from = this.#cursor ?? "0";
    this.#cursor = "0";
    return { from };
  }

  receive(text: string): Received {
    const frame = parse(text);
    // `pong`, as text or as a frame, is only a sign of life.
    if (frame === undefined || frame.type === "pong") return NOTHING;
    const data = objectOf(frame.data) ?? {};
    switch (frame.type) {
      case "hellotide.feed.hello":
        return this.#hello(data);
      case "hellotide.feed.checkpoint":
        this.#advance(data.cursor);
        return NOTHING;
      case "hellotide.feed.gap":
        this.#advance(data.to);
        return { gap: { from: textOf(data.from), to: textOf(data.to) } };
      case "hellotide.feed.error":
        return { error: textOf(data.detail) };
      default:
        // The server's own document says what an event with a sequence holds; only what we count with is looked at.
        return this.#advance(frame.sequence) ? { event: frame as unknown as FeedEvent } : NOTHING;
    }
  }

  #hello(data: Readonly<Record<string, unknown>>): Received {
    const resumed = this.hasConnected;
    this.hasConnected = true;
    const { heartbeat_s: heartbeat } = data;
    if (typeof heartbeat === "number" && heartbeat > 0) this.heartbeatMs = heartbeat * 1_000;
    // Live means from here on: what happens while a connection is lost must not be missed.
    this.#cursor ??= cursorOf(data.cursor);
    return { opened: { resumed, cursor: this.#cursor } };
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
