/**
 * Ingest bodies as a sequence of records, one at a time: a 64 MiB body is never one JavaScript value. NDJSON goes line by
 * line; a JSON array is cut into its elements by a scan over the bytes that knows strings and depth only, and each is
 * parsed by itself; msgpack is walked by the prescan and unpacked element by element.
 */
import { RECORD_MAX_BYTES } from "../config.ts";
import { unpack } from "./codec.ts";
import { PrescanError, prescanArray } from "./prescan.ts";

/** One record, or why it is none (a fault of its own: the others go on). */
export type RecordResult = { value: unknown } | { fault: string };

/** The body as a whole is not what its type says. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly reason: "undecodable" | "too_many";
  constructor(reason: "undecodable" | "too_many", detail: string) {
    super(detail);
    this.reason = reason;
  }
}

export const BODY_TYPES = ["application/x-ndjson", "application/json", "application/msgpack"] as const;
export type BodyType = (typeof BODY_TYPES)[number];

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const MSGPACK_LIMITS = { depth: 16, items: 20_000, textBytes: Number.POSITIVE_INFINITY };

/** Every record of a body. Throws `BodyError`, at the latest when the record past `max` would come. */
export function* records(type: BodyType, bytes: Uint8Array, max: number): Generator<RecordResult> {
  let count = 0;
  for (const record of split(type, bytes, max)) {
    if (++count > max) throw tooMany(max);
    yield record;
  }
}

function split(type: BodyType, bytes: Uint8Array, max: number): Generator<RecordResult> {
  if (type === "application/x-ndjson") return lines(bytes);
  return type === "application/json" ? elements(bytes) : packed(bytes, max);
}

function tooMany(max: number): BodyError {
  return new BodyError("too_many", `The body has more than ${max} observations.`);
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === NEWLINE;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every(isSpace);
}

function* lines(bytes: Uint8Array): Generator<RecordResult> {
  for (let start = 0; ; ) {
    // Blank lines one byte at a time: a body of newlines alone must not cost a view and a search for each.
    while (start < bytes.length && isSpace(bytes[start]!)) start++;
    if (start >= bytes.length) return;
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const line = bytes.subarray(start, end);
    start = end + 1;
    if (line.length > RECORD_MAX_BYTES)
      yield { fault: `the record is longer than ${RECORD_MAX_BYTES} bytes` };
    else yield parseLine(line);
  }
}

function parseLine(line: Uint8Array): RecordResult {
  let text: string;
  try {
    text = utf8.decode(line);
  } catch {
    return { fault: "the line is not UTF-8" };
  }
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { fault: "the line is not JSON" };
  }
}

function* elements(bytes: Uint8Array): Generator<RecordResult> {
  const undecodable = () => new BodyError("undecodable", "The body is not a JSON array in UTF-8.");
  let at = 0;
  while (at < bytes.length && isSpace(bytes[at]!)) at++;
  if (bytes[at] !== OPEN_BRACKET) throw undecodable();
  let start = ++at;
  let depth = 0;
  let inString = false;
  for (; ; at++) {
    const byte = bytes[at];
    if (byte === undefined) throw undecodable();
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++;
    else if (byte === CLOSE_BRACKET && depth === 0) break;
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
    else if (byte === COMMA && depth === 0) {
      yield parseElement(bytes.subarray(start, at), undecodable);
      start = at + 1;
    }
  }
  const last = bytes.subarray(start, at);
  if (!isBlank(bytes.subarray(at + 1))) throw undecodable();
  // `[]` has no element; `[1,]` has an empty one, which no JSON has.
  if (start > 1 + bytes.indexOf(OPEN_BRACKET) || !isBlank(last)) yield parseElement(last, undecodable);
}

function parseElement(element: Uint8Array, undecodable: () => BodyError): RecordResult {
  if (element.length > RECORD_MAX_BYTES)
    return { fault: `the record is longer than ${RECORD_MAX_BYTES} bytes` };
  try {
    return { value: JSON.parse(utf8.decode(element)) as unknown };
  } catch {
    throw undecodable();
  }
}

function* packed(bytes: Uint8Array, max: number): Generator<RecordResult> {
  let offsets: Uint32Array | undefined;
  try {
    offsets = prescanArray(bytes, MSGPACK_LIMITS, max);
  } catch (error) {
    if (error instanceof PrescanError)
      throw new BodyError("undecodable", `The body is not plain msgpack (${error.fault}).`);
    throw error;
  }
  if (offsets === undefined) throw new BodyError("undecodable", "The body is not a msgpack array.");
  if (offsets.length - 1 > max) throw tooMany(max);
  for (let i = 0; i + 1 < offsets.length; i++) {
    const element = bytes.subarray(offsets[i], offsets[i + 1]);
    if (element.length > RECORD_MAX_BYTES)
      yield { fault: `the record is longer than ${RECORD_MAX_BYTES} bytes` };
    else yield { value: unpack(element) };
  }
}
