/** The parts of the client's feed that know no socket, and what it sends: policy, session, repeats, addresses, types. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { errorOf, HelloTideError, parseRetryAfter } from "../../client/error.ts";
import { afterEnd, isDead, judgeStatus, pauseMs } from "../../client/feed/policy.ts";
import { Session } from "../../client/feed/session.ts";
import { repeatAfterMs } from "../../client/http.ts";
import { HelloTide } from "../../client/index.ts";
import { jsonLines } from "../../client/lines.ts";
import { fillIn } from "../../client/request.ts";
import { clientTypes } from "../../scripts/lib/client-types.ts";
import { openapiDocument } from "../../src/api/openapi.ts";

const CURSOR = (n: number) => String(n).padStart(16, "0");

describe("connecting again", () => {
  it("TAIL-1: the pause doubles up to 30 s, and half of it is chance", () => {
    expect([1, 2, 3, 7, 50].map((attempt) => pauseMs(attempt, 0))).toEqual([250, 500, 1_000, 15_000, 15_000]);
    expect([1, 2, 3, 7, 50].map((attempt) => pauseMs(attempt, 0.999_999))).toEqual([
      500, 1_000, 2_000, 30_000, 30_000,
    ]);
  });

  it("TAIL-1: a good connection begins the count anew, a server that takes and drops it does not", () => {
    expect(afterEnd({ code: 1006, livedMs: 60_000, events: 0 }, 6, 0).attempt).toBe(1);
    expect(afterEnd({ code: 1006, livedMs: 100, events: 9 }, 6, 0).attempt).toBe(7);
    expect(afterEnd({ code: 1006, livedMs: 0, events: 0 }, 0, 0)).toEqual({ attempt: 1, ms: 250 });
  });

  it("TAIL-1: 1013 is followed at once where it brought something, and not in a circle where it did not", () => {
    expect(afterEnd({ code: 1013, livedMs: 50, events: 700 }, 3, 0)).toEqual({ attempt: 0, ms: 50 });
    expect(afterEnd({ code: 1013, livedMs: 50, events: 0 }, 3, 0).attempt).toBe(4);
  });

  it("TAIL-2: what an HTTP status instead of the feed means", () => {
    for (const status of [401, 403, 404, 302, 426])
      expect(judgeStatus(status, true), `${status}`).toBe("final");
    for (const status of [429, 500, 503, 101])
      expect(judgeStatus(status, false), `${status}`).toBe("try again");
    expect(judgeStatus(400, false)).toBe("wrong use");
    expect(judgeStatus(400, true)).toBe("reset");
  });

  it("TAIL-2: silence for longer than one and a half heartbeats is death", () => {
    expect(isDead(45_000, 30_000)).toBe(false);
    expect(isDead(45_001, 30_000)).toBe(true);
  });
});

const control = (name: string, data: object) => JSON.stringify({ type: `hellotide.feed.${name}`, data });
const stored = (n: number, data: object = {}) =>
  JSON.stringify({ type: "hellotide.anomaly.raised", sequence: CURSOR(n), time: "t", subject: "s", data });

describe("where it is", () => {
  it("TAIL-3: an event comes once, whatever is sent again, and the cursor follows", () => {
    const session = new Session("0");
    const seen = [1, 2, 2, 1, 3].map((n) => session.receive(stored(n)).event?.sequence);
    expect(seen).toEqual([CURSOR(1), CURSOR(2), undefined, undefined, CURSOR(3)]);
    expect(session.cursor).toBe(CURSOR(3));
    session.reset();
    expect(session.receive(stored(1)).event).toBeDefined();
  });

  it("TAIL-4: live begins where the first hello says, and goes on from there after a loss", () => {
    const session = new Session(undefined);
    const hello = control("hello", { cursor: CURSOR(7), oldest: CURSOR(1), heartbeat_s: 20 });
    expect(session.receive(hello).opened).toEqual({ resumed: false, cursor: CURSOR(7) });
    expect([session.cursor, session.heartbeatMs]).toEqual([CURSOR(7), 20_000]);
    session.receive(stored(9));
    expect(session.receive(hello).opened).toEqual({ resumed: true, cursor: CURSOR(9) });
    expect(session.receive(stored(8)).event).toBeUndefined();
  });

  it("TAIL-5: checkpoints move the cursor, gaps as well and are told, pongs and noise do nothing", () => {
    const session = new Session(CURSOR(1));
    expect(session.receive(control("checkpoint", { cursor: CURSOR(5) }))).toEqual({});
    expect(session.cursor).toBe(CURSOR(5));
    const gap = { from: CURSOR(5), to: CURSOR(90) };
    expect(session.receive(control("gap", gap))).toEqual({ gap });
    expect(session.cursor).toBe(CURSOR(90));
    expect(session.receive(control("error", { detail: "what?" }))).toEqual({ error: "what?" });
    for (const noise of [
      "pong",
      '{"type":"pong"}',
      "{",
      "null",
      "[1]",
      '{"type":"x","sequence":7}',
      '{"sequence":"-1"}',
    ]) {
      expect(session.receive(noise), noise).toEqual({});
    }
    expect(session.cursor).toBe(CURSOR(90));
  });
});

describe("requests", () => {
  const refused = (status: number, retryAfterMs?: number) =>
    new HelloTideError(status, "no", undefined, retryAfterMs);

  it("CLI-1: 429 is sent again, 503 and a lost connection only where a repeat does no harm, other answers never", () => {
    expect(repeatAfterMs(refused(429), 1, false, 0)).toBe(125);
    expect(repeatAfterMs(refused(503), 3, true, 0)).toBe(500);
    expect(repeatAfterMs(refused(503), 1, false, 0)).toBeUndefined();
    expect(repeatAfterMs(new TypeError("fetch failed"), 1, true, 0)).toBe(125);
    expect(repeatAfterMs(new TypeError("fetch failed"), 1, false, 0)).toBeUndefined();
    for (const status of [400, 401, 404, 409, 422, 500]) {
      expect(repeatAfterMs(refused(status), 1, true, 0), `${status}`).toBeUndefined();
    }
  });

  it("CLI-1: Retry-After is the least pause, and over a minute it is the caller's to decide", () => {
    expect(repeatAfterMs(refused(503, 7_000), 1, true, 0)).toBe(7_000);
    expect(repeatAfterMs(refused(503, 60_001), 1, true, 0)).toBeUndefined();
    expect(parseRetryAfter("3", 0)).toBe(3_000);
    expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:09 GMT", 4_000)).toBe(5_000);
    expect(parseRetryAfter("soon", 0)).toBeUndefined();
  });

  it("CLI-2: a refusal has the problem document; what is none has the status", async () => {
    const problem = { type: "about:blank", title: "No", status: 422, detail: "not so", instance: "r1" };
    const error = await errorOf(new Response(JSON.stringify(problem), { status: 422 }), 0);
    expect(error).toBeInstanceOf(HelloTideError);
    expect([error.status, error.problem, error.message]).toEqual([422, problem, "422: not so"]);
    const proxy = await errorOf(new Response("<html>", { status: 502, headers: { "retry-after": "1" } }), 0);
    expect([proxy.status, proxy.problem, proxy.retryAfterMs]).toEqual([502, undefined, 1_000]);
  });

  it("CLI-3: a batch is repeated with the same key, and path values cannot leave their place", async () => {
    const keys: (string | null)[] = [];
    const urls: string[] = [];
    const answers = [
      new Response("{}", { status: 503, headers: { "retry-after": "0" } }),
      Response.json({ accepted: 1 }),
    ];
    const hellotide = new HelloTide({
      url: "https://h/p",
      token: "t",
      fetch: async (url, init) => {
        urls.push(url);
        keys.push(new Headers(init.headers).get("idempotency-key"));
        return answers.shift() ?? Response.error();
      },
    });
    const answer = await hellotide.site("shop").ingest([{ timestamp: 1e12 }]);
    expect(answer.accepted).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(urls).toEqual(Array(2).fill("https://h/p/v1/sites/shop/observations"));
    expect(fillIn("/v1/{a}", { a: "../x?y" })).toBe("/v1/..%2Fx%3Fy");
    expect(() => fillIn("/v1/{a}", {})).toThrow(TypeError);
  });

  it("CLI-4: lines of JSON come whole, however they are cut, and the reader can stop", async () => {
    const bytes = new TextEncoder().encode('{"a":"é"}\n{"a":"b"}\n\n{"a":"c"}');
    let cancelled = false;
    const cut = (size: number) =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
    for (const size of [1, 2, 7, 100]) {
      const rows: unknown[] = [];
      for await (const row of jsonLines(cut(size))) rows.push(row);
      expect(rows, `${size}`).toEqual([{ a: "é" }, { a: "b" }, { a: "c" }]);
    }
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes),
      cancel: () => {
        cancelled = true;
      },
    });
    for await (const _ of jsonLines(endless)) break;
    expect(cancelled).toBe(true);
  });

  it("CLI-5: the committed types are those of the OpenAPI document", () => {
    const file = fileURLToPath(new URL("../../client/generated.ts", import.meta.url));
    expect(readFileSync(file, "utf8")).toBe(clientTypes(openapiDocument()));
    expect(() => clientTypes({ components: { schemas: { A: { not: {} } } }, paths: {} })).toThrow(
      /keyword not/,
    );
  });
});

describe("the feed on a made-up socket", () => {
  /** Sends hello and `count` events once it is open, then closes with `code`; keeps what it was sent. */
  function socketClass(count: number, code: number, sent: string[]) {
    return class extends EventTarget {
      readyState = 0;
      constructor() {
        super();
        queueMicrotask(() => {
          this.readyState = 1;
          this.dispatchEvent(new Event("open"));
          this.#say(control("hello", { cursor: CURSOR(0), oldest: CURSOR(1), heartbeat_s: 30 }));
          for (let n = 1; n <= count; n++) this.#say(stored(n));
          if (code !== 0) this.#end(code);
        });
      }
      #say(data: string): void {
        this.dispatchEvent(Object.assign(new Event("message"), { data }));
      }
      #end(closeCode: number): void {
        if (this.readyState === 3) return;
        this.readyState = 3;
        this.dispatchEvent(Object.assign(new Event("close"), { code: closeCode, reason: "" }));
      }
      send(text: string): void {
        sent.push(text);
      }
      close(): void {
        this.#end(1000);
      }
    };
  }
  const site = (WebSocket: unknown) =>
    new HelloTide({ url: "http://h", token: "t", WebSocket, feedAuth: "header" }).site("shop");

  it("CLI-6: a revoked token ends the feed with an error, after the events that came before", async () => {
    const feed = site(socketClass(3, 4401, [])).feed();
    const seen: string[] = [];
    const read = async () => {
      for await (const { sequence } of feed) seen.push(sequence);
    };
    await expect(read()).rejects.toMatchObject({ name: "HelloTideError", status: 401 });
    expect(seen).toEqual([1, 2, 3].map(CURSOR));
    expect(feed.cursor).toBe(CURSOR(3));
    await expect(read()).rejects.toThrow(/once/);
  });

  it("CLI-7: an event is acknowledged when the next one is asked for, not when it came", async () => {
    const sent: string[] = [];
    const acked = () => sent.filter((text) => text.includes("ack"));
    const feed = site(socketClass(250, 0, sent)).feed();
    let taken = 0;
    for await (const event of feed) {
      expect(acked().length).toBe(Math.floor(taken / 100));
      taken++;
      if (event.sequence === CURSOR(250)) break;
    }
    expect(acked()).toContain(JSON.stringify({ type: "ack", cursor: CURSOR(200) }));
    expect(feed.cursor).toBe(CURSOR(250));
  });
});
