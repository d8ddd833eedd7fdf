/**
 * gzip (RFC 1952) piece by piece: members one after the other are one text, each with its own check, and zeros after the
 * last one are padding. In JavaScript, since the platform's DecompressionStream refuses what follows the first member and
 * gives no hold on how much it makes of a piece (docs/decisions/0012-inflate.md).
 */
import { Inflate, type ZStream } from "pako";

/** The body is no gzip stream, or not a whole one. */
export class GzipError extends Error {
  override readonly name = "GzipError";
}

/** 15 bits of window, and nothing but gzip. */
const GZIP_WINDOW_BITS = 31;
/** Bytes of output in one piece. */
const PIECE_BYTES = 64 * 1024;
/** Deflate makes at most so many times as much of its input: two bits become 258 bytes. */
export const INFLATES_MOST = 1_032;
/** Bytes of input a step, which so holds 2 MiB at most. */
const STEP_BYTES = 2 * 1024;
/** RFC 1952: ID1, ID2. */
const MAGIC = [0x1f, 0x8b] as const;

/** Whether bytes begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1];
}

export class Gunzip {
  /** The member at hand, and where its input stands. */
  #inflate: Inflate | undefined;
  #stream: ZStream | undefined;
  #members = 0;
  #pieces: Uint8Array[] = [];

  /** What the next bytes inflate to, in pieces of their own; nothing is made that nobody asks for. Throws `GzipError`. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += STEP_BYTES)
      yield* this.#step(bytes.subarray(at, at + STEP_BYTES));
  }

  /** Throws `GzipError` unless the last member is whole. */
  finish(): void {
    if (this.#inflate !== undefined || this.#members === 0)
      throw new GzipError("the stream ends in a member");
  }

  *#step(step: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < step.length; ) {
      if (this.#inflate === undefined) {
        while (this.#members > 0 && step[at] === 0) at++;
        if (at === step.length) return;
        this.#inflate = this.#begin();
      }
      const inflate = this.#inflate;
      const rest = step.subarray(at);
      if (!inflate.push(rest, false)) throw new GzipError("the stream is damaged");
      at = step.length;
      if (inflate.ended) {
        at -= this.#stream?.avail_in ?? 0;
        this.#inflate = undefined;
        this.#members++;
      }
      yield* this.#pieces.splice(0);
    }
  }

  #begin(): Inflate {
    const inflate = new Inflate({ windowBits: GZIP_WINDOW_BITS, chunkSize: PIECE_BYTES });
    inflate.onData = (piece) => {
      this.#pieces.push(piece as Uint8Array);
    };
    inflate.onEnd = () => undefined;
    inflate.onStart = (stream) => {
      this.#stream = stream;
    };
    return inflate;
  }
}
