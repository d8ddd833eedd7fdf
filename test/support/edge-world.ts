/**
 * Edge isolates in a world of bad luck, on a clock of their own: shards that fail, refuse, or take a frame and lose the
 * answer; requests that die wherever they wait. Everything follows from the seed.
 */
import { KeyedHash } from "../../src/base/hash.ts";
import { FRAME_ID_WINDOW } from "../../src/config.ts";
import { Batch, type BatchLimits } from "../../src/edge/batch.ts";
import { Channels } from "../../src/edge/channels.ts";
import { Exchange } from "../../src/edge/exchange.ts";
import { type ObserverDeps, observe } from "../../src/edge/observer.ts";
import { Peers } from "../../src/edge/peers.ts";
import { RowMaker } from "../../src/edge/row.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import { unpack } from "../../src/wire/codec.ts";
import { decodeFrame } from "../../src/wire/frame.ts";
import type { IngestResult } from "../../src/wire/ingest.ts";

/** `late` = the frame arrives when its sender has given up waiting; `asked_to_wait` = an answer with a pace. */
export type Luck =
  | "answers"
  | "fails"
  | "hangs"
  | "answer_lost"
  | "late"
  | "refuses"
  | "overloaded"
  | "asked_to_wait";

const never = new Promise<never>(() => {});
const LATE_MS = 8_000;

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

/** What one isolate has of its own. */
interface WorldIsolate {
  readonly batch: Batch;
  readonly peers: Peers;
}

export interface WorldOptions {
  readonly isolates?: number;
  readonly shards?: number;
  /** Of the isolates' back-offs; the middle of each jitter without it. */
  readonly random?: () => number;
}

export class EdgeWorld {
  readonly isolates: readonly WorldIsolate[];
  nowMs = Date.UTC(2026, 10, 23, 12);
  /** How the next call to a shard, or for the map, goes. */
  luck: () => Luck = () => "answers";
  mapLuck: () => Luck = () => "answers";
  /** The newest version of a frame that the shards read. */
  reads = 2;
  /** Randomness of an isolate's ids; more than it asked for fits no id. */
  idBytes = 10;
  /** How long a shard takes to answer, ms. */
  answerMs = 20;
  /** Pace that a shard asks for with `asked_to_wait`, ms. */
  flushAfterMs = 0;
  /** Version, id and time of every frame that a shard was offered. */
  readonly offered: number[] = [];
  readonly offeredIds: string[] = [];
  readonly offeredMs: number[] = [];
  observed = 0;
  readonly accepted: number[] = [];
  /** Rows of frames that came when their shard could not know any more whether it had them. */
  stale = 0;
  lostTold = 0;
  /** Empty frames that tell a loss, as offered. */
  tombstones = 0;
  readonly events: string[] = [];
  /** How long a request has stayed behind its response at most, ms. */
  longestMs = 0;
  /** Newest sequence, and the sequences taken, by shard and source. */
  readonly #sources = new Map<string, { newest: number; taken: Set<number> }>();
  readonly #timers: { atMs: number; wake: () => void }[] = [];
  readonly #contexts: Context[] = [];
  readonly #exchange = new Exchange();
  readonly #rows = new RowMaker(new UserAgentClassifier());
  readonly #hash = new KeyedHash(new Uint8Array(8));
  readonly #shards: number;
  #drawn = 0;
  #mapKnown = false;

