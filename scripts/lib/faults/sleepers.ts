/**
 * Clients of the feed that open a subscription and then never read, on plain TCP, since every client library reads: as
 * WebSockets and as server-sent events. When they wake up they say what the server had left them.
 */
import { connect, type Socket } from "node:net";
import { feedPath } from "../../../test/support/stream.ts";
import type { FaultServer } from "./server.ts";

export type SleeperKind = "websocket" | "event-stream";

export interface SleeperEnd {
  /** Newest sequence received; 0 = none. Events are counted from 1, so it is also their number. */
  readonly last: number;
  /** Of all whole events. */
  readonly bytes: number;
  /** Whether the sequences received are 1, 2, 3 … `last`. */
  readonly isComplete: boolean;
  /** Whether it was told that it is cut: close code 1013, or a stream broken off before its end. */
  readonly isCut: boolean;
}

const HEADERS: Readonly<Record<SleeperKind, string>> = {
  websocket:
    "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ZmF1bHQtcnVucy0wMTIzNA==\r\n",
  "event-stream": "accept: text/event-stream\r\n",
};
const ANSWERS: Readonly<Record<SleeperKind, string>> = {
  websocket: "HTTP/1.1 101 ",
  "event-stream": "HTTP/1.1 200 ",
};
const HEAD_END = "\r\n\r\n";
const OPCODE_CLOSE = 8;
const CLOSE_TRY_AGAIN = 1013;
/** What lies ready comes at once; by then there is no more. */
const WAKE_MAX_MS = 30_000;

export class Sleeper {
  readonly #socket: Socket;
  readonly #kind: SleeperKind;

  private constructor(socket: Socket, kind: SleeperKind) {
    this.#socket = socket;
    this.#kind = kind;
  }

  /** A subscription whose socket is not read until `wake`. */
  static async open({ url, token }: FaultServer, site: string, kind: SleeperKind): Promise<Sleeper> {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port), noDelay: true });
    socket.on("error", () => socket.destroy());
    const head = `GET ${feedPath(site)} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n`;
    socket.write(`${head}${HEADERS[kind]}\r\n`);
    const answer = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    socket.pause();
    if (!answer.toString("latin1").startsWith(ANSWERS[kind])) throw new Error(`no feed: ${answer}`);
    // What came with the head is read as well.
    socket.unshift(answer.subarray(answer.indexOf(HEAD_END) + HEAD_END.length));
    return new Sleeper(socket, kind);
  }

  /** Reads all there is, up to the end. */
  wake(): Promise<SleeperEnd> {
    const parts: Buffer[] = [];
    return new Promise((resolve) => {
      const finish = (isEnded: boolean) => {
        clearTimeout(timer);
        const received = Buffer.concat(parts);
        resolve(this.#kind === "websocket" ? socketEnd(received) : streamEnd(received, isEnded));
      };
      const timer = setTimeout(() => finish(false), WAKE_MAX_MS);
      this.#socket.on("data", (bytes: Buffer) => {
        parts.push(bytes);
        // The server waits for an answer to its close frame (RFC 6455 §5.5.1), and the connection stays.
        if (this.#kind === "websocket" && socketEnd(Buffer.concat(parts)).isCut) finish(true);
      });
      this.#socket.once("close", () => finish(true));
      this.#socket.resume();
    });
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** Walks over a server's frames (RFC 6455 §5.2: not masked; no event is as long as 64 KiB). */
function socketEnd(received: Buffer): SleeperEnd {
  const texts: string[] = [];
  let isCut = false;
  for (let at = 0; at + 2 <= received.length; ) {
    const opcode = received[at]! & 0x0f;
    let length = received[at + 1]! & 0x7f;
    let start = at + 2;
    if (length === 126 && received.length >= at + 4)
      [length, start] = [received.readUInt16BE(at + 2), at + 4];
    else if (length >= 126) break;
    if (start + length > received.length) break;
    const payload = received.subarray(start, start + length);
    if (opcode === OPCODE_CLOSE) isCut = payload.readUInt16BE(0) === CLOSE_TRY_AGAIN;
    else texts.push(payload.toString());
    at = start + length;
  }
  return { ...endOf(texts), isCut };
}

/** Walks over a chunked body (RFC 9112 §7.1); cut = the connection ended without the last chunk. */
function streamEnd(received: Buffer, isEnded: boolean): SleeperEnd {
  const chunks: Buffer[] = [];
  let isWhole = false;
  for (let at = 0; ; ) {
    const lineEnd = received.indexOf("\r\n", at);
    if (lineEnd < 0) break;
    const size = Number.parseInt(received.toString("latin1", at, lineEnd), 16);
    isWhole = size === 0;
    if (isWhole) break;
    chunks.push(received.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  // What stands behind the last empty line is the beginning of a message that never came.
  const messages = Buffer.concat(chunks).toString().split("\n\n").slice(0, -1);
  return { ...endOf(messages), isCut: isEnded && !isWhole };
}

function endOf(texts: readonly string[]): Omit<SleeperEnd, "isCut"> {
  let bytes = 0;
  let last = 0;
  let isComplete = true;
  for (const text of texts) {
    const sequence = /"sequence":"(\d+)"/.exec(text)?.[1];
    if (sequence === undefined) continue;
    bytes += text.length;
    isComplete &&= Number(sequence) === last + 1;
    last = Number(sequence);
  }
  return { last, bytes, isComplete };
}
