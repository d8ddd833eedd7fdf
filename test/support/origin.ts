/**
 * An origin of one's own on loopback, and visitors who reach it through a server under test. Visitors are `node:http`:
 * fetch can send neither a `Host` of choice nor a body that is still being written.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { decodeFrame, encodeFrame } from "./ws-frames.ts";

export interface Origin {
  readonly url: string;
  /** Requests so far, newest last. */
  readonly seen: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }[];
  /** Connections on which a request or answer ended before its time. */
  aborted(): number;
  stop(): Promise<void>;
}

export type OriginHandler = (incoming: IncomingMessage, answer: ServerResponse) => void;

/** Answers every request by `handler`, and every WebSocket with its own text frames. */
export async function startOrigin(handler: OriginHandler): Promise<Origin> {
  const seen: { method: string; url: string; headers: IncomingHttpHeaders }[] = [];
  let aborted = 0;
  const note = ({ method = "", url = "", headers }: IncomingMessage) => seen.push({ method, url, headers });
  const server = createServer((incoming, answer) => {
    note(incoming);
    answer.on("close", () => {
      if (!answer.writableFinished) aborted++;
    });
    handler(incoming, answer);
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex) => {
    note(incoming);
    echoFrames(incoming, socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    aborted: () => aborted,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** RFC 6455 §4.2.2; the same answer for everybody who knows the protocol. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function echoFrames(incoming: IncomingMessage, socket: Duplex): void {
  const key = `${incoming.headers["sec-websocket-key"]}${WEBSOCKET_GUID}`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Origin: echo\r\n\r\n`,
  );
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    const frame = decodeFrame(bytes);
    socket.write(encodeFrame(frame.opcode, frame.payload, false));
    if (frame.opcode === 8) socket.end();
  });
}

export interface Visit {
  /** The site's name that the visitor asks for. */
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: Uint8Array | string;
  /** `request.cf`, on a server started with `testCf`. */
  readonly cf?: unknown;
}

export interface Visited {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 50, timeout: 5_000 });
const VISIT_TIMEOUT_MS = 30_000;

/** A request that the caller writes and reads by himself. */
export function open(
  url: string,
  { host, path = "/", method = "GET", headers = {}, cf }: Visit,
): ClientRequest {
  const own = cf === undefined ? {} : { "x-test-cf": JSON.stringify(cf) };
  const signal = AbortSignal.timeout(VISIT_TIMEOUT_MS);
  const { hostname, port } = new URL(url);
  // By parts, not by URL: that would tidy the path up.
  return request({ hostname, port, path, method, headers: { ...headers, ...own, host }, agent, signal });
}

export async function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return incoming;
}

/** One whole exchange. */
export async function visit(url: string, ask: Visit): Promise<Visited> {
  // Without it, node:http sends the body of a DELETE or OPTIONS with no frame around it.
  const length =
    ask.body === undefined || ask.body.length === 0
      ? {}
      : { "content-length": `${Buffer.byteLength(ask.body)}` };
  const outgoing = open(url, { ...ask, headers: { ...length, ...ask.headers } });
  const answered = responseOf(outgoing);
  outgoing.end(ask.body);
  const incoming = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) };
}

/** The next bytes of a stream. */
export async function nextChunk(stream: IncomingMessage | Duplex): Promise<Buffer> {
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) return chunk;
    await once(stream, "readable");
  }
}
