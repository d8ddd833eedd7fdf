/** Bodies through the Worker as they are written, however large. */
import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readHolder } from "../../scripts/lib/lock.ts";
import { nextChunk, type Origin, open, responseOf, startOrigin, visit } from "../support/origin.ts";
import { startServer, type TestServer } from "../support/server.ts";

const HOST = "www.shop.example";
const BODY_BYTES = 100 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** What the engine may grow by while 100 MiB go each way; to hold them it would need 200. */
const GROWTH_MAX_BYTES = 60 * 1024 * 1024;

let origin: Origin;
let server: TestServer;
let finish = () => {};

beforeAll(async () => {
  origin = await startOrigin((incoming: IncomingMessage, answer: ServerResponse) => {
    if (incoming.url === "/slow") {
      answer.writeHead(200).write("first");
      finish = () => void answer.end("last");
    } else incoming.pipe(answer.writeHead(200));
  });
  const env = { ORIGIN_URL: origin.url, SITES: JSON.stringify({ shop: [HOST] }), FLUSH: "1s" };
  server = await startServer({ env });
});
afterAll(async () => {
  await server?.stop();
  await origin?.stop();
});

function engineBytes(): number {
  const pid = readHolder(server.dir)?.engine?.pid;
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** Writes a body of `bytes` as fast as it is taken, and its digest. */
async function writeBody(outgoing: ReturnType<typeof open>, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  for (let i = 0; i < bytes / CHUNK_BYTES; i++) {
    const chunk = Buffer.alloc(CHUNK_BYTES, i % 251);
    hash.update(chunk);
    if (!outgoing.write(chunk)) await once(outgoing, "drain");
  }
  outgoing.end();
  return hash.digest("hex");
}

async function readBody(incoming: IncomingMessage, hash: Hash, onChunk: () => void): Promise<string> {
  for await (const chunk of incoming) {
    hash.update(chunk as Buffer);
    onChunk();
  }
  return hash.digest("hex");
}

describe("streaming", () => {
  it("EDGE-12: the first bytes of an answer arrive before the origin has finished it", async () => {
    const outgoing = open(server.url, { host: HOST, path: "/slow" });
    outgoing.end();
    const incoming = await responseOf(outgoing);
    expect(`${await nextChunk(incoming)}`).toBe("first");
    finish();
    expect(`${await nextChunk(incoming)}`).toBe("last");
  });

  it("EDGE-12: and before the request's own body has ended", async () => {
    const outgoing = open(server.url, { host: HOST, method: "POST" });
    const answered = responseOf(outgoing);
    outgoing.write("one");
    const incoming = await answered;
    expect(`${await nextChunk(incoming)}`).toBe("one");
    outgoing.write("two");
    expect(`${await nextChunk(incoming)}`).toBe("two");
    outgoing.end();
    await once(incoming.resume(), "end");
  });

  it.skipIf(process.platform !== "linux")(
    "EDGE-13: 100 MiB go both ways unchanged, and the engine holds none of it",
    async () => {
      // A first round, so that what the engine needs anyway is there.
      const warm = open(server.url, { host: HOST, method: "POST" });
      const warmed = responseOf(warm);
      await Promise.all([
        writeBody(warm, 4 * 1024 * 1024),
        warmed.then((it) => readBody(it, createHash("sha256"), () => {})),
      ]);
      const before = engineBytes();
      let most = before;
      let chunks = 0;
      const outgoing = open(server.url, { host: HOST, method: "POST" });
      const answered = responseOf(outgoing);
      const [sent, received] = await Promise.all([
        writeBody(outgoing, BODY_BYTES),
        answered.then((incoming) =>
          readBody(incoming, createHash("sha256"), () => {
            if (chunks++ % 50 === 0) most = Math.max(most, engineBytes());
          }),
        ),
      ]);
      expect(received).toBe(sent);
      expect(before).toBeGreaterThan(0);
      expect(most - before).toBeLessThan(GROWTH_MAX_BYTES);
    },
  );

  it("EDGE-13: the server still answers", async () => {
    expect((await visit(server.url, { host: HOST })).status).toBe(200);
  });
});
