/**
 * The feed as server-sent events (HTML Living Standard §9.2, https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * the same CloudEvents, one message each.
 */

/** What a client waits before it reconnects, ms; more than nothing, so that a restart is not met by all at once. */
const RETRY_MS = 2_000;

/** Begins a stream. */
export const SSE_START = `retry: ${RETRY_MS}\n\n`;
/** A comment line: keeps the way open, and tells the client nothing. */
export const SSE_HEARTBEAT = ": heartbeat\n\n";

/** The part of a frame that a message needs; frames about the connection have no sequence. */
interface Framed {
  type: string;
  sequence?: string;
  data: { cursor?: string };
}

export interface SseMessage {
  text: string;
  /** The cursor to resume with after this message; absent = it moves nothing. */
  cursor?: string;
}

/**
 * A frame of `cloudevents.json` as one message. `id:` is where a client goes on that lost its connection here: an event's
 * sequence, and the cursor of hello and checkpoint, so that a live client misses nothing before its first event either.
 * `undefined` = no CloudEvent (a pong).
 */
export function sseMessage(frame: string): SseMessage | undefined {
  if (!frame.startsWith('{"specversion"')) return undefined;
  const { type, sequence, data } = JSON.parse(frame) as Framed;
  const cursor = sequence ?? data.cursor;
  const id = cursor === undefined ? "" : `id: ${cursor}\n`;
  // JSON.stringify writes no line break, so one `data:` line holds it.
  const text = `${id}event: ${type}\ndata: ${frame}\n\n`;
  return { text, ...(cursor === undefined ? {} : { cursor }) };
}

/** Whether an `Accept` header names server-sent events. */
export function acceptsSse(accept: string | null): boolean {
  return (accept ?? "")
    .split(",")
    .some((range) => range.split(";")[0]!.trim().toLowerCase() === "text/event-stream");
}
