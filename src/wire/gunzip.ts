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
/** Bytes of input a step: deflate makes at most 1,032 times as much of it, so a step holds 2 MiB at most. */
const STEP_BYTES = 2 * 1024;
/** What is inflated to see how far the rest will. */
const TRIED_BYTES = 4 * 1024;
/** RFC 1952: ID1, ID2. */
const MAGIC = [0x1f, 0x8b] as const;
/** The shortest member: a header of 10 bytes, an empty block of 2, a trailer of 8. */
const MEMBER_MIN_BYTES = 20;

/** Whether bytes begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1];
}

/** Length of the last member's text, modulo 2³², as its trailer says it (ISIZE); 0 where there is none. */
function saidSize(bytes: Uint8Array): number {
  if (bytes.length < MEMBER_MIN_BYTES) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

/**
 * Whether the bytes would inflate to more than `maxBytes`, without inflating them: their trailer says so, and their beginning
 * agrees. Of a stream that was cut off the last four bytes are any. Throws `GzipError` where the beginning is damaged.
 */
export function saysTooMuch(bytes: Uint8Array, maxBytes: number): boolean {
  if (saidSize(bytes) <= maxBytes) return false;
  const beginning = bytes.subarray(0, TRIED_BYTES);
  let size = 0;
  for (const piece of new Gunzip().push(beginning)) size += piece.length;
  return (size / beginning.length) * bytes.length > maxBytes / 2;
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
