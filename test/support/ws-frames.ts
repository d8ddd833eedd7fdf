/** WebSocket frames by hand (RFC 6455 §5.2), as far as the tests need them: short, whole, one at a time. */
import { randomBytes } from "node:crypto";

export interface WsFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export function encodeFrame(opcode: number, payload: Uint8Array, masked: boolean): Buffer {
  if (payload.length > 125) throw new RangeError("short frames only");
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | payload.length]);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

export function decodeFrame(bytes: Buffer): WsFrame {
  const masked = (bytes[1]! & 0x80) !== 0;
  const length = bytes[1]! & 0x7f;
  const start = masked ? 6 : 2;
  const payload = bytes.subarray(start, start + length);
  if (!masked) return { opcode: bytes[0]! & 0x0f, payload };
  return {
    opcode: bytes[0]! & 0x0f,
    payload: payload.map((byte, i) => byte ^ bytes[2 + (i % 4)]!) as Buffer,
  };
}
