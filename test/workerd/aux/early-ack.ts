/** HelloTide with a shard that acknowledges frames a moment before it writes them: the control of the kill runs. */
import { FingerprintShard as Real } from "../../../src/index.ts";
import { decodeFrame } from "../../../src/wire/frame.ts";
import type { IngestResult } from "../../../src/wire/ingest.ts";

export { AnomalyFeed, Census, default, Settings } from "../../../src/index.ts";

const EARLY_MS = 20;

export class FingerprintShard extends Real {
  override async ingest(payloads: Uint8Array[], shards: number): Promise<IngestResult> {
    const late = async () => {
      await scheduler.wait(EARLY_MS);
      await super.ingest(payloads, shards);
    };
    this.ctx.waitUntil(late());
    const accepted = payloads.reduce((sum, bytes) => sum + decodeFrame(bytes).rows, 0);
    return { ok: true, accepted, duplicate: 0, stale: 0, flushAfterMs: 0 } as IngestResult;
  }
}