  constructor(limits: BatchLimits, { isolates = 1, shards = 3, random = () => 0.5 }: WorldOptions = {}) {
    this.#shards = shards;
    // No two isolates draw the same bytes.
    const draw = () => new Uint8Array(this.idBytes).fill(++this.#drawn);
    this.isolates = Array.from({ length: isolates }, () => ({
      batch: new Batch(limits, { channels: new Channels(draw), random }),
      peers: new Peers(),
    }));
  }

  /** The first isolate's. */
  get batch(): Batch {
    return this.isolates[0]!.batch;
  }

  /** One visitor; its number travels as its network, so that every row can be told apart. */
  visit(ja4?: string, isolate = 0): void {
    const context: Context = { dead: false, done: false };
    this.#contexts.push(context);
    const asn = ++this.observed;
    const startMs = this.nowMs;
    const record = { timestamp: this.nowMs, asn, ...(ja4 === undefined ? {} : { ja4 }) };
    const deps = this.#deps(context, this.isolates[isolate]!);
    void Promise.resolve(observe("shop", record, "edge", deps)).then(() => {
      context.done = true;
      this.longestMs = Math.max(this.longestMs, this.nowMs - startMs);
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

  /** Rows that the isolates still have in no frame, and what they would tell as lost; what is held is given away with it. */
  held(): { rows: number; lost: number } {
    const sum = { rows: 0, lost: 0 };
    for (const { batch } of this.isolates) {
      sum.rows += batch.rows;
      for (const { counters } of batch.take(this.nowMs)) sum.lost += counters.lost_at_edge;
    }
    return sum;
  }

  /** Frames of all isolates without an answer. */
  get inflight(): number {
    return this.isolates.reduce((sum, { batch }) => sum + batch.lanes.inflight, 0);
  }

  #deps(context: Context, { batch, peers }: WorldIsolate): ObserverDeps {
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
      return { epoch: 1, shards: this.#shards };
    };
    const ingest = async ([bytes]: Uint8Array[], shard: number) => {
      const version = versionOf(bytes!);
      this.offered.push(version);
      const { id, rows, counters } = decodeFrame(bytes!);
      this.offeredIds.push(id.join());
      if (rows === 0 && counters.lost_at_edge > 0) this.tombstones++;
      this.offeredMs.push(this.nowMs);
      const luck = version > this.reads ? "refuses" : this.luck();
      if (["answers", "answer_lost", "asked_to_wait"].includes(luck)) this.#take(bytes!, shard);
      if (luck === "late") void this.#wait(LATE_MS).then(() => this.#take(bytes!, shard));
      await this.#answer(luck);
      const answers: Partial<Record<Luck, IngestResult>> = {
        refuses: { ok: false, fault: "unknown_version" },
        overloaded: { ok: false, fault: "overloaded" },
      };
      const flushAfterMs = luck === "asked_to_wait" ? this.flushAfterMs : 0;
      return answers[luck] ?? ({ ok: true, accepted: 0, duplicate: 0, stale: 0, flushAfterMs } as const);
    };
    return {
      batch,
      exchange: this.#exchange,
      rows: this.#rows,
      peers,
      objects: {
        hash: async () => this.#hash,
        knownHash: () => this.#hash,
        site: () => ({
          map: () => inContext(map()),
          shard: (_, shard) => ({ ingest: (payloads) => inContext(ingest(payloads, shard)) }),
        }),
      },
      now: () => this.nowMs,
      wait: (ms) => inContext(this.#wait(ms)),
      log: ({ event }) => void this.events.push(event),
    };
  }

  async #answer(luck: Luck): Promise<void> {
    await this.#wait(this.answerMs);
    if (luck === "hangs" || luck === "answer_lost" || luck === "late") await never;
    if (luck === "fails") throw new Error("the object was reset");
  }

  #wait(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.#timers.push({ atMs: this.nowMs + ms, wake });
    });
  }

  /**
   * As the shard does: a frame that it has counts nothing, its counters neither; one that is FRAME_ID_WINDOW below the
   * source's newest is refused, since the shard cannot know.
   */
  #take(bytes: Uint8Array, shard: number): void {
    const frame = decodeFrame(bytes);
    const key = `${shard}/${frame.id.slice(0, 12).join()}`;
    const sequence = new DataView(frame.id.slice().buffer).getUint32(12);
    const source = this.#sources.get(key) ?? { newest: 0, taken: new Set() };
    this.#sources.set(key, source);
    if (source.taken.has(sequence)) return;
    if (sequence <= source.newest - FRAME_ID_WINDOW) {
      this.stale += frame.rows;
      return;
    }
    source.newest = Math.max(source.newest, sequence);
    source.taken.add(sequence);
    this.accepted.push(...frame.identities.asn);
    this.lostTold += frame.counters.lost_at_edge;
  }
}
