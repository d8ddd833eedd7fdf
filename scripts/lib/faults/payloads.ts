/** Malformed payloads for every input of the API, each by a seeded draw from something valid: the same seed, the same payload. */
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { Draw } from "../../../src/simulate/random.ts";
import { encodeFrame } from "../../../src/wire/frame.ts";
import { mutate as mutateMsgpack } from "../../../test/hostile/mutations.ts";
import { encodeBody, ja4Of } from "../../../test/support/client.ts";
import { bareRow, frameOf, PSEUDO, row, signals } from "../../../test/support/frames.ts";
import { arbitraryOf, broken, type Schema } from "../../../test/support/json-schema.ts";
import { type Operation, operationsOf } from "../../../test/support/operations.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A request that is ready to go. */
export interface Payload {
  /** What is called, for the table. */
  readonly target: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes;
  /** Payloads in it: a request carries several frames. */
  readonly count: number;
}

const SITE = "shop";
const FRAMES_A_REQUEST = 64;
const SAMPLES = 40;
const RECORDS_MAX = 4;
const FINGERPRINTS = 20;
const BOMB_BYTES = 4 * 1024 * 1024;
const FRAME_ID_BYTES = 16;
/** As msgpack writes the member `id` of a frame: its name, and the header of 16 bytes. */
const FRAME_ID_HEAD = Buffer.from([0xa2, 0x69, 0x64, 0xc4, FRAME_ID_BYTES]);
/** What a list in a path or a query could be made to be. */
const ODD_TEXTS = [
  ...[
    "",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "__proto__",
    "constructor",
    "toString",
    "%00",
    "%ff",
    "%",
  ],
  ...[
    "..",
    "../..",
    "a/b",
    "é",
    "𝕊",
    "'",
    '"',
    "<script>",
    "*".repeat(64),
    "x".repeat(2_000),
    "1".repeat(400),
  ],
  // Cursors: base64url of null, of [], of ["x",1,"y"], of {"a":[…, and of bytes that are no text.
  ...["bnVsbA", "W10", "WyJ4IiwxLCJ5Il0", "eyJhIjpb", "____", "9999999999999999", "99999999999999999999"],
];
const TYPES = [
  "application/json",
  "application/x-ndjson",
  "application/msgpack",
  "text/plain",
  'application/JSON; charset="',
  "é",
];
const ODD_HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["content-encoding", ["gzip", "br", "identity", "GZIP", "gzip, gzip", "x".repeat(300)]],
  ["idempotency-key", ["a", "x".repeat(128), "x".repeat(129), "é", " ", "__proto__"]],
  ["if-match", ['"1"', "*", 'W/"1"', '"', ",,,,", `${'"1",'.repeat(1_000)}"2"`]],
  [
    "authorization",
    ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer é", `Bearer ${"x".repeat(4_000)}`],
  ],
  ["origin", ["null", "http://evil.example", "http://127.0.0.1:1"]],
  ["range", ["bytes=0-", "bytes=-1", "x"]],
  ["last-event-id", ["-1", "x", "99999999999999999999"]],
  ["cf-access-jwt-assertion", ["x", "a.b.c", "e30.e30.e30", `${"x".repeat(4_000)}.y.z`]],
];
/** Texts that are put into JSON where a value stands. */
const ODD_JSON = [
  ...[
    '{"__proto__":{"x":1}}',
    '{"constructor":{"prototype":1}}',
    "1e999",
    "-1e999",
    "1".repeat(400),
    "0.1e-400",
    '"\\ud800"',
  ],
  ...[
    "[]",
    "{}",
    "null",
    '""',
    "true",
    '"\\u0000"',
    '{"toString":1}',
    '{"then":1}',
    "-0",
    "9007199254740993",
  ],
];

export const ITEM_IDS = ["a", "login-flood"];

