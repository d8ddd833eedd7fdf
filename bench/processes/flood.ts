/**
 * An hour of traffic in the order of its times against a shard in an engine: real fingerprints by Zipf's law, and between
 * them fingerprints made up at random, each of which comes once. Prints a FloodResult.
 */
import { HOUR_MS, MINUTE_MS } from "../../src/config.ts";
import { encodeFrame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { flagsOf, hashOf, ja4Of } from "../lib/made-traffic.ts";
import { generator } from "../lib/random.ts";

export interface FloodInput {
  readonly port: number;
  /** Requests of fingerprints that never come again. */
  readonly flood: number;
  /** Requests of the real fingerprints, and how many those are. */
  readonly real: number;
  readonly fingerprints: number;
  /** Frames under way at once. */
  readonly callers: number;
}

export interface FloodResult {
  readonly frames: number;
  /** Frames that the shard did not take. */
  readonly refused: number;
  /** Wall time of sending. */
  readonly ms: number;
  /** Requests of each real fingerprint; the n-th is `ja4Of(n)`. */
  readonly reqs: readonly number[];
}

const SEED = 20_261_124;
const ZIPF_EXPONENT = 1.1;
/** The oldest request must still be in the hour when the shard is read. */
const SPAN_MS = HOUR_MS - 5 * MINUTE_MS;
const ALPNS = ["h1", "h2", "h3", "00", "dt"];
/** Different values a fingerprint: address, agent, path, host, network. */
const POOLS = [300, 4, 100, 2, 40];

const input = JSON.parse(process.argv[2] ?? "") as FloodInput;
const random = generator(SEED);
const below = (limit: number) => Math.floor(random() * limit);
/** Requests of each real fingerprint. */
const reqs = new Uint32Array(input.fingerprints);
const names = Array.from(reqs, (_, fp) => ja4Of(fp));
const upTo = cumulative();

function cumulative(): Float64Array {
  const shares = Float64Array.from(reqs, (_, rank) => (rank + 1) ** -ZIPF_EXPONENT);
  const sum = shares.reduce((total, share) => total + share, 0);
  let reached = 0;
  return shares.map((share) => {
    reached += share / sum;
    return reached;
  });
}

/** A real fingerprint by Zipf's law. */
function popular(): number {
  const at = random();
  let [low, high] = [0, upTo.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Every part at random, as the worst of floods has it: 2^96 of them and more, so none comes twice. */
function madeUp(): string {
  const twelve = () =>
    Math.floor(random() * 2 ** 48)
      .toString(16)
      .padStart(12, "0");
  const two = () => `${10 + below(90)}`;
  return `t1${2 + below(2)}d${two()}${two()}${ALPNS[below(ALPNS.length)]}_${twelve()}_${twelve()}`;
}

function rowOf(i: number, isReal: boolean, timestampMs: number): Row {
  const fp = isReal ? popular() : input.fingerprints + i;
  if (isReal) reqs[fp]!++;
  const value = (identity: number) => hashOf(fp, identity, below(POOLS[identity]!));
  return {
    timestampMs,
    ja4: isReal ? names[fp]! : madeUp(),
    flags: flagsOf(fp, i),
    ...{ ipHash: value(0), uaHash: value(1), pathHash: value(2), hostHash: value(3), asnNumber: value(4) },
    signals: undefined,
    path: `/products/item-${below(1_000)}`,
    ...{ host: "www.example.com", method: "GET", status: 200, asn: below(65_536) },
    rayId: below(2 ** 32)
      .toString(16)
      .padStart(16, "0"),
  };
}

/** Frames one after the other. */
function* frames(startMs: number): Generator<Uint8Array> {
  const builder = new FrameBuilder();
  const all = input.flood + input.real;
  let number = 0;
  const built = () => {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(0, ++number);
    const bytes = encodeFrame(builder.build(id, "edge", NO_COUNTERS));
    builder.reset();
    return bytes;
  };
  let real = 0;
  for (let i = 0; i < all; i++) {
    // The real ones lie evenly among the others.
    const isReal = Math.floor(((i + 1) * input.real) / all) > real;
    if (isReal) real++;
    builder.add(rowOf(i, isReal, startMs + Math.floor((i * SPAN_MS) / all)));
    if (builder.isFull()) yield built();
  }
  if (builder.rows > 0) yield built();
}

async function send(): Promise<{ frames: number; refused: number }> {
  const waiting = frames(Date.now() - SPAN_MS);
  let [sent, refused] = [0, 0];
  const caller = async () => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const response = await fetch(`http://127.0.0.1:${input.port}/ingest`, {
        method: "POST",
        body: next.value as Uint8Array<ArrayBuffer>,
      });
      const answer = (await response.json()) as { ok: boolean };
      sent++;
      if (!answer.ok) refused++;
    }
  };
  await Promise.all(Array.from({ length: input.callers }, caller));
  return { frames: sent, refused };
}

const from = performance.now();
const sent = await send();
const result: FloodResult = { ...sent, ms: performance.now() - from, reqs: [...reqs] };
process.stdout.write(JSON.stringify(result));
