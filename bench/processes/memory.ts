/**
 * What fingerprints of one class cost in memory: what the process holds after an hour of their traffic and no longer
 * without it, collected, and what the window itself says. Needs --expose-gc. Prints a MemoryResult.
 */
import { HOUR_MS } from "../../src/config.ts";
import { Window } from "../../src/window/window.ts";
import { IDENTITIES } from "../../src/wire/frame.ts";
import { FrameFeed, flagsOf, hashOf, ja4Of, type Observer } from "../lib/made-traffic.ts";
import { PlainWindow, plainReqs } from "../lib/plain-window.ts";
import { WINDOW_PARTS, type WindowPart } from "../lib/window-parts.ts";

export interface MemoryInput {
  readonly variant: "window" | "maps";
  readonly fingerprints: number;
  /** Of each fingerprint in the hour. */
  readonly requests: number;
  /** Different values of each identity, in the order of IDENTITIES; each as often as the others. */
  readonly pools: readonly number[];
}

/** Bytes are those of one fingerprint. */
export interface MemoryResult extends Readonly<Partial<Record<WindowPart, number>>> {
  readonly bytes: number;
  /** Of these: typed arrays' buffers, which do not count towards V8's heap. */
  readonly buffers: number;
  /** Sum of all parts that the window tells. */
  readonly told?: number;
  /** Fingerprints that had to leave, sets that were made coarser, requests in the overflow. */
  readonly lost?: number;
  /** Requests that the hour lacks, over all fingerprints; distinct counts that are more than 9 % off. */
  readonly wrong: number;
}

/** A multiple of the minute, so that the hour ends where the traffic does. */
const START_MS = 1_763_899_200_000;
/** Fingerprints whose distinct counts are looked at. */
const COUNTED = 20;
/** Three standard errors of 3 % (READ-2). */
const TOLERANCE = 0.09;

const input = JSON.parse(process.argv[2] ?? "") as MemoryInput;

/** An hour of traffic: every fingerprint in turn. */
function fill(observer: Observer, fingerprints: number, requests: number): void {
  const values = new Uint32Array(IDENTITIES.length);
  const all = fingerprints * requests;
  let i = 0;
  for (let request = 0; request < requests; request++) {
    for (let fp = 0; fp < fingerprints; fp++, i++) {
      for (let identity = 0; identity < values.length; identity++)
        values[identity] = hashOf(fp, identity, request % input.pools[identity]!);
      observer.observe(
        fp,
        START_MS + 1 + Math.floor((i * (HOUR_MS - 2)) / all),
        flagsOf(fp, request),
        values,
      );
    }
  }
}

async function held(): Promise<{ all: number; buffers: number }> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("needs --expose-gc");
  // Buffers are given back behind the collection: after a turn of the loop the next one finds them gone.
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  // Not `external`: it goes astray when buffers are transferred, as they are when arenas grow.
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { all: heapUsed + arrayBuffers, buffers: arrayBuffers };
}

/** Whether a distinct count is as far off as it may be at most. */
function isWrong(count: number | undefined, identity: number): boolean {
  const should = Math.min(input.pools[identity]!, input.requests);
  return count === undefined || Math.abs(count - should) > should * TOLERANCE;
}

async function window(): Promise<MemoryResult> {
  const filled = new Window(1);
  const feed = new FrameFeed(filled, input.fingerprints);
  const empty = { ...(await held()), parts: filled.memory() };
  fill(feed, input.fingerprints, input.requests);
  feed.flush();
  filled.advance(START_MS + HOUR_MS - 1);
  const full = { ...(await held()), parts: filled.memory() };
  const each = (part: string) => (full.parts[part]! - empty.parts[part]!) / input.fingerprints;
  let wrong = 0;
  for (let fp = 0; fp < input.fingerprints; fp++) {
    const id = filled.fingerprints.id(ja4Of(fp));
    wrong += id === undefined ? input.requests : input.requests - filled.reqs(id, "1h");
    if (id === undefined || fp >= COUNTED) continue;
    for (let i = 0; i < IDENTITIES.length; i++) if (isWrong(filled.distinct(id, i, "1h"), i)) wrong++;
  }
  const { evicted, folded } = filled.pressure();
  return {
    bytes: (full.all - empty.all) / input.fingerprints,
    buffers: (full.buffers - empty.buffers) / input.fingerprints,
    told: Object.keys(full.parts).reduce((sum, part) => sum + each(part), 0),
    ...Object.fromEntries(WINDOW_PARTS.map((part) => [part, each(part)])),
    lost: evicted + folded + filled.takeDropped().overflow,
    wrong,
  };
}

async function maps(): Promise<MemoryResult> {
  const filled = new PlainWindow();
  const empty = await held();
  fill(filled, input.fingerprints, input.requests);
  const full = await held();
  let wrong = input.fingerprints - filled.fingerprints.size;
  for (const one of filled.fingerprints.values()) {
    wrong += input.requests - plainReqs(one);
    one.identities.forEach(({ size }, i) => {
      if (isWrong(size, i)) wrong++;
    });
  }
  return {
    bytes: (full.all - empty.all) / input.fingerprints,
    buffers: (full.buffers - empty.buffers) / input.fingerprints,
    wrong,
  };
}

// Once in small, so that neither what the engine makes of hot code nor tables of the modules are measured.
fill(new FrameFeed(new Window(1), 40), 40, 5_000);
fill(new PlainWindow(), 40, 500);
process.stdout.write(JSON.stringify(input.variant === "window" ? await window() : await maps()));
