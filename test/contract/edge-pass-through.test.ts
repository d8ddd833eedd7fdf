/** Visitors through the Worker to a real origin: what one side sends is what the other side gets. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, summaryOf, until } from "../support/client.ts";
import { nextChunk, type Origin, open, startOrigin, type Visit, visit } from "../support/origin.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { decodeFrame, encodeFrame } from "../support/ws-frames.ts";

const HOST = "www.shop.example";
const FILE = randomBytes(10_000);
const ZIPPED = gzipSync("hello ".repeat(1_000));

function answerRange(incoming: IncomingMessage, answer: ServerResponse): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "") ?? [];
  if (from === undefined) return void answer.writeHead(416).end();
  const part = FILE.subarray(Number(from), Number(to) + 1);
  const range = `bytes ${from}-${to}/${FILE.length}`;
  answer.writeHead(206, { "content-range": range, "content-length": part.length, etag: '"v1"' }).end(part);
}

function answer(incoming: IncomingMessage, out: ServerResponse): void {
  const { pathname } = new URL(incoming.url ?? "/", "http://origin");
  const status = /^\/status\/(\d+)$/.exec(pathname)?.[1];
  if (status !== undefined) out.writeHead(Number(status), { "x-status": status }).end();
  else if (pathname === "/moved") out.writeHead(302, { location: "/elsewhere" }).end("moved");
  else if (pathname === "/range") answerRange(incoming, out);
  else if (pathname === "/hints") {
    out.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    out.writeHead(200).end("after hints");
  } else if (pathname === "/cookies") {
    out.writeHead(200, { "set-cookie": ["a=1; Path=/", "b=2, x; HttpOnly"], "x-twice": ["1", "2"] }).end();
  } else if (pathname === "/zipped") {
    out.writeHead(200, { "content-encoding": "gzip", "content-length": ZIPPED.length }).end(ZIPPED);
  } else if (pathname === "/endless") {
    // On and on: a visitor who is gone is noticed when somebody writes to him.
    const timer = setInterval(() => out.write("more"), 20);
    out.on("close", () => clearInterval(timer));
    out.writeHead(200).write("begun");
  } else {
    out.writeHead(200, {
      "x-method": incoming.method ?? "",
      "content-type": incoming.headers["content-type"] ?? "",
    });
    incoming.pipe(out);
  }
}

let origin: Origin;
let server: TestServer;

beforeAll(async () => {
  origin = await startOrigin(answer);
  const env = { ORIGIN_URL: origin.url, SITES: JSON.stringify({ shop: [HOST] }), FLUSH: "1s", TICK: "1s" };
  server = await startServer({ env, testCf: true });
});
afterAll(async () => {
  await server?.stop();
  await origin?.stop();
});

/** Files that objects have made. */
const objectsOf = ({ dir }: TestServer) =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\/[0-9a-f]{64}\.sqlite/.test(name),
  );

const ask = (over: Partial<Visit> = {}) => visit(server.url, { host: HOST, ...over });

