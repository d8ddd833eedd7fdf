/**
 * A WebSocket client by hand on plain TCP (RFC 6455): it sends what clients in Node will not send, such as fragments of its own
 * cut, broken text, frames without a mask, and it shows every answer as it came.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Target } from "./client.ts";

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** How a frame is put on the wire; absent = the last of its message, masked, no extension's bit. */
export interface FrameForm {
  readonly isLast?: boolean;
  readonly isMasked?: boolean;
  /** RSV1 to RSV3, as the bits of the first byte. */
  readonly reserved?: number;
}

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;
const HEAD_END = "\r\n\r\n";

/** One frame (RFC 6455 §5.2); the length in the shortest of its three forms. */
export function frameBytes(opcode: number, payload: Uint8Array, form: FrameForm = {}): Buffer {
  const { isLast = true, isMasked = true, reserved = 0 } = form;
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(payload.length));
  const [code, more] =
    payload.length < LENGTH_IN_2_BYTES
      ? [payload.length, 8]
      : payload.length < 65_536
        ? [LENGTH_IN_2_BYTES, 6]
        : [LENGTH_IN_8_BYTES, 0];
  const first = (isLast ? 0x80 : 0) | reserved | opcode;
  const head = Buffer.concat([Buffer.from([first, (isMasked ? 0x80 : 0) | code]), long.subarray(more)]);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** The handshake's answer, and the connection after it. */
export class RawSocket {
  /** Of the handshake. */
  status = 0;
  /** Whole frames so far, control frames too. */
  readonly frames: Frame[] = [];
  /** Whether the server has ended the connection. */
  isEnded = false;
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #head = "";
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", () => socket.destroy());
    const end = () => {
      this.isEnded = true;
      this.#wake();
    };
    socket.on("end", end);
    socket.on("close", end);
  }

  /** Resolves with the handshake's answer, whatever it is. `token`: absent = the server's own, `null` = none. */
  static async open(
    target: Target,
    path: string,
    { token = target.token, headers = {} }: { token?: string | null; headers?: Record<string, string> } = {},
  ): Promise<RawSocket> {
    const { hostname, port } = new URL(target.url);
    const raw = new RawSocket(connect({ host: hostname, port: Number(port), noDelay: true }));
    const lines = {
      ...{ host: `${hostname}:${port}`, connection: "Upgrade", upgrade: "websocket" },
      ...{ "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64") },
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    };
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.#socket.write(`GET ${path} HTTP/1.1\r\n${head.join("")}\r\n`);
    await raw.until("the handshake's answer", () => raw.status !== 0);
    return raw;
  }

  /** The subprotocol that the server chose; empty = none. */
  get protocol(): string {
    return /^sec-websocket-protocol: *(.*)$/im.exec(this.#head)?.[1]?.trim() ?? "";
  }

  send(opcode: number, payload: Uint8Array | string = "", form?: FrameForm): void {
    this.write(frameBytes(opcode, Buffer.from(payload), form));
  }

  /** One text message in so many fragments. */
  sendInParts(text: string, parts: number): void {
    const size = Math.ceil(text.length / parts);
    for (let n = 0; n < parts; n++)
      this.send(n === 0 ? TEXT : CONTINUATION, text.slice(n * size, (n + 1) * size), {
        isLast: n === parts - 1,
      });
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Payloads of the text frames so far that are JSON objects. */
  get events(): { type: string; data: Record<string, unknown> }[] {
    return this.frames.flatMap(({ opcode, payload }) => {
      const text = payload.toString("utf8");
      return opcode === TEXT && text.startsWith("{")
        ? [JSON.parse(text) as { type: string; data: Record<string, unknown> }]
        : [];
    });
  }

  /** Code of the close frame, once it has come (§5.5.1). */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === CLOSE);
    return close === undefined || close.payload.length < 2 ? undefined : close.payload.readUInt16BE(0);
  }

  /** Rejects when the connection ended, or nothing came for ten seconds, before `done` holds. */
  until(what: string, done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (fault?: string) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (fault === undefined) resolve();
        else reject(new Error(`${what}: ${fault}; close ${this.closeCode}, ${this.frames.length} frames`));
      };
      const look = () => {
        if (done()) finish();
        else if (this.isEnded) finish("the connection ended");
      };
      const timer = setTimeout(() => finish("nothing came"), 10_000);
      this.#waiting.add(look);
      look();
    });
  }

  /** The server has closed, or ended the connection without a word. */
  async ended(): Promise<number | undefined> {
    await this.until("the end", () => this.closeCode !== undefined || this.isEnded);
    return this.closeCode;
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(fresh: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, fresh]);
    if (this.status === 0) {
      const text = this.#bytes.toString("latin1");
      const end = text.indexOf(HEAD_END);
      if (end < 0) return;
      this.#head = text.slice(0, end);
      this.#bytes = this.#bytes.subarray(end + HEAD_END.length);
      this.status = Number(this.#head.split(" ")[1]);
    }
    if (this.status === 101) this.#readFrames();
    this.#wake();
  }

  #readFrames(): void {
    for (;;) {
      const bytes = this.#bytes;
      if (bytes.length < 2) return;
      let length = bytes[1]! & 0x7f;
      let from = 2;
      if (length === LENGTH_IN_2_BYTES) {
        if (bytes.length < 4) return;
        [length, from] = [bytes.readUInt16BE(2), 4];
      } else if (length === LENGTH_IN_8_BYTES) {
        if (bytes.length < 10) return;
        [length, from] = [Number(bytes.readBigUInt64BE(2)), 10];
      }
      if (bytes.length < from + length) return;
      this.frames.push({ opcode: bytes[0]! & 0x0f, payload: bytes.subarray(from, from + length) });
      this.#bytes = bytes.subarray(from + length);
    }
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}
