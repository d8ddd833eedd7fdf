/** What clients of the feed may send on the wire, byte by byte, on the real engine; beside each fault one that behaves. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "../support/client.ts";
import { BINARY, CONTINUATION, frameBytes, PING, PONG, RawSocket, TEXT } from "../support/raw-socket.ts";
import { startServer } from "../support/server.ts";
import { feedPath, openFeed, stored } from "../support/stream.ts";
import { putRule, raiseEach, rule } from "./helpers/rules.ts";

const SITE = "shop";
const FRAME_MAX_BYTES = 4_096;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;
let newest = 0;

beforeAll(async () => {
  server = await startServer({ sites: [SITE], env: { TICK: "1s" } });
  client = createClient(server);
  await putRule(client, SITE, rule("first", { when: { signal: "reqs", window: "1h", op: ">", value: 0 } }));
  const feed = await openFeed(server, SITE, { query: "since=0" });
  await raiseEach(client, SITE, feed, 1, 2);
  newest = Number(stored(feed).at(-1)?.sequence);
  feed.close();
}, 60_000);
afterAll(() => server?.stop());

const shake = (query = "", headers: Record<string, string> = {}, token?: string | null) =>
  RawSocket.open(server, feedPath(SITE, query), { headers, ...(token === undefined ? {} : { token }) });

async function opened(query?: string): Promise<RawSocket> {
  const socket = await shake(query);
  expect(socket.status).toBe(101);
  await socket.until("hello", () => socket.events.length > 0);
  return socket;
}

const errors = ({ events }: RawSocket) => events.filter(({ type }) => type === "hellotide.feed.error").length;
const pongs = ({ frames }: RawSocket) =>
  frames.filter(({ opcode, payload }) => opcode === TEXT && payload.toString() === "pong").length;

/** What the server had to say to this socket has been said when its pong is back. */
async function settle(socket: RawSocket): Promise<void> {
  const before = pongs(socket);
  socket.send(TEXT, "ping");
  await socket.until("pong", () => pongs(socket) > before);
}

/** A socket that does nothing wrong, opened before the fault: it must not notice. */
async function beside<T>(fault: (bad: RawSocket) => Promise<T>): Promise<T> {
  const [good, bad] = [await opened(), await opened()];
  const result = await fault(bad);
  await settle(good);
  expect([errors(good), good.closeCode, good.isEnded]).toEqual([0, undefined, false]);
  good.end();
  bad.end();
  return result;
}

describe("messages by their size", () => {
  it("FR-1: 4 KiB in one frame or in fragments are read; a byte more closes with 1009", async () => {
    const whole = "x".repeat(FRAME_MAX_BYTES);
    for (const parts of [1, 2, 7]) {
      await beside(async (bad) => {
        bad.sendInParts(whole, parts);
        await bad.until("an error", () => errors(bad) === 1);
        bad.sendInParts(`${whole}x`, parts);
        expect([parts, await bad.ended()]).toEqual([parts, 1009]);
      });
    }
  });

  it("FR-1: bytes count, not characters, and binary ones as well", async () => {
    const letters = "ü".repeat(FRAME_MAX_BYTES / 2);
    for (const [opcode, text] of [
      [TEXT, `${letters}x`],
      [BINARY, "x".repeat(FRAME_MAX_BYTES + 1)],
    ] as const) {
      await beside(async (bad) => {
        bad.send(TEXT, letters);
        await bad.until("an error", () => errors(bad) === 1);
        bad.send(opcode, text);
        expect(await bad.ended()).toBe(1009);
      });
    }
  });

  it("FR-1: one that announces more than anybody will send is not waited for", async () => {
    await beside(async (bad) => {
      bad.write(Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0x70]));
      expect(await bad.ended()).toBe(1009);
    });
  });

  it("FR-1: an ack in fragments, with a ping of the protocol between them, is an ack", async () => {
    const socket = await opened();
    const ack = JSON.stringify({ type: "ack", cursor: `${newest}`.padStart(16, "0") });
    socket.send(TEXT, ack.slice(0, 9), { isLast: false });
    socket.send(PING, "between");
    socket.send(CONTINUATION, ack.slice(9));
    await settle(socket);
    const echo = socket.frames.find(({ opcode }) => opcode === PONG);
    expect([echo?.payload.toString(), errors(socket), socket.closeCode]).toEqual(["between", 0, undefined]);
    socket.end();
  });
});

describe("messages by what they say", () => {
  it.each([
    ["binary", BINARY, Buffer.from([0x81, 0xa4, 0x74])],
    ["an ack in a binary frame", BINARY, Buffer.from('{"type":"ack","cursor":"0000000000000001"}')],
    ["text that is no UTF-8", TEXT, Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0x80, 0x7d])],
    ["broken JSON", TEXT, Buffer.from('{"type":"ack"')],
    ["nothing", TEXT, Buffer.alloc(0)],
    ["JSON with much around it", TEXT, Buffer.from(`${"[".repeat(2_000)}${"]".repeat(2_000)}`)],
    ["a prototype", TEXT, Buffer.from('{"__proto__":{"type":"ping"}}')],
  ])("FR-2: %s is feed.error, three times and the close code 1008", async (_, opcode, payload) => {
    await beside(async (bad) => {
      for (const count of [1, 2, 3]) {
        bad.send(opcode, payload);
        await bad.until(`error ${count}`, () => errors(bad) === count);
      }
      expect(await bad.ended()).toBe(1008);
    });
  });

  it.each([
    ["a reserved opcode", frameBytes(3, Buffer.from("ping"))],
    ["an extension's bit that nobody asked for", frameBytes(TEXT, Buffer.from("ping"), { reserved: 0x40 })],
    ["a continuation of nothing", frameBytes(CONTINUATION, Buffer.from("ping"))],
    [
      "a second beginning",
      Buffer.concat([1, 2].map(() => frameBytes(TEXT, Buffer.from("p"), { isLast: false }))),
    ],
  ])("FR-3: %s ends its own connection with 1002", async (_, bytes) => {
    await beside(async (bad) => {
      bad.write(bytes);
      expect(await bad.ended()).toBe(1002);
    });
  });
});

describe("handshakes on plain TCP", () => {
  it("FR-4: a cursor of the future, a ticket's second use and a foreign Origin are refused; the same request without is let in", async () => {
    const { ticket } = (await client.post(`/v1/sites/${SITE}/feed-tickets`)).json<{ ticket: string }>();
    const origin = server.url;
    const asked = [
      await shake(`since=${newest}`),
      await shake(`since=${newest + 1}`),
      await shake(`ticket=${ticket}`, {}, null),
      await shake(`ticket=${ticket}`, {}, null),
      await shake("", { origin }),
      await shake("", { origin: "https://evil.example" }),
      await shake("", { "sec-websocket-protocol": "cloudevents.msgpack" }),
      await shake("", { "sec-websocket-protocol": "chat" }),
    ];
    expect(asked.map(({ status }) => status)).toEqual([101, 400, 101, 401, 101, 403, 101, 400]);
    expect(asked.map(({ protocol }) => protocol)[6]).toBe("cloudevents.msgpack");
    for (const socket of asked) socket.end();
  });
});
