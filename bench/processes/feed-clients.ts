/**
 * Subscribers of the feed, thousands in one process, and the events that they get. On plain sockets with one read buffer for all,
 * and frames are counted, not decoded: a WebSocket client in Node costs more than the engine that it would measure. Every
 * socket checks the order of everything it gets by the sequence, the first one also reads it all as JSON.
 *
 * Started with a FeedClientsInput. Each request is a FeedRunInput, answered by a FeedRunResult.
 */
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FrameScanner } from "../lib/feed-frames.ts";
import type { AppendInput, FeedClientsInput, FeedRunInput, FeedRunResult } from "../lib/feed-protocol.ts";

const OPENING_AT_ONCE = 64;
const READ_BYTES = 256 * 1024;
/** As many shards as a site has by default; each waits for its append before the next. */
const SOURCES = 4;
/** Appends that not every socket has yet: enough to keep the engine busy, and far below anybody's credit. */
const APPENDS_AHEAD = 8;
const STALLED_MS = 30_000;
const REASONS_SHOWN = 3;
const TEXT = 1;
const CLOSE = 8;
const HEAD_END = "\r\n\r\n";
const SEQUENCE = Buffer.from('"sequence":"');
const SEQUENCE_DIGITS = 16;
const ZERO = 0x30;

const input = JSON.parse(process.argv[2] ?? "") as FeedClientsInput;
const buffer = Buffer.allocUnsafe(READ_BYTES);
/** Newest sequence that each socket got. */
const newest = new Float64Array(input.sockets);
const reasons: string[] = [];
let faults = 0;
/** Of all events so far. */
let appended = 0;
let deliveries = 0;
let bytesTaken = 0;
/** Number of the next event of each source. */
const nextOf = new Array<number>(SOURCES).fill(1);
/** Where a steady run keeps its times, by sequence from `first`. */
let steady: { first: number; sentMs: Float64Array; latenciesMs: Float64Array; taken: number } | undefined;
/** Looked at after every read. */
const waiting = new Set<() => void>();

function fault(reason: string): void {
  faults++;
  if (reasons.length < REASONS_SHOWN) reasons.push(reason);
}

function progress(): void {
  for (const check of waiting) check();
}

/** Takes a frame of socket `i` at a time, ms. */
function take(i: number, opcode: number, bytes: Buffer, from: number, to: number, nowMs: number): void {
  if (opcode !== TEXT) {
    const code = opcode === CLOSE ? ` (${bytes.readUInt16BE(from)})` : "";
    fault(`socket ${i} got a frame of kind ${opcode}${code}`);
    return;
  }
  // The sequence is an event's last member, so it is found at once from the end.
  const found = bytes.lastIndexOf(SEQUENCE, to);
  if (found < from) return;
  let sequence = 0;
  const digits = found + SEQUENCE.length;
  for (let at = digits; at < digits + SEQUENCE_DIGITS; at++) sequence = sequence * 10 + (bytes[at]! - ZERO);
  const expected = newest[i]! + 1;
  if (sequence !== expected) fault(`socket ${i} got ${sequence} where ${expected} was due`);
  if (i === 0) read(bytes.toString("utf8", from, to), sequence);
  newest[i] = sequence;
  deliveries++;
  bytesTaken += to - from;
  if (steady !== undefined)
    steady.latenciesMs[steady.taken++] = nowMs - steady.sentMs[sequence - steady.first]!;
}

function read(text: string, sequence: number): void {
  const event = JSON.parse(text) as { type?: string; sequence?: string; data?: { evidence?: object } };
  if (
    Number(event.sequence) !== sequence ||
    event.type !== "hellotide.anomaly.updated" ||
    !event.data?.evidence
  )
    fault(`no event: ${text}`);
}

