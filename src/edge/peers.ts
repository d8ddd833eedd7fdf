/**
 * What an isolate has learned of the shards' version. While a new version is rolled out, a Worker may run before the objects
 * that it calls: they refuse a frame as `unknown_version` and get the same one, with the same id, in the older form.
 * Remembered for good, so that later frames are not refused first: a newer shard reads the older form too.
 */
import { downgradeFrame } from "../wire/frame.ts";
import { type FinalResult, finalAnswer, type IngestResult } from "../wire/ingest.ts";

export class Peers {
  #older = false;

  /**
   * Sends frames in the form that the shards read; with a second call where the first one finds out which. Throws, as
   * failing calls do, when the shard is overloaded.
   */
  async send(
    frames: readonly Uint8Array[],
    call: (payloads: Uint8Array[]) => Promise<IngestResult>,
  ): Promise<FinalResult> {
    const older = this.#older;
    const result = finalAnswer(await call(older ? frames.map(downgradeFrame) : [...frames]));
    if (older || result.ok || result.fault !== "unknown_version") return result;
    this.#older = true;
    return finalAnswer(await call(frames.map(downgradeFrame)));
  }
}
