/**
 * An edge isolate in a world of bad luck, on a clock of its own: shards that fail, refuse, or take a frame and lose the
 * answer; requests that die wherever they wait. Everything follows from the seed.
 */
import { KeyedHash } from "../../src/base/hash.ts";
import { Batch, type BatchLimits } from "../../src/edge/batch.ts";
import { Exchange } from "../../src/edge/exchange.ts";
import { type ObserverDeps, observe } from "../../src/edge/observer.ts";
import { Peers } from "../../src/edge/peers.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { unpack } from "../../src/wire/codec.ts";
import { decodeFrame, FRAME_ID_BYTES } from "../../src/wire/frame.ts";
import type { IngestResult } from "../../src/wire/ingest.ts";

export type Luck = "answers" | "fails" | "hangs" | "answer_lost" | "refuses" | "overloaded";

const never = new Promise<never>(() => {});
const SHARDS = 3;

/** xorshift32. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** The version that a frame's bytes say. */
function versionOf(bytes: Uint8Array): number {
  return (unpack(bytes) as { v: number }).v;
}

/** A request's context: what it awaits goes on only while it lives. */
interface Context {
  dead: boolean;
  done: boolean;
}

export class EdgeWorld {
  readonly batch: Batch;
  nowMs = Date.UTC(2026, 10, 23, 12);
  /** How the next call to a shard, or for the map, goes. */
  luck: () => Luck = () => "answers";
  mapLuck: () => Luck = () => "answers";
  /** The newest version of a frame that the shards read. */
  reads = 2;
  /** Length of the frames' ids. */
  idBytes = FRAME_ID_BYTES;
  /** Version and id of every frame that a shard was offered. */
  readonly offered: number[] = [];
  readonly offeredIds: string[] = [];
  observed = 0;
  readonly accepted: number[] = [];
  lostTold = 0;
  readonly events: string[] = [];
  readonly #ids = new Set<string>();
  readonly #timers: { atMs: number; wake: () => void }[] = [];
  readonly #contexts: Context[] = [];
  readonly #exchange = new Exchange();
  readonly #rows = new RowMaker(new UserAgentClassifier());
  readonly #peers = new Peers();
  readonly #hash = new KeyedHash(new Uint8Array(8));
  #frames = 0;
  #mapKnown = false;

  constructor(limits: BatchLimits) {
    this.batch = new Batch(limits);
  }

  /** One visitor; its number travels as its network, so that every row can be told apart. */
  visit(ja4?: string): void {
    const context: Context = { dead: false, done: false };
    this.#contexts.push(context);
    const asn = ++this.observed;
    const record = { timestamp: this.nowMs, asn, ...(ja4 === undefined ? {} : { ja4 }) };
    void Promise.resolve(observe("shop", record, "edge", this.#deps(context))).then(() => {
      context.done = true;
    });
  }

  /** The platform ends a request that still runs. */
  kill(pick: (below: number) => number): void {
    const alive = this.#contexts.filter(({ dead, done }) => !dead && !done);
    const chosen = alive[pick(Math.max(1, alive.length))];
    if (chosen !== undefined) chosen.dead = true;
  }

  /** Lets the time go by, timer by timer. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      // Everything that can go on without a timer has gone on.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#timers.reduce<number>((first, { atMs }) => Math.min(first, atMs), endMs + 1);
      if (next > endMs) break;
      this.nowMs = next;
      for (let i = this.#timers.length - 1; i >= 0; i--) {
        if (this.#timers[i]!.atMs <= next) this.#timers.splice(i, 1)[0]!.wake();
      }
    }
    this.nowMs = endMs;
  }

  /** Rows that the isolate itself still has, and what it would tell as lost. */
  held(): { rows: number; lost: number } {
    const taken = this.batch.take(this.nowMs);
    return {
      rows: taken.reduce((sum, { rows }) => sum + rows, 0),
      lost: taken.reduce((sum, { counters }) => sum + counters.lost_at_edge, 0),
    };
  }

  #deps(context: Context): ObserverDeps {
    const inContext = async <T>(value: Promise<T>): Promise<T> => {
      try {
        return await value;
      } finally {
        if (context.dead) await never;
      }
    };
    const map = async () => {
      if (!this.#mapKnown) await this.#answer(this.mapLuck());
      this.#mapKnown = true;
      return { epoch: 1, shards: SHARDS };
    };
    const ingest = async ([bytes]: Uint8Array[]) => {
      const version = versionOf(bytes!);
      this.offered.push(version);
      this.offeredIds.push(decodeFrame(bytes!).id.join());
      const luck = version > this.reads ? "refuses" : this.luck();
      if (luck === "answers" || luck === "answer_lost") this.#take(bytes!);
      await this.#answer(luck);
      const answers: Partial<Record<Luck, IngestResult>> = {
        refuses: { ok: false, fault: "unknown_version" },
        overloaded: { ok: false, fault: "overloaded" },
      };
      return answers[luck] ?? ({ ok: true, accepted: 0, duplicate: 0, stale: 0, flushAfterMs: 0 } as const);
    };
    return {
      batch: this.batch,
      exchange: this.#exchange,
      rows: this.#rows,
      peers: this.#peers,
      objects: {
        hash: async () => this.#hash,
        knownHash: () => this.#hash,
        site: () => ({
          map: () => inContext(map()),
          shard: () => ({ ingest: (payloads) => inContext(ingest(payloads)) }),
        }),
      },
      now: () => this.nowMs,
      wait: (ms) => inContext(this.#wait(ms)),
      log: ({ event }) => void this.events.push(event),
      nextFrameId: () => {
        const id = new Uint8Array(this.idBytes);
        id[0] = ++this.#frames;
        id[1] = this.#frames >> 8;
        return id;
      },
    };
  }

  async #answer(luck: Luck): Promise<void> {
    await this.#wait(20);
    if (luck === "hangs" || luck === "answer_lost") await never;
    if (luck === "fails") throw new Error("the object was reset");
  }

  #wait(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#timers.push({ atMs: this.nowMs + ms, wake });
    });
  }

  /** As the shard does: a frame that it has counts nothing, its counters neither. */
  #take(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const id = frame.id.join();
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.accepted.push(...frame.identities.asn);
    this.lostTold += frame.counters.lost_at_edge;
  }
}
