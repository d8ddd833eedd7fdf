/**
 * Records in pieces for one request each. Where a piece ends depends on the log and the flags alone, never on how fast
 * things went: only so has a repeat the same pieces under the same keys.
 */
import type { Place } from "./scan.ts";

export interface Chunk {
  /** From 0. */
  readonly index: number;
  readonly dueMs: number;
  /** NDJSON. */
  readonly body: string;
  /** Of each record. */
  readonly places: readonly Place[];
}

/** A tenth of what the endpoint takes: a lost answer costs little to send again. */
export const CHUNK_RECORDS_MAX = 5_000;
/** Far below the endpoint's 8 MiB on the wire, whatever gzip makes of it. */
const CHUNK_CHARS_MAX = 2 * 1024 * 1024;
/** At less than full speed records of the same second of the replay go together. */
export const SLOT_MS = 1_000;

export class Chunker {
  #index = 0;
  #dueMs = 0;
  #lines: string[] = [];
  #places: Place[] = [];
  #chars = 0;

  /** Takes a record; answers the piece that it did not fit into any more. */
  push(line: string, place: Place, dueMs: number): Chunk | undefined {
    // A log is not quite in order: nothing is sent before what stands above it.
    const due = Math.max(dueMs, this.#dueMs);
    const isFull = this.#lines.length >= CHUNK_RECORDS_MAX || this.#chars + line.length >= CHUNK_CHARS_MAX;
    const isLater = Math.floor(due / SLOT_MS) !== Math.floor(this.#dueMs / SLOT_MS);
    const done = isFull || isLater ? this.end() : undefined;
    this.#dueMs = due;
    this.#lines.push(line);
    this.#places.push(place);
    this.#chars += line.length + 1;
    return done;
  }

  /** What is left. */
  end(): Chunk | undefined {
    if (this.#lines.length === 0) return undefined;
    const chunk = {
      index: this.#index++,
      // When its last record is due: with --now none may lie in the future.
      dueMs: this.#dueMs,
      body: `${this.#lines.join("\n")}\n`,
      places: this.#places,
    };
    this.#lines = [];
    this.#places = [];
    this.#chars = 0;
    return chunk;
  }
}
