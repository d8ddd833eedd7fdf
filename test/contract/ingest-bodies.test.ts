/** Bodies: the three formats, gzip, counts and errors, limits, and what a hostile client sends. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type BodyFormat,
  type Client,
  CONTENT_TYPES,
  createClient,
  encodeBody,
  hourlyRequests,
  type IngestAnswer,
  ingest,
  ja4Of,
  observationsPath,
  problemFaults,
  summaryOf,
} from "../support/client.ts";
import { startServer } from "../support/server.ts";
import { answerFaults } from "./helpers/openapi.ts";

const SITE = "shop";
const FORMATS: readonly BodyFormat[] = ["ndjson", "json", "msgpack"];
const MIB = 1_048_576;
let server: Awaited<ReturnType<typeof startServer>>;
let client: Client;

beforeAll(async () => {
  server = await startServer({ sites: [SITE] });
  client = createClient(server);
}, 30_000);
afterAll(() => server?.stop());

let nextJa4 = 100;
const freshJa4 = (): string => ja4Of(nextJa4++);
const one = (ja4: string): Record<string, unknown> => ({ timestamp: Date.now() - 1_001, ja4 });
const line = (ja4: string): string => JSON.stringify(one(ja4));

function send(body: string | Uint8Array, headers: Record<string, string>): Promise<Answer> {
  const bytes = Uint8Array.from(typeof body === "string" ? Buffer.from(body) : body);
  return client.post(observationsPath(SITE), { headers, body: bytes });
}
const sendNdjson = (body: string): Promise<Answer> => send(body, { "content-type": CONTENT_TYPES.ndjson });

async function counts(answer: Answer): Promise<number[]> {
  expect(answer.status).toBe(202);
  const { accepted, rejected, expired } = answer.json<IngestAnswer>();
  return [accepted, rejected, expired];
}

describe("bodies", () => {
  it.each(FORMATS.flatMap((format) => [[format, false] as const, [format, true] as const]))(
    "BODY-1: %s, gzip %s, counts and reads back at once",
    async (format, gzip) => {
      const ja4 = freshJa4();
      const records = [
        one(ja4),
        { ...one(ja4), status: 0 },
        { ...one(ja4), timestamp: 1e12 },
        { ...one(ja4), ja4: null },
      ];
      const answer = await ingest(client, SITE, records, { format, gzip });
      const body = answer.json<IngestAnswer>();
      const { accepted, rejected, expired, without_ja4 } = body;
      expect({ accepted, rejected, expired, without_ja4 }).toEqual({
        accepted: 2,
        rejected: 1,
        expired: 1,
        without_ja4: 1,
      });
      expect(body.errors.map((error) => error.index)).toEqual([1]);
      expect(await hourlyRequests(client, SITE, ja4)).toBe(1);
    },
  );

  it("BODY-2: blank lines and CR LF are no records and take no index", async () => {
    const ja4 = freshJa4();
    const body = `\n${line(ja4)}\r\n\r\n   \n{"timestamp":"x"}\n\n${line(ja4)}`;
    const answer = await sendNdjson(body);
    expect(await counts(answer)).toEqual([2, 1, 0]);
    expect(answer.json<IngestAnswer>().errors[0]?.index).toBe(1);
  });

  it.each(["{", "not json", "[1,2", '"text"', "17", "null", "[]", '{"a":1}}'])(
    "BODY-3: the line %s is one rejected record",
    async (broken) => {
      const ja4 = freshJa4();
      const answer = await sendNdjson(`${line(ja4)}\n${broken}\n${line(ja4)}\n`);
      expect(await counts(answer)).toEqual([2, 1, 0]);
      expect(answer.json<IngestAnswer>().errors.map((error) => error.index)).toEqual([1]);
    },
  );

  it.each(["json", "msgpack"] as const)(
    "BODY-4: items of a %s array that are no objects are rejected records",
    async (format) => {
      const records = [one(freshJa4()), 5, "x", null, [], true];
      const answer = await ingest(client, SITE, records, { format });
      expect(await counts(answer)).toEqual([1, 5, 0]);
      expect(answer.json<IngestAnswer>().errors.map((error) => error.index)).toEqual([1, 2, 3, 4, 5]);
    },
  );

  it.each(FORMATS)("BODY-5: an empty %s body or array answers zeros", async (format) => {
    const answer = await ingest(client, SITE, [], { format });
    expect(answer.json<IngestAnswer>()).toEqual({
      accepted: 0,
      rejected: 0,
      expired: 0,
      without_ja4: 0,
      errors: [],
    });
  });

  it("BODY-6: of 150 rejected records the first 100 are listed", async () => {
    const records = Array.from({ length: 150 }, () => ({ timestamp: "never" }));
    const body = (await ingest(client, SITE, records)).json<IngestAnswer>();
    expect(body.rejected).toBe(150);
    expect(body.errors.map((error) => error.index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it("BODY-7: a content type may carry parameters and any case", async () => {
    const answer = await send(`[${line(freshJa4())}]`, { "content-type": "Application/JSON; charset=utf-8" });
    expect(await counts(answer)).toEqual([1, 0, 0]);
  });

  it("BODY-8: msgpack timestamps may be uint64, as most languages write them", async () => {
    const ja4 = freshJa4();
    const time = Buffer.alloc(9);
    time[0] = 0xcf;
    time.writeBigUInt64BE(BigInt(Date.now() - 1_001), 1);
    const text = (value: string): Buffer => Buffer.from([0xd9, value.length, ...Buffer.from(value)]);
    const body = Buffer.concat([Buffer.from([0x91, 0x82]), text("timestamp"), time, text("ja4"), text(ja4)]);
    const answer = await send(body, { "content-type": CONTENT_TYPES.msgpack });
    expect(await counts(answer)).toEqual([1, 0, 0]);
  });
});

describe("bodies that cannot be decoded", () => {
  const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
  const cases: readonly [what: string, headers: Record<string, string>, body: () => Uint8Array][] = [
    ["broken JSON", { "content-type": "application/json" }, () => Buffer.from(`[${line(ja4Of(1))}`)],
    ["a JSON object", { "content-type": "application/json" }, () => Buffer.from(line(ja4Of(1)))],
    ["an empty JSON body", { "content-type": "application/json" }, () => Buffer.alloc(0)],
    [
      "JSON nested 100,000 deep",
      { "content-type": "application/json" },
      () => Buffer.from("[".repeat(100_000)),
    ],
    [
      "broken msgpack",
      { "content-type": CONTENT_TYPES.msgpack },
      () => encodeBody([one(ja4Of(1))], "msgpack").slice(0, -3),
    ],
    ["a msgpack map", { "content-type": CONTENT_TYPES.msgpack }, () => Buffer.from([0x80])],
    ["msgpack nested 100,000 deep", { "content-type": CONTENT_TYPES.msgpack }, () => nested(100_000)],
    [
      "a msgpack extension",
      { "content-type": CONTENT_TYPES.msgpack },
      () => Buffer.from([0x91, 0xd6, 0xff, 0, 0, 0, 0]),
    ],
    [
      "a msgpack RegExp extension",
      { "content-type": CONTENT_TYPES.msgpack },
      () => Buffer.from([0x91, 0xd5, 0x78, 0x2f, 0x61]),
    ],
    ["the msgpack byte 0xC1", { "content-type": CONTENT_TYPES.msgpack }, () => Buffer.from([0x91, 0xc1])],
    [
      "a msgpack array that claims 2³² items",
      { "content-type": CONTENT_TYPES.msgpack },
      () => Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
    ],
    [
      "bytes after the msgpack array",
      { "content-type": CONTENT_TYPES.msgpack },
      () => Buffer.from([0x90, 0x01]),
    ],
    [
      "truncated gzip",
      { "content-type": CONTENT_TYPES.ndjson, "content-encoding": "gzip" },
      () => gzipSync(`${line(ja4Of(1))}\n`.repeat(500)).subarray(0, 60),
    ],
    [
      "bytes that are no gzip",
      { "content-type": CONTENT_TYPES.ndjson, "content-encoding": "gzip" },
      () => Buffer.from(line(ja4Of(1))),
    ],
  ];
  it.each(cases)("BODY-9: %s is 400 and nothing counts", async (_what, headers, body) => {
    const before = (await summaryOf(client, SITE)).since_start.accepted;
    expect(problemFaults(await send(body(), headers), 400)).toEqual([]);
    expect((await summaryOf(client, SITE)).since_start.accepted).toBe(before);
  });

  it.each([
    [{ "content-type": "text/plain" }],
    [{ "content-type": "application/xml" }],
    [{} as Record<string, string>],
    [{ "content-type": CONTENT_TYPES.ndjson, "content-encoding": "br" }],
    [{ "content-type": CONTENT_TYPES.ndjson, "content-encoding": "deflate" }],
  ])("BODY-10: %j is 415", async (headers) => {
    expect(problemFaults(await send(`${line(ja4Of(1))}\n`, headers), 415)).toEqual([]);
  });
});

describe("limits", () => {
  it("LIMIT-1: 50,000 observations pass, 50,001 are 413 and none counts", async () => {
    const ja4 = freshJa4();
    const records = Array.from({ length: 50_000 }, () => one(ja4));
    expect(problemFaults(await ingest(client, SITE, [...records, one(ja4)], { gzip: true }), 413)).toEqual(
      [],
    );
    expect(await hourlyRequests(client, SITE, ja4)).toBe(0);
    expect(await counts(await ingest(client, SITE, records, { gzip: true }))).toEqual([50_000, 0, 0]);
    expect(await hourlyRequests(client, SITE, ja4)).toBe(50_000);
  });

  it.each(["json", "msgpack"] as const)("LIMIT-2: 50,001 %s items are 413", async (format) => {
    const records = Array.from({ length: 50_001 }, () => ({}));
    expect(problemFaults(await ingest(client, SITE, records, { format, gzip: true }), 413)).toEqual([]);
  });

  it("LIMIT-3: 8 MiB on the wire pass, one byte more is 413", async () => {
    const ja4 = freshJa4();
    const whole = `${line(ja4)}\n`;
    const body = whole + "\n".repeat(8 * MIB - whole.length);
    expect(await counts(await sendNdjson(body))).toEqual([1, 0, 0]);
    expect(problemFaults(await sendNdjson(`${body}\n`), 413)).toEqual([]);
    expect(await hourlyRequests(client, SITE, ja4)).toBe(1);
  });

  it("LIMIT-4: 64 MiB inflated pass, one byte more is 413 and nothing counts", async () => {
    const ja4 = freshJa4();
    const headers = { "content-type": CONTENT_TYPES.ndjson, "content-encoding": "gzip" };
    const whole = Buffer.from(`${line(ja4)}\n`);
    const padded = (size: number): Uint8Array =>
      gzipSync(Buffer.concat([whole, Buffer.alloc(size - whole.length, 0x0a)]), { level: 1 });
    expect(problemFaults(await send(padded(64 * MIB + 1), headers), 413)).toEqual([]);
    expect(await hourlyRequests(client, SITE, ja4)).toBe(0);
    expect(await counts(await send(padded(64 * MIB), headers))).toEqual([1, 0, 0]);
  });

  it.each(FORMATS)("LIMIT-5: a gzip bomb of 512 MiB as %s is refused", async (format) => {
    const bomb = gzipSync(Buffer.alloc(512 * MIB, 0x20), { level: 1 });
    const answer = await send(bomb, { "content-type": CONTENT_TYPES[format], "content-encoding": "gzip" });
    expect(format === "msgpack" ? [400, 413] : [413]).toContain(answer.status);
  });

  it("LIMIT-6: 8 MiB of random bytes answer 4xx or rejected lines, and the server lives", async () => {
    const noise = randomBytes(MIB);
    for (const format of FORMATS) {
      const answer = await send(noise, { "content-type": CONTENT_TYPES[format] });
      expect(format === "ndjson" ? [202, 400] : [400]).toContain(answer.status);
    }
    expect((await client.get("/healthz")).status).toBe(200);
  });

  it("API-2: every answer of this file is as /openapi.json describes it", async () => {
    expect((await answerFaults(client)).slice(0, 10)).toEqual([]);
  });
});
