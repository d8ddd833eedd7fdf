/** Request bodies under limits: what is too large stops being read, what inflates too far stops being inflated. */
import { joined } from "../base/bytes.ts";
import { repeatedName } from "../base/json-names.ts";
import { Problem } from "../base/problem.ts";
import { BODY_INFLATED_MAX_BYTES, BODY_WIRE_MAX_BYTES, JSON_BODY_MAX_BYTES } from "../config.ts";
import { Gunzip, GzipError } from "../wire/gunzip.ts";
import { inflatedSize } from "../wire/inflated-size.ts";
import { JSON_DEPTH_MAX, pointerOf } from "./validate.ts";

export const MIB = 1024 * 1024;
/**
 * A body that is too large is still read, and thrown away, up to this size: a client that gets its answer while it writes
 * often sees a broken connection instead of the 413.
 */
const DRAIN_MAX_BYTES = 4 * BODY_WIRE_MAX_BYTES;

export function tooLarge(what: string): Problem {
  return new Problem(413, "too_large", what);
}

/** Of a body whose text is longer than `maxBytes`. */
export function inflatesTooFar(maxBytes: number): Problem {
  return tooLarge(`The body inflates to more than ${maxBytes / MIB} MiB.`);
}

export function badGzip(): Problem {
  return new Problem(400, "bad_gzip", "The body is not a whole gzip stream.");
}

/**
 * All bytes of a stream, or `onExcess` thrown when there are more than `max`; then nothing is kept, and no more than
 * `drainMax` bytes are read.
 */
async function readAll(
  stream: ReadableStream<Uint8Array>,
  max: number,
  drainMax: number,
  onExcess: () => Problem,
): Promise<Uint8Array> {
  const reader = stream.getReader();
  let chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size <= max) chunks.push(value);
    else chunks = [];
    if (size > max && size >= drainMax) {
      await reader.cancel().catch(() => undefined);
      throw onExcess();
    }
  }
  if (size > max) throw onExcess();
  return joined(chunks);
}

/**
 * All that gzip holds, of one member or several. Its length is found first, without inflating: what inflates too far takes no
 * memory and little time, whatever its trailer says, and the rest is inflated once, to where it stays.
 */
function gunzip(bytes: Uint8Array): Uint8Array {
  try {
    const size = inflatedSize(bytes, BODY_INFLATED_MAX_BYTES);
    if (size > BODY_INFLATED_MAX_BYTES) throw inflatesTooFar(BODY_INFLATED_MAX_BYTES);
    const whole = new Uint8Array(size);
    const stream = new Gunzip();
    let at = 0;
    for (const piece of stream.push(bytes)) {
      whole.set(piece, at);
      at += piece.length;
    }
    stream.finish();
    return whole;
  } catch (error) {
    if (error instanceof GzipError) throw badGzip();
    throw error;
  }
}

/** Media type without parameters, in lower case; empty when there is none. */
export function mediaType(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** What an ingest body is encoded with. Throws 415. */
export function ingestEncoding(request: Request): "identity" | "gzip" {
  const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  if (encoding === "identity" || encoding === "gzip") return encoding;
  throw new Problem(415, "encoding", "Content-Encoding must be gzip or absent.");
}

/** An ingest body: `Content-Encoding` gzip or none. Throws 413, 415, 400. */
export async function readIngestBody(request: Request): Promise<Uint8Array> {
  const encoding = ingestEncoding(request);
  const excess = () => tooLarge(`The body is larger than ${BODY_WIRE_MAX_BYTES / MIB} MiB.`);
  const wire =
    request.body === null
      ? new Uint8Array()
      : await readAll(request.body, BODY_WIRE_MAX_BYTES, DRAIN_MAX_BYTES, excess);
  return encoding === "gzip" ? gunzip(wire) : wire;
}

/** A JSON body of the settings kind, of at most `maxBytes`, in which no name is twice. Throws 413, 415, 400, 422. */
export async function readJson(request: Request, maxBytes = JSON_BODY_MAX_BYTES): Promise<unknown> {
  if (mediaType(request) !== "application/json") {
    throw new Problem(415, "content_type", "Content-Type must be application/json.");
  }
  if ((request.headers.get("content-encoding") ?? "identity").toLowerCase() !== "identity") {
    throw new Problem(415, "encoding", "This body must not be compressed.");
  }
  const excess = () => tooLarge(`The body is larger than ${maxBytes / 1024} KiB.`);
  const bytes =
    request.body === null ? new Uint8Array() : await readAll(request.body, maxBytes, DRAIN_MAX_BYTES, excess);
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new Problem(400, "bad_json", "The body is not JSON in UTF-8.");
  }
  const repeated = repeatedName(text, JSON_DEPTH_MAX);
  if (repeated !== undefined) {
    const errors = [{ pointer: pointerOf(repeated), detail: "this name is there twice" }];
    throw new Problem(422, "repeated_name", "An object of the body has two members of one name.", { errors });
  }
  return value;
}

/** The JSON body of a request that may come without one, which is `{}`: there is no content type then. Throws 413, 415, 400. */
export async function readOptionalJson(request: Request): Promise<unknown> {
  const isBare = request.body === null || request.headers.get("content-length") === "0";
  return isBare ? {} : readJson(request);
}