/** Resolves when the handshake is answered. */
function open(i: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let nowMs = 0;
    let head: string | undefined = "";
    const frames = new FrameScanner((opcode, bytes, from, to) => take(i, opcode, bytes, from, to, nowMs));
    const callback = (count: number): boolean => {
      nowMs = performance.now();
      let fresh = buffer.subarray(0, count);
      if (head !== undefined) {
        head += fresh.toString("latin1");
        const end = head.indexOf(HEAD_END);
        if (end < 0) return true;
        if (!head.startsWith("HTTP/1.1 101 ")) reject(new Error(`no feed: ${head.slice(0, end)}`));
        fresh = Buffer.from(head.slice(end + HEAD_END.length), "latin1");
        head = undefined;
        resolve();
      }
      frames.take(fresh);
      progress();
      return true;
    };
    const socket = connect({
      host: "127.0.0.1",
      port: input.port,
      noDelay: true,
      onread: { buffer, callback },
    });
    socket.on("error", reject);
    socket.on("close", () => {
      fault(`socket ${i} was closed`);
      progress();
    });
    socket.write(
      "GET /feed HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-version: 13\r\nsec-websocket-key: ZmVlZC1iZW5jaC0wMTIzNA==\r\n\r\n",
    );
  });
}

async function append(source: number, count: number): Promise<void> {
  const body: AppendInput = { source: `1-${source}`, from: nextOf[source]!, count };
  nextOf[source]! += count;
  appended += count;
  const response = await fetch(`http://127.0.0.1:${input.port}/append`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`append: ${response.status} ${await response.text()}`);
  await response.text();
}

/** Resolves when the sockets have got all but `ahead` of the events; a fault ends the wait as well. */
function caughtUp(ahead: number): Promise<void> {
  const isDone = () => faults > 0 || deliveries >= (appended - ahead) * input.sockets;
  if (isDone()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`stalled at ${deliveries} of ${appended * input.sockets} deliveries`)),
      STALLED_MS,
    );
    const check = () => {
      if (!isDone()) return;
      clearTimeout(timer);
      waiting.delete(check);
      resolve();
    };
    waiting.add(check);
  });
}

async function runFast(appends: number, each: number): Promise<void> {
  let begun = 0;
  const one = async (source: number) => {
    while (begun < appends && faults === 0) {
      begun++;
      await append(source, each);
      await caughtUp(APPENDS_AHEAD * each);
    }
  };
  await Promise.all(nextOf.map((_, source) => one(source)));
  await caughtUp(0);
}

/** Answers every delivery's time, ms, sorted. */
async function runSteady(events: number, everyMs: number): Promise<Float64Array> {
  const first = appended + 1;
  const latenciesMs = new Float64Array(events * input.sockets);
  steady = { first, sentMs: new Float64Array(events), latenciesMs, taken: 0 };
  const startMs = performance.now();
  for (let n = 0; n < events && faults === 0; n++) {
    await sleep(Math.max(0, startMs + n * everyMs - performance.now()));
    steady.sentMs[n] = performance.now();
    await append(0, 1);
  }
  await caughtUp(0);
  steady = undefined;
  return latenciesMs.sort();
}

async function run(asked: FeedRunInput): Promise<FeedRunResult> {
  const [eventsBefore, bytesBefore, fromMs] = [appended, bytesTaken, performance.now()];
  let times = {};
  if ("appends" in asked) await runFast(asked.appends, asked.each);
  else {
    const sorted = await runSteady(asked.events, asked.everyMs);
    const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    times = { p50_ms: quantile(0.5), p99_ms: quantile(0.99) };
  }
  return {
    events: appended - eventsBefore,
    seconds: (performance.now() - fromMs) / 1_000,
    bytes: bytesTaken - bytesBefore,
    ...times,
    ...{ faults, reasons },
  };
}

const opening = Array.from({ length: input.sockets }, (_, i) => i).values();
await Promise.all(
  Array.from({ length: OPENING_AT_ONCE }, async () => {
    for (const i of opening) await open(i);
  }),
);
const server = createServer((incoming, answer) => {
  let body = "";
  incoming.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  incoming.on("end", () => {
    void run(JSON.parse(body) as FeedRunInput).then(
      (result) => answer.end(JSON.stringify(result)),
      (error: unknown) => answer.writeHead(500).end(String(error)),
    );
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
