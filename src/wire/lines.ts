/** Lines of a text that comes in pieces. */
import { joined } from "../base/bytes.ts";

const NEWLINE = 0x0a;

/** A line is longer than it may be. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === NEWLINE;
}

export class LineSplitter {
  readonly #maxBytes: number;
  /** The line that is not whole yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that a piece completes, without blank ones; views that are good until the next. Throws `LineTooLongError`. */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    for (let start = 0; start < piece.length; ) {
      if (this.#heldBytes === 0) {
        // Blank lines one byte at a time: a body of newlines alone must not cost a view and a search for each.
        while (start < piece.length && isSpace(piece[start]!)) start++;
        if (start === piece.length) return;
      }
      const newline = piece.indexOf(NEWLINE, start);
      const part = piece.subarray(start, newline < 0 ? piece.length : newline);
      if (this.#heldBytes + part.length > this.#maxBytes) throw new LineTooLongError();
      if (newline < 0) {
        this.#held.push(part.slice());
        this.#heldBytes += part.length;
        return;
      }
      start = newline + 1;
      yield this.#whole(part);
    }
  }

  /** The last line, where no newline ends it. */
  *finish(): Generator<Uint8Array> {
    if (this.#heldBytes > 0) yield this.#whole(new Uint8Array());
  }

  #whole(last: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return last;
    const line = joined([...this.#held, last]);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }
}

/** How many lines `LineSplitter` would give, without making them: what is only looked at costs no view of each line. */
export class LineCounter {
  readonly #maxBytes: number;
  /** Bytes of the line that is not whole yet. */
  #heldBytes = 0;
  /** Lines so far that are not blank, the one that is not whole yet included. */
  count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws `LineTooLongError`. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#heldBytes === 0) {
        while (at < piece.length && isSpace(piece[at]!)) at++;
        if (at === piece.length) return;
        this.count++;
      }
      const newline = piece.indexOf(NEWLINE, at);
      this.#heldBytes += (newline < 0 ? piece.length : newline) - at;
      if (this.#heldBytes > this.#maxBytes) throw new LineTooLongError();
      if (newline < 0) return;
      this.#heldBytes = 0;
      at = newline + 1;
    }
  }
}
