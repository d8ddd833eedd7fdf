/** Hostile bodies against the real server: each is refused with its own problem and changes nothing, and the server goes on. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  CONTENT_TYPES,
  createClient,
  fingerprintPath,
  type IngestAnswer,
  ja4Of,
  observationsPath,
  problemFaults,
  summaryOf,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";

const SITE = "shop";
const MIB = 1_048_576;
const OBSERVATIONS = observationsPath(SITE);
const LOGPUSH = `/v1/sites/${SITE}/logpush`;
const THRESHOLD = `/v1/sites/${SITE}/thresholds/hostile`;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

const good = () => `{"timestamp":${Date.now() - 1_001},"ja4":"${ja4Of(1)}"}`;
const bytes = (...parts: (string | readonly number[] | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))));
const gzip = { "content-encoding": "gzip" };

const REFUSED: [string, string, string, Record<string, string>, () => Buffer, number][] = [
  ["oversized NDJSON", OBSERVATIONS, CONTENT_TYPES.ndjson, {}, () => Buffer.alloc(8 * MIB + 1, 0x20), 413],
  [
    "a bomb of a GiB",
    OBSERVATIONS,
    CONTENT_TYPES.ndjson,
    gzip,
    () => gzipSync(Buffer.alloc(1_024 * MIB)),
    413,
  ],
  [
    "a bomb of two members",
    OBSERVATIONS,
    CONTENT_TYPES.ndjson,
    gzip,
    () => bytes(gzipSync(Buffer.alloc(65 * MIB)), gzipSync("")),
    413,
  ],
  ["truncated gzip", OBSERVATIONS, CONTENT_TYPES.ndjson, gzip, () => gzipSync(good()).subarray(0, -4), 400],
  [
    "JSON that is not UTF-8",
    OBSERVATIONS,
    CONTENT_TYPES.json,
    {},
    () => bytes(`[${good()},"`, [0xff], `"]`),
    400,
  ],
  [
    "msgpack 10,000 deep",
    OBSERVATIONS,
    CONTENT_TYPES.msgpack,
    {},
    () => bytes(new Uint8Array(10_000).fill(0x91), [0xc0]),
    400,
  ],
  [
    "a msgpack extension",
    OBSERVATIONS,
    CONTENT_TYPES.msgpack,
    {},
    () => bytes([0x91, 0xd4, 0x01, 0x00]),
    400,
  ],
  [
    "a msgpack array that claims 2³² items",
    OBSERVATIONS,
    CONTENT_TYPES.msgpack,
    {},
    () => bytes([0xdd, 255, 255, 255, 255]),
    400,
  ],
  [
    "a Logpush line of 65 MiB",
    LOGPUSH,
    CONTENT_TYPES.ndjson,
    gzip,
    () => gzipSync(Buffer.alloc(65 * MIB, 0x61)),
    413,
  ],
  ["oversized settings", THRESHOLD, CONTENT_TYPES.json, {}, () => Buffer.alloc(257 * 1_024, 0x20), 413],
  [
    "settings that are not UTF-8",
    THRESHOLD,
    CONTENT_TYPES.json,
    {},
    () => bytes(`{"note":"`, [0xff], `"}`),
    400,
  ],
  [
    "settings 100,000 deep",
    THRESHOLD,
    CONTENT_TYPES.json,
    {},
    () => bytes("[".repeat(100_000), "]".repeat(100_000)),
    422,
  ],
  ["settings with 1e400", THRESHOLD, CONTENT_TYPES.json, {}, () => bytes(threshold('"min_reqs":1e400')), 422],
  [
    "settings with __proto__",
    THRESHOLD,
    CONTENT_TYPES.json,
    {},
    () => bytes(threshold('"__proto__":{"enabled":false}')),
    422,
  ],
];

function threshold(more: string): string {
  return `{"when":{"signal":"reqs","window":"1m","op":">","value":5},"on_missing":"skip",${more}}`;
}

describe("hostile bodies", () => {
  it.each(REFUSED)("HOST-2: %s", async (_name, path, type, headers, body, status) => {
    const before = (await summaryOf(client, SITE)).since_start;
    const method = path === THRESHOLD ? "PUT" : "POST";
    const answer = await client.send(method, path, {
      headers: { "content-type": type, ...headers },
      body: Uint8Array.from(body()),
    });
    expect(problemFaults(answer, status)).toEqual([]);
    expect((await summaryOf(client, SITE)).since_start).toEqual(before);
    expect((await client.get(THRESHOLD)).status).toBe(404);
    expect((await client.get(`/v1/sites/${SITE}/thresholds`)).status).toBe(200);
  });

  it.each([
    ["not UTF-8", () => bytes(good(), "\n", [0xff, 0xfe])],
    ["with 1e400", () => bytes(`${good()}\n{"timestamp":1e400}`)],
    ["with NUL bytes", () => bytes(good(), "\n", [0, 0, 0])],
    ["10,000 deep", () => bytes(`${good()}\n${"[".repeat(10_000)}${"]".repeat(10_000)}`)],
  ])("HOST-2: an NDJSON line %s costs itself alone", async (_name, body) => {
    const answer = await client.post(OBSERVATIONS, {
      headers: { "content-type": CONTENT_TYPES.ndjson },
      body: Uint8Array.from(body()),
    });
    expect(answer.json<IngestAnswer>()).toMatchObject({ accepted: 1, rejected: 1 });
  });

  it("HOST-3: prototypes set nothing, and the last of two members counts", async () => {
    const ja4 = ja4Of(77);
    const time = Date.now() - 1_001;
    const json = `{"timestamp":${time},"ja4":"x","ja4":"${ja4}","__proto__":{"status":500},"constructor":{"prototype":{"status":500}}}`;
    await client.post(OBSERVATIONS, {
      headers: { "content-type": CONTENT_TYPES.ndjson },
      body: Uint8Array.from(Buffer.from(json)),
    });
    const str = (text: string) => [0xa0 + text.length, ...Buffer.from(text)];
    const packed = bytes(
      [0x91, 0x83, ...str("timestamp")],
      [0xcf, ...Buffer.from(BigInt(time).toString(16).padStart(16, "0"), "hex")],
      [...str("ja4"), 0xd9, ja4.length, ...Buffer.from(ja4)],
      [...str("__proto__"), 0x81, ...str("status"), 0xcd, 0x01, 0xf4],
    );
    const answer = await client.post(OBSERVATIONS, {
      headers: { "content-type": CONTENT_TYPES.msgpack },
      body: Uint8Array.from(packed),
    });
    expect(answer.json<IngestAnswer>()).toMatchObject({ accepted: 1, rejected: 0 });
    const form = (await client.get(fingerprintPath(SITE, ja4))).json<{
      windows: { "1h": Record<string, unknown> };
    }>();
    expect(form.windows["1h"].reqs).toBe(2);
    expect(form.windows["1h"]).not.toHaveProperty("error_ratio");
  });
});
