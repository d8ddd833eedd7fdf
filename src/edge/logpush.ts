/**
 * Logpush records → frames, a chunk of so many records at a time, so that an upload of a million is never in memory.
 *
 * A chunk's frames follow from its records, its place, the time and the shard map alone, and so do their ids: an upload that
 * comes again makes the same frames, of which shards count those that they lack.
 */
import { type KeyedHash, sha256 } from "../base/hash.ts";
import { ERRORS_SHOWN_MAX, FRAME_ID_WINDOW, FRAME_ROWS_MAX } from "../config.ts";
import type { Counters } from "../wire/frame.ts";
import { readLogpush } from "../wire/logpush.ts";
import { type Observation, parseObservation } from "../wire/observation.ts";
import { FRAME_SOURCE_BYTES, frameId } from "./channels.ts";
import type { RecordCounts } from "./collect.ts";
import { type FrameIds, type Parcel, parcels } from "./dispatch.ts";
import { RowMaker } from "./row.ts";
import { ShardedFrames } from "./sharded.ts";
import type { UserAgentClassifier } from "./user-agent.ts";

/** Records of a chunk: their frames then have at most as many rows. */
const CHUNK_RECORDS = FRAME_ROWS_MAX;
/** Frames of one chunk for one shard: the rows of one, in as many parts as full tables of fingerprints and samples make. */
const CHUNK_PARTS_MAX = 4;
const CHUNKS_A_SOURCE = FRAME_ID_WINDOW / CHUNK_PARTS_MAX;

/** What the answer tells of an upload. */
export interface LogpushCounts extends RecordCounts {
  /** Subrequests of Workers. */
  skipped: number;
}

export interface LogpushPlace {
  readonly map: { readonly epoch: number; readonly shards: number };
  readonly hash: KeyedHash;
  readonly agents: UserAgentClassifier;
  /** Time that all of the upload is judged by: that of its first try, ms. */
  readonly nowMs: number;
  /** What names the upload, the same whenever it comes. */
  readonly seed: string;
  /** Requests that each record stands for, in thousandths, where they are a sample. */
  readonly weight?: number | undefined;
}

export class LogpushCollector {
  readonly counts: LogpushCounts = {
    ...{ accepted: 0, rejected: 0, expired: 0, withoutJa4: 0, skipped: 0 },
    errors: [],
  };
  /** Records so far; what Cloudflare tries a destination with is none. */
  records = 0;
  readonly #place: LogpushPlace;
  readonly #rows: RowMaker;
  readonly #sources = new Map<string, Promise<Uint8Array>>();
  #frames: ShardedFrames;
  #chunk = 0;
  #chunkRecords = 0;
  #counters = noCounters();

  constructor(place: LogpushPlace) {
    this.#place = place;
    this.#rows = new RowMaker(place.agents);
    this.#frames = new ShardedFrames(place.map);
  }

  /** Whether the chunk must be taken before the next record. */
  get isFull(): boolean {
    return this.#chunkRecords === CHUNK_RECORDS;
  }

  /** Takes one line in. */
  add(line: Uint8Array): void {
    const record = readLogpush(line);
    if ("skipped" in record && record.skipped === "validation") return;
    const index = this.records++;
    this.#chunkRecords++;
    if ("skipped" in record) this.counts.skipped++;
    else if ("fault" in record) this.#reject(index, record.fault);
    else this.#count(index, record.fields, record.dropped);
  }

  /** The frames of the chunk, encoded; begins the next one. */
  async take(): Promise<Parcel[]> {
    const chunk = this.#chunk++;
    const { builders } = this.#frames;
    const counters = this.#counters;
    this.#frames = new ShardedFrames(this.#place.map);
    this.#counters = noCounters();
    this.#chunkRecords = 0;
    return parcels(builders, this.#idsOf(chunk), "logpush", counters, this.#place.weight);
  }

  #count(index: number, fields: Record<string, unknown>, dropped: number): void {
    const observation = parseObservation(fields, this.#place.nowMs);
    if ("expired" in observation) {
      if (observation.expired) {
        this.counts.expired++;
        this.#counters.expired++;
      } else this.#reject(index, observation.detail);
      return;
    }
    this.#counters.fields_dropped += dropped;
    const row = this.#rowOf(observation);
    this.counts.accepted++;
    if (row.ja4 === "") this.counts.withoutJa4++;
    this.#frames.add(row, index);
  }

  #rowOf(observation: Observation) {
    const row = this.#rows.ofObservation(observation, this.#place.hash);
    if (typeof row !== "string") return row;
    // Its address is none, the one thing that only shows here.
    this.#counters.fields_dropped++;
    const without = this.#rows.ofObservation({ ...observation, clientIp: undefined }, this.#place.hash);
    if (typeof without === "string") throw new Error(without);
    return without;
  }

  #reject(index: number, detail: string): void {
    this.counts.rejected++;
    this.#counters.rejected++;
    if (this.counts.errors.length < ERRORS_SHOWN_MAX) this.counts.errors.push({ index, detail });
  }

  /** A source has the frames of so many chunks as a shard tells apart, and sends them in order. */
  #idsOf(chunk: number): FrameIds {
    const group = Math.floor(chunk / CHUNKS_A_SOURCE);
    const first = (chunk % CHUNKS_A_SOURCE) * CHUNK_PARTS_MAX + 1;
    return {
      next: async (shard, part) => {
        if (part >= CHUNK_PARTS_MAX) throw new RangeError("too many frames for one chunk");
        const name = `${this.#place.seed}/${group}/${shard}`;
        const source = this.#sources.get(name) ?? sha256(name);
        this.#sources.set(name, source);
        return frameId((await source).slice(0, FRAME_SOURCE_BYTES), first + part);
      },
    };
  }
}

function noCounters(): Counters {
  return { rejected: 0, expired: 0, lost_at_edge: 0, fields_dropped: 0 };
}