describe("one exchange", () => {
  it.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "EDGE-3: the body of a %s is byte-identical both ways",
    async (method) => {
      const body = method === "GET" ? Buffer.alloc(0) : randomBytes(100_000);
      const got = await ask({
        method,
        path: "/echo",
        body,
        headers: { "content-type": "application/x-any" },
      });
      expect([got.status, got.headers["x-method"], got.headers["content-type"]]).toEqual([
        200,
        method,
        "application/x-any",
      ]);
      expect(got.body.equals(body)).toBe(true);
    },
  );

  it("EDGE-3: a HEAD has the headers of the origin and no body", async () => {
    const got = await ask({ method: "HEAD", path: "/zipped" });
    expect([got.status, got.headers["content-length"], got.body.length]).toEqual([
      200,
      `${ZIPPED.length}`,
      0,
    ]);
  });

  it.each(["/a%2Fb/./c//d?x=%zz&y=1&x=2", "/%e4%b8%ad/;p=1?", "/a'b\"c"])(
    "EDGE-4: the path %s reaches the origin",
    async (path) => {
      await ask({ path });
      const reached = origin.seen.at(-1)?.url ?? "";
      const wanted = new URL(path, "http://x");
      expect([new URL(reached, "http://x").pathname, new URL(reached, "http://x").search]).toEqual([
        wanted.pathname,
        wanted.search,
      ]);
    },
  );

  it("EDGE-5: the visitor's headers reach the origin, and a forged signals header does not", async () => {
    const headers = {
      "x-hellotide-signals": "browser_ratio_1h_ppm=1",
      "x-own": "kept",
      cookie: "a=1; b=2",
      range: "bytes=0-1",
    };
    await ask({ path: "/echo", headers });
    const reached = origin.seen.at(-1)?.headers ?? {};
    expect(reached).toMatchObject({ "x-own": "kept", cookie: "a=1; b=2", range: "bytes=0-1" });
    expect(reached).not.toHaveProperty("x-hellotide-signals");
  });

  it.each([200, 201, 204, 206, 301, 304, 400, 401, 404, 418, 429, 500, 502, 503, 599])(
    "EDGE-6: a %i stays what it is",
    async (status) => {
      const got = await ask({ path: `/status/${status}` });
      expect([got.status, got.headers["x-status"]]).toEqual([status, `${status}`]);
    },
  );

  it("EDGE-6: early hints do not disturb the answer", async () => {
    const got = await ask({ path: "/hints" });
    expect([got.status, `${got.body}`]).toEqual([200, "after hints"]);
  });

  it("EDGE-7: a redirect is the visitor's to follow", async () => {
    const before = origin.seen.length;
    const got = await ask({ path: "/moved" });
    expect([got.status, got.headers.location, `${got.body}`]).toEqual([302, "/elsewhere", "moved"]);
    expect(origin.seen.length).toBe(before + 1);
  });

  it("EDGE-8: ranges, cookies, repeated headers and encoded bodies are the origin's", async () => {
    const part = await ask({ path: "/range", headers: { range: "bytes=100-199" } });
    expect([part.status, part.headers["content-range"], part.headers.etag]).toEqual([
      206,
      "bytes 100-199/10000",
      '"v1"',
    ]);
    expect(part.body.equals(FILE.subarray(100, 200))).toBe(true);
    const cookies = await ask({ path: "/cookies" });
    expect(cookies.headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2, x; HttpOnly"]);
    expect(cookies.headers["x-twice"]).toBe("1, 2");
    const zipped = await ask({ path: "/zipped", headers: { "accept-encoding": "gzip" } });
    expect([zipped.headers["content-encoding"], zipped.body.equals(ZIPPED)]).toEqual(["gzip", true]);
  });

  it("EDGE-9: a WebSocket goes through, both ways, to its end", async () => {
    const outgoing = open(server.url, {
      host: HOST,
      path: "/socket",
      headers: {
        ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
        "sec-websocket-key": randomBytes(16).toString("base64"),
      },
    });
    const upgraded = once(outgoing, "upgrade");
    outgoing.end();
    const [response, socket] = (await upgraded) as [IncomingMessage, Duplex];
    expect([response.statusCode, response.headers["x-origin"]]).toEqual([101, "echo"]);
    for (const said of ["hello", "tide"]) {
      socket.write(encodeFrame(1, Buffer.from(said), true));
      const frame = decodeFrame(await nextChunk(socket));
      expect([frame.opcode, `${frame.payload}`]).toEqual([1, said]);
    }
    socket.write(encodeFrame(8, Buffer.from([3, 232]), true));
    expect(decodeFrame(await nextChunk(socket)).opcode).toBe(8);
    socket.destroy();
  });

  it("EDGE-10: visitors who go away in the middle harm nobody, and the origin is told", async () => {
    const before = origin.aborted();
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const outgoing = open(server.url, { host: HOST, path: "/endless" });
        const gone = once(outgoing, "close");
        outgoing.on("error", () => {});
        outgoing.on("response", () => outgoing.destroy());
        outgoing.end();
        await gone;
      }),
    );
    await until("the origin sees them go", 10_000, async () =>
      origin.aborted() - before >= 50 ? true : undefined,
    );
    expect((await ask({ path: "/echo" })).status).toBe(200);
  });
});

describe("OBSERVE=off", () => {
  it("EDGE-11: passes everything through and touches no object", async () => {
    const env = {
      ORIGIN_URL: origin.url,
      SITES: JSON.stringify({ shop: [HOST] }),
      FLUSH: "1s",
      OBSERVE: "off",
      SIGNALS_HEADER: "on",
    };
    const off = await startServer({ env, testCf: true });
    try {
      const cf = { botManagement: { ja4: "t13d1516h2_8daaf6152771_02713d6af862" } };
      const headers = { "x-hellotide-signals": "forged" };
      for (let i = 0; i < 30; i++)
        expect((await visit(off.url, { host: HOST, cf, headers })).status).toBe(200);
      expect(origin.seen.at(-1)?.headers).not.toHaveProperty("x-hellotide-signals");
      // Whatever it could have sent would have been sent by now: the other server's visitor came after.
      const others = createClient(server);
      const before = (await summaryOf(others, "shop")).since_start.accepted ?? 0;
      await ask();
      await until("the other server's visitor is counted", 15_000, async () => {
        const { accepted = 0 } = (await summaryOf(others, "shop")).since_start;
        return accepted > before ? true : undefined;
      });
      expect(objectsOf(off)).toEqual([]);
      // The control: objects leave files once they are asked.
      await createClient(off).get("/v1/sites/shop/summary");
      expect(objectsOf(off)).not.toEqual([]);
    } finally {
      await off.stop();
    }
  });
});
