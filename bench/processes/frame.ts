/**
 * One run of one encoding of the same rows, in a process of its own: making the bytes and reading them, ns a row, for small,
 * usual and large frames. Prints a FrameRun.
 *
 * The rows are a shop's traffic as the edge makes it. The peers carry less than a frame does: neither samples nor signals.
 */
import { median } from "../../scripts/lib/bench/stats.ts";
import { KeyedHash } from "../../src/base/hash.ts";
import { Exchange } from "../../src/edge/exchange.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { pack, unpack } from "../../src/wire/codec.ts";
import { decodeFrame, encodeFrame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { HOST, visits } from "../lib/traffic.ts";

const SIZES = [50, 500, 2_000] as const;

export interface FrameInput {
  readonly encoding: "v2" | "v1" | "json" | "maps" | "memcpy";
  /** Rows that are made and read for each size. */
  readonly rows: number;
}

export type FrameRun = Readonly<
  Record<`${"encode_ns" | "decode_ns" | "bytes"}_${(typeof SIZES)[number]}`, number>
>;

interface Encoding {
  /** Bytes of all rows. */
  encode(): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

const STRETCHES = 15;
const BASE_MS = Date.UTC(2026, 10, 23, 12);
const id = new Uint8Array(16).fill(7);

function rowsOf(count: number): Row[] {
  const hash = new KeyedHash(id);
  const maker = new RowMaker(new UserAgentClassifier());
  const exchange = new Exchange();
  return visits(count).map(({ url, headers, cf }, i) => {
    const all = new Map(Object.entries({ ...headers, host: HOST }));
    const request = { method: "GET", url, headers: { get: (name: string) => all.get(name) ?? null }, cf };
    const nowMs = BASE_MS + i * 7;
    const response = { status: 200, headers: { get: () => "HIT" } };
    exchange.read(request, response, nowMs, {});
    const row = maker.ofExchange(exchange, hash);
    // Copies: the maker uses its row again.
    return { ...row, path: row.path, signals: row.signals?.slice() };
  });
}

function frames(rows: readonly Row[], version: 1 | 2): Encoding {
  const builder = new FrameBuilder();
  return {
    encode: () => {
      builder.reset();
      for (const row of rows) builder.add(row);
      return encodeFrame(builder.build(id, "edge", NO_COUNTERS), version);
    },
    decode: decodeFrame,
  };
}

/** What a list of objects would say of the same rows. */
function plain(rows: readonly Row[]): unknown[] {
  return rows.map(({ timestampMs, ja4, flags, ipHash, uaHash, pathHash, hostHash, asnNumber }) => {
    return {
      t: timestampMs,
      ja4,
      flags,
      ip: ipHash,
      ua: uaHash,
      path: pathHash,
      host: hostHash,
      asn: asnNumber,
    };
  });
}

function json(rows: readonly Row[]): Encoding {
  const list = plain(rows);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  return {
    encode: () => encoder.encode(JSON.stringify(list)),
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as unknown,
  };
}

function encodingOf(name: FrameInput["encoding"], rows: readonly Row[]): Encoding {
  switch (name) {
    case "v2":
      return frames(rows, 2);
    case "v1":
      return frames(rows, 1);
    case "json":
      return json(rows);
    case "maps": {
      const list = plain(rows);
      return { encode: () => pack(list), decode: unpack };
    }
    case "memcpy": {
      const bytes = frames(rows, 2).encode();
      return { encode: () => new Uint8Array(bytes), decode: (other) => new Uint8Array(other) };
    }
  }
}

/** Kept, so that no call can be left out as useless. */
let sink: unknown;

/** ns a row of calls that take `rows` each: the median of several stretches after one that warms up. */
function timed(call: () => unknown, rows: number, total: number): number {
  const calls = Math.max(1, Math.round(total / rows / STRETCHES));
  const stretches = Array.from({ length: STRETCHES + 1 }, () => {
    const from = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) sink = call();
    return Number(process.hrtime.bigint() - from) / calls / rows;
  });
  return median(stretches.slice(1));
}

const input = JSON.parse(process.argv[2] ?? "") as FrameInput;
const result: Record<string, number> = {};
for (const size of SIZES) {
  const encoding = encodingOf(input.encoding, rowsOf(size));
  const bytes = encoding.encode();
  result[`encode_ns_${size}`] = timed(() => encoding.encode(), size, input.rows);
  result[`decode_ns_${size}`] = timed(() => encoding.decode(bytes), size, input.rows);
  result[`bytes_${size}`] = bytes.length / size;
}
if (sink === undefined) throw new Error("nothing was decoded");
process.stdout.write(JSON.stringify(result));
