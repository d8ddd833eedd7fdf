/** The server's WebSocket frames (RFC 6455 §5.2: not masked) in a stream of bytes, without looking into them. */

const OPCODE_BITS = 0x0f;
const LENGTH_BITS = 0x7f;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

/** Hears of each whole frame; its payload is `bytes` from `from` to `to`, and only good during the call. */
type OnFrame = (opcode: number, bytes: Buffer, from: number, to: number) => void;

export class FrameScanner {
  readonly #onFrame: OnFrame;
  /** The beginning of a frame whose end has not come yet. */
  #rest: Buffer | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes; keeps none of the buffer. */
  take(fresh: Buffer): void {
    const bytes = this.#rest === undefined ? fresh : Buffer.concat([this.#rest, fresh]);
    let at = 0;
    while (at + 2 <= bytes.length) {
      let length = bytes[at + 1]! & LENGTH_BITS;
      let from = at + 2;
      if (length === LENGTH_IN_8_BYTES) throw new Error("a frame of 64 KiB or more");
      if (length === LENGTH_IN_2_BYTES) {
        from += 2;
        if (from > bytes.length) break;
        length = bytes.readUInt16BE(at + 2);
      }
      if (from + length > bytes.length) break;
      this.#onFrame(bytes[at]! & OPCODE_BITS, bytes, from, from + length);
      at = from + length;
    }
    this.#rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
  }
}
