/**
 * Bodies that are made to cost: each is refused, or costs itself alone, and nothing of it counts. Bombs are timed and the
 * engine's memory is looked at before and after them, against targets.
 */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGzip, gzipSync } from "node:zlib";
import { CONTENT_TYPES, observationsPath, problemFaults, summaryOf } from "../../../test/support/client.ts";
import { exactly, type Fault, type FaultContext, type Figure, quantile, shown, under } from "./fault.ts";
import { FaultServer } from "./server.ts";
import { Workshop } from "./workshop.ts";

const SITE = "shop";
const OBSERVATIONS = observationsPath(SITE);
const LOGPUSH = `/v1/sites/${SITE}/logpush`;
const THRESHOLD = `/v1/sites/${SITE}/thresholds/hostile`;
const MIB = 1_048_576;
const BOMB_BYTES = 1_024 * MIB;
const BOMB_PART_BYTES = 64 * MIB;
const REFUSAL_MAX_MS = 100;
const GROWTH_MAX_MB = 20;

interface Hostile {
  readonly name: string;
  readonly path: string;
  readonly type: string;
  readonly gzip?: true;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly status: number;
}

export const hostile: Fault = {
  name: "hostile",
  about: "bombs, depth, damage: refused fast, in little memory, and nothing counts",
  run: async (context) => {
    const workshop = new Workshop();
    const server = await FaultServer.open({ root: await workshop.bundle(), disk: workshop.folder() });
    try {
      return await run(server, context);
    } finally {
      await server.kill();
      workshop.close();
    }
  },
};

async function run(server: FaultServer, { quick, log }: FaultContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  const rounds = quick ? 1 : 5;
  // The first request of each kind starts objects and compiles code, which is no body's doing.
  for (const path of [OBSERVATIONS, LOGPUSH, THRESHOLD]) await post(server, small(path));
  const before = await summaryOf(server.client, SITE);
  for (const one of await bodies()) {
    const rss = server.rssMb() ?? Number.NaN;
    const times: number[] = [];
    let wrong = 0;
    for (let n = 0; n < rounds; n++) {
      const fromMs = performance.now();
      const answer = await post(server, one);
      times.push(performance.now() - fromMs);
      if (problemFaults(answer, one.status).length > 0) wrong++;
    }
    const growthMb = (server.rssMb() ?? Number.NaN) - rss;
    const ms = quantile(times, 0.5);
    log(`${one.name}: ${ms.toFixed(1)} ms, ${growthMb.toFixed(1)} MB`);
    figures.push(exactly(`${one.name}: answers other than ${one.status}`, wrong, 0));
    // A short run says nothing of times.
    figures.push(
      quick
        ? shown(`${one.name}: refused after`, `${ms.toFixed(1)} ms`)
        : under(`${one.name}: refused after, median`, ms, REFUSAL_MAX_MS, "ms"),
    );
    if (!quick && !Number.isNaN(growthMb))
      figures.push(under(`${one.name}: the engine's growth`, growthMb, GROWTH_MAX_MB, "MB"));
  }
  const after = await summaryOf(server.client, SITE);
  const changed = Object.entries(after.since_start).filter(
    ([name, count]) => (before.since_start as Record<string, unknown>)[name] !== count,
  );
  return [...figures, exactly("counters that changed", changed.length, 0)];
}

function post({ client }: FaultServer, { path, type, gzip, body }: Omit<Hostile, "name" | "status">) {
  const headers = { "content-type": type, ...(gzip ? { "content-encoding": "gzip" } : {}) };
  return client.send(path === THRESHOLD ? "PUT" : "POST", path, { headers, body });
}

function small(path: string): Omit<Hostile, "name" | "status"> {
  return { path, type: path === THRESHOLD ? CONTENT_TYPES.json : CONTENT_TYPES.ndjson, body: bytes("{") };
}

async function bodies(): Promise<Hostile[]> {
  const bomb = await member(0, BOMB_BYTES);
  // The trailer that is looked at is the small last member's.
  const liar = bytes(bomb, gzipSync("{}\n"));
  // Zeros are one line, which is too long after a MiB; newlines are no line at all.
  const blank = bytes(await member(0x0a, BOMB_BYTES + BOMB_PART_BYTES), gzipSync("{}\n"));
  const lines = bytes(...Array.from({ length: 16 }, () => gzipSync("{}\n".repeat(MIB))), gzipSync("{}\n"));
  const ingest = { type: CONTENT_TYPES.ndjson, gzip: true } as const;
  const plain = { path: OBSERVATIONS, type: CONTENT_TYPES.json, status: 400 };
  const packed = { path: OBSERVATIONS, type: CONTENT_TYPES.msgpack, status: 400 };
  const setting = { path: THRESHOLD, type: CONTENT_TYPES.json };
  return [
    { name: "bomb, observations", path: OBSERVATIONS, ...ingest, body: bomb, status: 413 },
    { name: "bomb, logpush", path: LOGPUSH, ...ingest, body: bomb, status: 413 },
    { name: "lying bomb, observations", path: OBSERVATIONS, ...ingest, body: liar, status: 413 },
    { name: "lying bomb, logpush", path: LOGPUSH, ...ingest, body: liar, status: 413 },
    { name: "lying bomb of newlines, logpush", path: LOGPUSH, ...ingest, body: blank, status: 413 },
    { name: "16 M records, logpush", path: LOGPUSH, ...ingest, body: lines, status: 413 },
    { name: "bomb, settings", ...setting, gzip: true, body: bomb, status: 415 },
    { name: "gzip cut off", path: OBSERVATIONS, ...ingest, body: bomb.slice(0, 1_000), status: 400 },
    { name: "1 MB of brackets", ...plain, body: bytes("[".repeat(1e6)) },
    {
      name: "1 MB of brackets, closed",
      ...setting,
      body: bytes("[".repeat(1e6), "]".repeat(1e6)),
      status: 413,
    },
    { name: "msgpack 10,000 deep", ...packed, body: bytes(new Uint8Array(10_000).fill(0x91), [0xc0]) },
    { name: "msgpack extension", ...packed, body: bytes([0x91, 0xd4, 0x01, 0x00]) },
    { name: "settings with __proto__", ...setting, body: rule('"__proto__":{"enabled":false}'), status: 422 },
    { name: "settings with 1e400", ...setting, body: rule('"min_reqs":1e400'), status: 422 },
  ];
}

/** So many times the same byte as one member of gzip; piece by piece, so that no text of a GiB has to be held here. */
async function member(byte: number, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const part = new Uint8Array(BOMB_PART_BYTES).fill(byte);
  const parts = Array.from({ length: size / BOMB_PART_BYTES }, () => part);
  return bytes(await buffer(Readable.from(parts).pipe(createGzip())));
}

function rule(more: string): Uint8Array<ArrayBuffer> {
  return bytes(`{"when":{"signal":"reqs","window":"1m","op":">","value":5},"on_missing":"skip",${more}}`);
}

function bytes(...parts: (string | Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    Buffer.concat(
      parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))),
    ),
  );
}