/** All that payloads are made from. */
export class Payloads {
  readonly #operations: readonly Operation[];
  /** Bodies that fit, by operation and media type. */
  readonly #bodies = new Map<string, readonly unknown[]>();
  readonly #values = new Map<string, readonly unknown[]>();
  readonly #records: readonly unknown[];
  readonly #frames: readonly Uint8Array[];
  readonly #ja4s = Array.from({ length: FINGERPRINTS }, (_, i) => ja4Of(i));

  /** `document`: what /openapi.json says; `nowMs`: about when the payloads are sent; `tokenIds`: of tokens that exist. */
  constructor(document: Schema, seed: number, nowMs: number, tokenIds: readonly string[]) {
    this.#operations = operationsOf(document);
    const sample = (schema: Schema) => fc.sample(arbitraryOf(schema, document), { seed, numRuns: SAMPLES });
    for (const operation of this.#operations) {
      for (const [type, schema] of operation.bodies)
        this.#bodies.set(`${operation.id} ${type}`, sample(schema));
      for (const { name, schema } of operation.parameters)
        this.#values.set(`${operation.id} ${name}`, sample(schema));
      // Of few ids, or what is written under one would hardly ever be asked for.
      if (/\/\{site\}\/(thresholds|silences|webhooks)\/\{id\}/.test(operation.template))
        this.#values.set(`${operation.id} id`, ITEM_IDS);
      // Ids of tokens are made by the server: none would be met by chance.
      if (operation.template.startsWith("/v1/tokens/{id}")) this.#values.set(`${operation.id} id`, tokenIds);
    }
    this.#records = Array.from({ length: SAMPLES }, (_, i) => ({
      ...{ timestamp: nowMs - i * 1_000, ja4: this.#ja4s[i % FINGERPRINTS], client_ip: `192.0.2.${i}` },
      ...{
        user_agent: "curl/8.5.0",
        path: `/p/${i}`,
        host: "shop.example",
        method: "GET",
        status: 200,
        asn: 64_500,
      },
      ...{
        http_protocol: "HTTP/2",
        cache_status: "hit",
        bot_score: 30,
        bot_score_src: "Heuristics",
        detection_ids: [i],
      },
      ...{
        verified_bot: false,
        ja4_signals: { browser_ratio_1h: 0.9, reqs_rank_1h: i + 1 },
        ray_id: "8f1a2b3c4d5e6f70",
      },
    }));
    const rows = Array.from({ length: 30 }, (_, i) =>
      i % 6 === 0
        ? bareRow({ timestampMs: nowMs - i })
        : row({
            timestampMs: nowMs - i,
            ja4: i % 5 === 0 ? PSEUDO : this.#ja4s[i % FINGERPRINTS]!,
            path: `/${i}`,
          }),
    );
    this.#frames = [
      rows.slice(0, 1),
      rows.slice(0, 4),
      rows,
      [row({ timestampMs: nowMs, signals: signals() })],
    ].flatMap((some) => [encodeFrame(frameOf(some), 1), encodeFrame(frameOf(some))]);
  }

  /** The operations that requests are made for. */
  get operations(): readonly string[] {
    return this.#operations.map(({ id }) => id);
  }

  next(draw: Draw): Payload {
    if (draw.chance(0.06)) return this.#framesOf(draw);
    return draw.chance(0.35) ? this.#observationsOf(draw) : this.#requestOf(draw);
  }

  #framesOf(draw: Draw): Payload {
    const parts = Array.from({ length: FRAMES_A_REQUEST }, () => {
      const original = Buffer.from(draw.pick(this.#frames));
      const id = original.indexOf(FRAME_ID_HEAD) + FRAME_ID_HEAD.length;
      // Else all but the first would be known already.
      original.write(draw.hex(2 * FRAME_ID_BYTES), id, "hex");
      const frame = mutateMsgpack(Uint8Array.from(original), draw);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(frame.length);
      return Buffer.concat([length, frame]);
    });
    const body = Uint8Array.from(Buffer.concat(parts));
    return {
      target: "frames",
      method: "POST",
      path: "/__frames",
      headers: {},
      body,
      count: FRAMES_A_REQUEST,
    };
  }

  /** Records in all their wrappings, with a fault in a record, in the text, in the bytes, or in the wrapping. */
  #observationsOf(draw: Draw): Payload {
    const records = Array.from({ length: 1 + draw.int(RECORDS_MAX) }, () => draw.pick(this.#records)).map(
      (record) => (draw.chance(0.6) ? broken(record, breakOf(draw)) : record),
    );
    const format = draw.pick(["ndjson", "json", "msgpack"] as const);
    let body: Bytes = encodeBody(records, format);
    if (draw.chance(0.5)) {
      body = format === "msgpack" ? mutateRecord(draw.pick(this.#records), draw) : mutateText(body, draw);
    }
    const headers: Record<string, string> = {
      "content-type": {
        ndjson: "application/x-ndjson",
        json: "application/json",
        msgpack: "application/msgpack",
      }[format],
    };
    if (draw.chance(0.3)) {
      headers["content-encoding"] = "gzip";
      body = wrap(body, draw);
    }
    if (draw.chance(0.2)) headers["idempotency-key"] = `k${draw.int(200)}`;
    const path = `/v1/sites/${SITE}/${draw.chance(0.75) ? "observations" : "logpush"}`;
    return { target: "records", method: "POST", path, headers, body, count: 1 };
  }

  /** Any operation of the document, with faults in path, query, headers or body. */
  #requestOf(draw: Draw): Payload {
    const operation = draw.pick(this.#operations);
    const path = operation.template.replace(/\{(\w+)\}/g, (_, name: string) =>
      this.#pathValue(operation, name, draw),
    );
    const query = operation.parameters
      .filter((one) => one.in === "query" && draw.chance(0.5))
      .map(
        ({ name }) => `${draw.chance(0.95) ? name : odd(draw)}=${this.#queryValue(operation, name, draw)}`,
      );
    const headers: Record<string, string> = {};
    while (draw.chance(0.15)) {
      const [name, values] = draw.pick(ODD_HEADERS);
      headers[name] = draw.pick(values);
    }
    const types = [...operation.bodies.keys()];
    let body: Bytes = new Uint8Array();
    if (types.length > 0) {
      const type = draw.pick(types);
      headers["content-type"] = draw.chance(0.95) ? type : draw.pick(TYPES);
      body = this.#bodyOf(`${operation.id} ${type}`, draw);
    }
    // A client cannot send anything else in a request's first line.
    const asked = (query.length === 0 ? path : `${path}?${query.join("&")}`).replace(
      /[^\x21-\x7e]+/g,
      (text) => encodeURIComponent(text.toWellFormed()),
    );
    return { target: operation.id, method: operation.method, path: asked, headers, body, count: 1 };
  }

  #pathValue({ id }: Operation, name: string, draw: Draw): string {
    if (draw.chance(0.05)) return encodeURI(odd(draw)).replaceAll("?", "%3F");
    if (name === "site") return draw.chance(0.97) ? SITE : "nowhere";
    if (name === "ja4") return draw.pick(this.#ja4s);
    if (name === "id" && draw.chance(0.7)) return `id-${draw.int(5)}`;
    return encodeURIComponent(String(draw.pick(this.#values.get(`${id} ${name}`) ?? ["x"]))) || "x";
  }

  #queryValue({ id }: Operation, name: string, draw: Draw): string {
    const text = draw.chance(0.5) ? String(draw.pick(this.#values.get(`${id} ${name}`) ?? ["x"])) : odd(draw);
    return draw.chance(0.9) ? encodeURIComponent(text.toWellFormed()) : "%ff%zz";
  }

  #bodyOf(key: string, draw: Draw): Bytes {
    let value = draw.pick(this.#bodies.get(key) ?? [{}]);
    while (draw.chance(0.6)) value = broken(value, breakOf(draw));
    const bytes = encodeText(value);
    return draw.chance(0.5) ? bytes : mutateText(bytes, draw);
  }
}

function odd(draw: Draw): string {
  return draw.pick(ODD_TEXTS);
}

function breakOf(draw: Draw) {
  return { at: draw.int(1_000), how: draw.int(8), odd: draw.int(1_000) };
}

function encodeText(value: unknown): Bytes {
  return Uint8Array.from(Buffer.from(JSON.stringify(value) ?? "undefined"));
}

/** A list of one record whose bytes have a fault. */
function mutateRecord(record: unknown, draw: Draw): Bytes {
  // A list of one map is that map behind one byte, and the map is what those mutations want.
  const list = encodeBody([record], "msgpack");
  return Uint8Array.from([list[0] ?? 0, ...mutateMsgpack(list.slice(1), draw)]);
}

/** Faults in JSON text: in its bytes, its nesting, its numbers, its names. */
function mutateText(bytes: Bytes, draw: Draw): Bytes {
  const at = draw.int(bytes.length + 1);
  const splice = (insert: string | Uint8Array, skip = 0) =>
    Uint8Array.from(
      Buffer.concat([bytes.subarray(0, at), Buffer.from(insert as string), bytes.subarray(at + skip)]),
    );
  const text = Buffer.from(bytes).toString("utf8");
  const encoded = (changed: string): Bytes => Uint8Array.from(Buffer.from(changed));
  switch (draw.int(11)) {
    case 0: {
      const copy = bytes.slice();
      for (let flips = 1 + draw.int(6); flips > 0 && copy.length > 0; flips--) {
        const place = draw.int(copy.length);
        copy[place] = copy[place]! ^ (1 << draw.int(8));
      }
      return copy;
    }
    case 1:
      return bytes.slice(0, at);
    case 2:
      return splice(bytes.subarray(draw.int(bytes.length + 1), bytes.length));
    case 3: {
      const depth = 1 + draw.int(draw.chance(0.05) ? 100_000 : 200);
      return encoded(`${"[".repeat(depth)}${text}${draw.chance(0.8) ? "]".repeat(depth) : ""}`);
    }
    case 4:
      return encoded(`${'{"a":'.repeat(1 + draw.int(300))}${text}`);
    case 5:
      // A value by another: behind a colon, up to where it seems to end.
      return encoded(text.replace(/:("[^"]*"|[^,{}[\]]+)/, () => `:${draw.pick(ODD_JSON)}`));
    case 6:
      // The first name twice.
      return encoded(
        text.replace(
          /\{("[^"]*"):/,
          (head, name: string) => `{${name}:${draw.pick(ODD_JSON)},${head.slice(1)}`,
        ),
      );
    case 7:
      return splice(Uint8Array.from([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80].slice(draw.int(7))));
    case 8:
      return splice(
        draw.pick(["\u0000", "\ufeff", "\r\n\r\n", "\u2028", "//", "/*", "NaN", ",", '"', "\\"]),
        draw.int(3),
      );
    case 9:
      return encoded(draw.pick(ODD_JSON));
    default:
      return Uint8Array.from({ length: draw.int(60) }, () => draw.int(256));
  }
}

/** Gzip, mostly not quite: cut, changed, twice, in several members, with rubbish behind it, or a bomb. */
function wrap(bytes: Bytes, draw: Draw): Bytes {
  const zipped = Uint8Array.from(gzipSync(bytes, { level: 1 }));
  const join = (...parts: Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));
  switch (draw.int(9)) {
    case 0:
      return zipped.slice(0, draw.int(zipped.length));
    case 1: {
      const at = draw.int(zipped.length);
      zipped[at] = zipped[at]! ^ (1 << draw.int(8));
      return zipped;
    }
    case 2:
      return Uint8Array.from(gzipSync(zipped, { level: 1 }));
    case 3:
      return join(zipped, zipped);
    case 4:
      return join(zipped, Uint8Array.from([1, 2, 3]));
    case 5:
      return bytes;
    case 6:
      return draw.chance(0.02) ? Uint8Array.from(gzipSync(new Uint8Array(BOMB_BYTES), { level: 1 })) : zipped;
    default:
      return zipped;
  }
}
