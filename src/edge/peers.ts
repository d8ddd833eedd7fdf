/**
 * What an isolate has learned of the shards' version. While a new version is rolled out, a Worker may run before the objects
 * that it calls: they refuse a frame as `unknown_version` and get the same one, with the same id, in the older form.
 * Remembered for good, so that later frames are not refused first: a newer shard reads the older form too.
 */
import { downgradeFrame } from "../wire/frame.ts";
import type { IngestResult } from "../wire/ingest.ts";

export class Peers {
  #older = false;

  /** Sends frames in the form that the shards read; with a second call where the first one finds out which. */
  async send(
    frames: readonly Uint8Array[],
    call: (payloads: Uint8Array[]) => Promise<IngestResult>,
  ): Promise<IngestResult> {
    const older = this.#older;
    const result = await call(older ? frames.map(downgradeFrame) : [...frames]);
    if (older || result.ok || result.fault !== "unknown_version") return result;
    this.#older = true;
    return call(frames.map(downgradeFrame));
  }
}
