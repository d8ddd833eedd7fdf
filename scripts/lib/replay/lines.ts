/** A file's lines, plain or gzip, as a stream: however large the file or a line is, memory stays flat. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { errorText, Failure } from "../failure.ts";

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Absent = longer than LINE_MAX_BYTES. */
  readonly text: string | undefined;
}

export interface LogFile {
  readonly path: string;
  /** Bytes that are read; what is appended to a live log later is not part of this replay. */
  readonly bytes: number;
  readonly gzip: boolean;
}

/** Four fields of 8 KiB, all escaped, are 128 KiB; past this it is no log line. */
export const LINE_MAX_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
const GZIP_MAGIC = [0x1f, 0x8b];

export async function openLog(path: string): Promise<LogFile> {
  try {
    const handle = await open(path, "r");
    try {
      const stat = await handle.stat();
      // It is read twice: first to know its span, then to send it.
      if (!stat.isFile()) throw new Failure(`${path}: not a regular file`, 2);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
      const gzip = bytesRead === 2 && GZIP_MAGIC.every((byte, i) => buffer[i] === byte);
      return { path, bytes: stat.size, gzip };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${path}: cannot be read: ${errorText(error)}`, 2);
  }
}

/** The lines, some at a time. `onBytes` sees the file's own bytes. */
export async function* readLines(file: LogFile, onBytes?: (bytes: Buffer) => void): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter();
  try {
    for await (const chunk of bytesOf(file, onBytes)) {
      const lines = splitter.push(chunk);
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    throw new Failure(`${file.path}: cannot be read: ${errorText(error)}`);
  }
  const rest = splitter.end();
  if (rest.length > 0) yield rest;
}

async function* bytesOf(file: LogFile, onBytes?: (bytes: Buffer) => void): AsyncGenerator<Buffer> {
  if (file.bytes === 0) return;
  const raw = createReadStream(file.path, { end: file.bytes - 1 });
  let source: Readable = raw;
  if (file.gzip) {
    const seen = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        onBytes?.(chunk);
        yield chunk;
      }
    };
    // An error anywhere destroys the last stream with it, and so reaches the loop below.
    source = pipeline(raw, seen, createGunzip(), () => {});
  }
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (!file.gzip) onBytes?.(chunk);
    yield chunk;
  }
}

/** Cuts bytes at newlines; `\r` before one, and a byte order mark, are no part of a line. */
export class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8");
  #parts: Buffer[] = [];
  #size = 0;
  #number = 0;

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      this.#keep(chunk.subarray(at, end));
      lines.push(this.#take());
      at = end + 1;
    }
    this.#keep(chunk.subarray(at));
    return lines;
  }

  /** The last line, when no newline ends it. */
  end(): Line[] {
    return this.#size === 0 ? [] : [this.#take()];
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#size += part.length;
    if (this.#size <= LINE_MAX_BYTES) this.#parts.push(part);
    else this.#parts = [];
  }

  #take(): Line {
    const number = ++this.#number;
    const tooLong = this.#size > LINE_MAX_BYTES;
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return { number, text: tooLong ? undefined : this.#decoder.decode(bytes).replace(/\r$/, "") };
  }
}
