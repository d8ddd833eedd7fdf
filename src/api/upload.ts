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
import { LineSplitter, LineTooLongError } from "../wire/lines.ts";
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

/** Bytes of the wire → lines of the text, under all limits but the wire's. Throws 400 and 413. */
class UploadLines {
  readonly #limits: UploadLimits;
  readonly #gunzip: Gunzip | undefined;
  readonly #splitter: LineSplitter;
  #inflated = 0;
  #lines = 0;

  constructor(limits: UploadLimits, isGzipped: boolean) {
    this.#limits = limits;
    this.#gunzip = isGzipped ? new Gunzip() : undefined;
    this.#splitter = new LineSplitter(limits.lineBytes);
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    try {
      if (this.#gunzip === undefined) yield* this.#split(bytes);
      else for (const piece of this.#gunzip.push(bytes)) yield* this.#split(piece);
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
  }

  *finish(): Generator<Uint8Array> {
    try {
      this.#gunzip?.finish();
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
    for (const line of this.#splitter.finish()) yield this.#counted(line);
  }

  *#split(piece: Uint8Array): Generator<Uint8Array> {
    this.#inflated += piece.length;
    if (this.#inflated > this.#limits.inflatedBytes) throw inflatesTooFar(this.#limits.inflatedBytes);
    for (const line of this.#splitter.push(piece)) yield this.#counted(line);
  }

  #counted(line: Uint8Array): Uint8Array {
    const { lines } = this.#limits;
    if (++this.#lines > lines) throw new Problem(413, "too_many", `The body has more than ${lines} records.`);
    return line;
  }
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
    this.#checkInflated();
    const lines = new UploadLines(this.#limits, this.#isGzipped && this.#head.length > 0);
    for (const _line of lines.push(this.#head));
    for (const _line of lines.finish());
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

  /** Before anything is inflated, where it could be too much at all. */
  #checkInflated(): void {
    const { inflatedBytes } = this.#limits;
    if (!this.#isGzipped || this.#head.length * INFLATES_MOST <= inflatedBytes) return;
    try {
      if (inflatedSize(this.#head, inflatedBytes) > inflatedBytes) throw inflatesTooFar(inflatedBytes);
    } catch (error) {
      throw problemOf(error, this.#limits);
    }
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
