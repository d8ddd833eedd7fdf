/** Server-sent events: the stream between a socket and a client, with made time. */
import { describe, expect, it } from "vitest";
import { eventStream } from "../../src/api/feed-stream.ts";
import { FEED_HEARTBEAT_S, FEED_UNACKED_MAX_EVENTS, SSE_DRAIN_MS } from "../../src/base/feed-limits.ts";
import { cursorText } from "../../src/feed/cursor.ts";
import { acceptsSse, sseMessage } from "../../src/feed/sse.ts";

const frame = (sequence: number) =>
  JSON.stringify({
    specversion: "1.0",
    type: "hellotide.anomaly.raised",
    sequence: cursorText(sequence),
    data: {},
  });

/** A feed object that is told what to say, and a clock that stands still until it is moved. */
function bench() {
  const listeners = new Map<string, (event: object) => void>();
  const sent: string[] = [];
  const closed: number[] = [];
  const waits: { ms: number; resolve: () => void }[] = [];
  const upstream = {
    accept: () => undefined,
    send: (text: string) => void sent.push(text),
    close: (code: number) => void closed.push(code),
    addEventListener: (type: string, listener: (event: object) => void) => void listeners.set(type, listener),
  };
  const wait = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      waits.push({ ms, resolve });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const leaving = new AbortController();
  const reader = eventStream(upstream, wait, leaving.signal).getReader();
  return {
    sent,
    closed,
    reader,
    leave: () => leaving.abort(),
    say: (data: string) => listeners.get("message")?.({ data }),
    end: () => listeners.get("close")?.({}),
    pass: (ms: number) => {
      for (const one of waits.splice(0)) one.ms <= ms ? one.resolve() : waits.push(one);
    },
    read: async () => {
      const { value, done } = await reader.read();
      return done ? undefined : new TextDecoder().decode(value);
    },
  };
}

describe("messages", () => {
  it("SSE-1: an event has id, event and data; a frame about the connection has its cursor for id, or none", () => {
    expect(sseMessage(frame(7))).toEqual({
      text: `id: 0000000000000007\nevent: hellotide.anomaly.raised\ndata: ${frame(7)}\n\n`,
      cursor: "0000000000000007",
    });
    const control = (type: string, data: object) => JSON.stringify({ specversion: "1.0", type, data });
    expect(sseMessage(control("hellotide.feed.hello", { cursor: "5" }))?.text).toMatch(
      /^id: 5\nevent: hello/,
    );
    expect(sseMessage(control("hellotide.feed.gap", { from: "1", to: "2" }))?.text).toMatch(/^event: hello/);
    expect(sseMessage("pong")).toBeUndefined();
  });

  it.each([
    ["text/event-stream", true],
    ["application/json, Text/Event-Stream;q=0.5", true],
    ["*/*", false],
    [null, false],
  ])("SSE-3: Accept %j is a wish for a stream: %s", (accept, expected) => {
    expect(acceptsSse(accept)).toBe(expected);
  });
});

describe("the stream", () => {
  it("SSE-4: what is taken is acknowledged, what is not is not", async () => {
    const { say, read, sent } = bench();
    const count = FEED_UNACKED_MAX_EVENTS;
    for (let n = 1; n <= count; n++) say(frame(n));
    expect(sent).toEqual([]);
    let text = "";
    while (!text.includes(`id: ${cursorText(count)}\n`)) text += await read();
    expect(text.startsWith("retry: ")).toBe(true);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    const acks = sent.map((ack) => Number((JSON.parse(ack) as { cursor: string }).cursor));
    expect(acks.length).toBeGreaterThan(1);
    expect(acks).toEqual(acks.toSorted((a, b) => a - b));
    expect(acks.at(-1)).toBeGreaterThan(count * 0.8);
  });

  it("SSE-4: a heartbeat is a comment and a ping upstream, and only for a client that reads", async () => {
    const { read, pass, sent } = bench();
    await read();
    const quiet = read();
    await Promise.resolve();
    expect(sent).toEqual([]);
    pass(FEED_HEARTBEAT_S * 1_000);
    expect(await quiet).toBe(": heartbeat\n\n");
    expect(sent).toEqual(["ping"]);
  });

  it("SSE-5: when the feed ends, a client that reads gets the rest and the end", async () => {
    const { say, end, read } = bench();
    say(frame(1));
    end();
    expect(await read()).toContain(frame(1));
    expect(await read()).toBeUndefined();
  });

  it("SSE-5: one that does not read is cut after a while", async () => {
    const { say, end, pass, reader } = bench();
    say(frame(1));
    end();
    pass(SSE_DRAIN_MS);
    await expect(reader.closed).rejects.toThrow("too far behind");
  });

  it("SSE-5: a client that goes away closes the socket", async () => {
    const { reader, closed } = bench();
    await reader.cancel();
    expect(closed).toEqual([1000]);
  });

  it("SSE-6: one that leaves while the stream waits closes the socket at once, and the waiting ends", async () => {
    const { read, leave, pass, closed, sent } = bench();
    await read();
    const waiting = read();
    expect(closed).toEqual([]);
    leave();
    await expect(waiting).rejects.toThrow("aborted");
    expect(closed).toEqual([1000]);
    pass(FEED_HEARTBEAT_S * 1_000);
    await Promise.resolve();
    expect(sent).toEqual([]);
  });
});
