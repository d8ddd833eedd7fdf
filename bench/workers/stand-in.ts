/** Objects that stand in for the real ones, with what the edge calls of them. Not an entry. */
import { DurableObject } from "cloudflare:workers";
import type { IngestResult } from "../../src/wire/ingest.ts";

const HASH_KEY_BYTES = 16;
/** Longer than any run: for the caller it never answers. A promise that nothing can resolve would be found and failed. */
const NEVER_MS = 3_600_000;

/** Says once that the stand-in was really called; the runner looks for the line. */
const CALLED_LINE = "stand-in called";
let said = false;

function noteCall(): void {
  if (!said) console.log(CALLED_LINE);
  said = true;
}

/** Answers at once and stores nothing. */
export class Acking extends DurableObject {
  hashKey(): Uint8Array {
    return new Uint8Array(HASH_KEY_BYTES).fill(7);
  }

  map(): { epoch: number; shards: number } {
    return { epoch: 1, shards: 4 };
  }

  ingest(): IngestResult {
    noteCall();
    return { ok: true, accepted: 0, duplicate: 0, stale: 0, flushAfterMs: 0 };
  }
}

/** Fails every call. */
export class Failing extends DurableObject {
  async hashKey(): Promise<never> {
    return fail();
  }
  async map(): Promise<never> {
    return fail();
  }
  async ingest(): Promise<never> {
    return fail();
  }
}

function fail(): never {
  noteCall();
  throw new Error("this object always fails");
}

/** Never answers. */
export class Hanging extends DurableObject {
  async hashKey(): Promise<void> {
    await hang();
  }
  async map(): Promise<void> {
    await hang();
  }
  async ingest(): Promise<void> {
    await hang();
  }
}

async function hang(): Promise<void> {
  noteCall();
  await scheduler.wait(NEVER_MS);
}
