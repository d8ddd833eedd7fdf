/**
 * A body that may be larger than memory: read as it comes, inflated and cut into lines piece by piece, under limits. What is
 * short on the wire is held and can be gone through twice, so that a fault is found before anything of it counts.
 */
import { joined } from "../base/bytes.ts";
import { hex, sha256 } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import {
  LOGPUSH_HELD_BYTES,
  LOGPUSH_INFLATED_MAX_BYTES,
  LOGPUSH_LINE_MAX_BYTES,
  LOGPUSH_RECORDS_MAX,
  LOGPUSH_WIRE_MAX_BYTES,
} from "../config.ts";
import { Gunzip, GzipError, INFLATES_MOST, isGzip } from "../wire/gunzip.ts";
import { inflatedSize } from "../wire/inflated-size.ts";
import { LineCounter, LineSplitter, LineTooLongError } from "../wire/lines.ts";
import { badGzip, inflatesTooFar, ingestEncoding, MIB, tooLarge } from "./body.ts";

/** A body that is refused is still read up to this size, or many clients see a broken connection instead of the answer. */
const DRAIN_MAX_BYTES = 2 * LOGPUSH_WIRE_MAX_BYTES;

export interface UploadLimits {
  wireBytes: number;
  inflatedBytes: number;
  lineBytes: number;
  lines: number;
  heldBytes: number;
}

const UPLOAD_LIMITS: UploadLimits = {
  wireBytes: LOGPUSH_WIRE_MAX_BYTES,
  inflatedBytes: LOGPUSH_INFLATED_MAX_BYTES,
  lineBytes: LOGPUSH_LINE_MAX_BYTES,
  lines: LOGPUSH_RECORDS_MAX,
  heldBytes: LOGPUSH_HELD_BYTES,
};

/** Bytes of the wire → the text, up to its limit. */
class UploadText {
  readonly #maxBytes: number;
  readonly #gunzip: Gunzip | undefined;
  /** Bytes of text so far. */
  size = 0;

  constructor({ inflatedBytes }: UploadLimits, isGzipped: boolean) {
    this.#maxBytes = inflatedBytes;
    this.#gunzip = isGzipped ? new Gunzip() : undefined;
  }

  /** Throws `GzipError` and 413. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (const piece of this.#gunzip?.push(bytes) ?? [bytes]) {
      this.size += piece.length;
      if (this.size > this.#maxBytes) throw inflatesTooFar(this.#maxBytes);
      yield piece;
    }
  }

  /** Throws `GzipError`. */
  finish(): void {
    this.#gunzip?.finish();
  }
}

/** Bytes of the wire → lines of the text, under all limits but the wire's. Throws 400 and 413. */
class UploadLines {
  readonly #limits: UploadLimits;
  readonly #text: UploadText;
  readonly #splitter: LineSplitter;
  #lines = 0;

  constructor(limits: UploadLimits, isGzipped: boolean) {
    this.#limits = limits;
    this.#text = new UploadText(limits, isGzipped);
    this.#splitter = new LineSplitter(limits.lineBytes);
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    try {
      for (const piece of this.#text.push(bytes))
        for (const line of this.#splitter.push(piece)) yield this.#counted(line);
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
  }

  *finish(): Generator<Uint8Array> {
    try {
      this.#text.finish();
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
    for (const line of this.#splitter.finish()) yield this.#counted(line);
  }

  #counted(line: Uint8Array): Uint8Array {
    checkCount(++this.#lines, this.#limits);
    return line;
  }
}

function checkCount(count: number, { lines }: UploadLimits): void {
  if (count > lines) throw new Problem(413, "too_many", `The body has more than ${lines} records.`);
}

function problemOf(error: unknown, { lineBytes }: UploadLimits): unknown {
  if (error instanceof GzipError) return badGzip();
  if (error instanceof LineTooLongError)
    return tooLarge(`A line of the body is longer than ${lineBytes} bytes.`);
  return error;
}

export class Upload {
  /**
   * Tells one upload from another: the SHA-256 of its bytes, or of so many as are held and the whole length that the sender
   * announced. Two that begin alike over 8 MiB of compressed requests are the same.
   */
  readonly name: string;
  readonly digest: Uint8Array;
  readonly #limits: UploadLimits;
  readonly #head: Uint8Array;
  readonly #isGzipped: boolean;
  /** What is not read yet; absent when all of it is held. */
  readonly #rest: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #read: number;

  private constructor(
    limits: UploadLimits,
    head: Uint8Array,
    rest: ReadableStreamDefaultReader<Uint8Array> | undefined,
    { name, digest, isGzipped }: { name: string; digest: Uint8Array; isGzipped: boolean },
  ) {
    this.#limits = limits;
    this.#head = head;
    this.#rest = rest;
    this.#read = head.length;
    this.#isGzipped = isGzipped;
    this.name = name;
    this.digest = digest;
  }

  /** Reads as much as is held. Throws 413 and 415. */
  static async open(request: Request, limits = UPLOAD_LIMITS): Promise<Upload> {
    const encoding = ingestEncoding(request);
    const reader = request.body?.getReader();
    const chunks: Uint8Array[] = [];
    let size = 0;
    let done = reader === undefined;
    while (!done && size <= limits.heldBytes) {
      const result = await reader!.read();
      done = result.done;
      if (result.value === undefined) continue;
      chunks.push(result.value);
      size += result.value.length;
    }
    const head = joined(chunks);
    // However the bytes came, the same ones are named the same.
    const digest = await sha256(done ? head : head.subarray(0, limits.heldBytes));
    const length = done ? "" : `/${request.headers.get("content-length") ?? ""}`;
    const isGzipped = encoding === "gzip" || isGzip(head);
    const name = `${hex(digest)}${length}`;
    const upload = new Upload(limits, head, done ? undefined : reader, { name, digest, isGzipped });
    await upload.#checkAnnounced(Number(request.headers.get("content-length") ?? 0));
    return upload;
  }

  /** Goes through what is held, if that is all. Throws 400 and 413. */
  check(): void {
    if (this.#rest !== undefined) return;
    try {
      this.#look();
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
  }

  /** The lines that are not blank, a piece of the wire at a time; views, good until the next. Throws 400 and 413. */
  async *lines(): AsyncGenerator<Iterable<Uint8Array>> {
    const lines = new UploadLines(this.#limits, this.#isGzipped && this.#head.length > 0);
    yield lines.push(this.#head);
    while (this.#rest !== undefined) {
      const { done, value } = await this.#rest.read();
      if (done) break;
      this.#read += value.length;
      if (this.#read > this.#limits.wireBytes) throw this.#tooLong();
      yield lines.push(value);
    }
    yield lines.finish();
  }

  /** Reads the rest and throws it away. Never throws. */
  async drain(): Promise<void> {
    try {
      while (this.#rest !== undefined && this.#read < DRAIN_MAX_BYTES) {
        const { done, value } = await this.#rest.read();
        if (done) return;
        this.#read += value.length;
      }
      await this.#rest?.cancel();
    } catch {
      // The sender went away: nobody waits for an answer.
    }
  }

  #look(): void {
    const { inflatedBytes, lineBytes } = this.#limits;
    const text = new UploadText(this.#limits, this.#isGzipped && this.#head.length > 0);
    const lines = new LineCounter(lineBytes);
    let isSized = !this.#isGzipped || this.#head.length * INFLATES_MOST <= inflatedBytes;
    for (const piece of text.push(this.#head)) {
      lines.push(piece);
      checkCount(lines.count, this.#limits);
      // Most bombs are one line and have shown it by now. Of the others the whole length is found before more is inflated.
      if (isSized || text.size <= lineBytes) continue;
      isSized = true;
      if (inflatedSize(this.#head, inflatedBytes) > inflatedBytes) throw inflatesTooFar(inflatedBytes);
    }
    text.finish();
  }

  async #checkAnnounced(length: number): Promise<void> {
    if (Math.max(length, this.#read) <= this.#limits.wireBytes) return;
    await this.drain();
    throw this.#tooLong();
  }

  #tooLong(): Problem {
    return tooLarge(`The body is larger than ${this.#limits.wireBytes / MIB} MiB.`);
  }
}
