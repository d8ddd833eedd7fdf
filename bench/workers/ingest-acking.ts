/**
 * The peer: an object that makes the same frames durable by the same group commit in the same tables, and does nothing else
 * with them: no check, no deduplication, no window. What the engine itself can do.
 */
import { DurableObject } from "cloudflare:workers";
import { ShardStore } from "../../durable-objects/sql/shard-store.ts";
import { pause } from "../../durable-objects/timeout.ts";
import { type Entry, GroupCommit } from "../../src/ingest/group-commit.ts";
import { framesOfRow, groupRows } from "../../src/ingest/group-row.ts";
import { minuteOf } from "../../src/window/time.ts";
import { CallRate } from "../../src/wire/ingest.ts";
import { driver } from "./ingest-driver.ts";

export class FingerprintShard extends DurableObject {
  readonly #store = new ShardStore(this.ctx.storage);
  readonly #calls = new CallRate();
  readonly #commits = new GroupCommit<Entry>({
    nowMs: () => Date.now(),
    write: (payloads, nowMs) => {
      this.#store.appendLog(minuteOf(nowMs), nowMs, groupRows(payloads));
    },
    apply: () => {},
    sync: () => this.ctx.storage.sync(),
    pause,
  });

  async ingest(payloads: Uint8Array[]) {
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
    await this.#commits.submit({ payloads, bytes }, this.#calls.note(Date.now()));
    return { ok: true as const, accepted: 0, duplicate: 0 };
  }

  /** What is on its disk. */
  summary(): { frames: number; rows: number } {
    let [frames, rows] = [0, 0];
    for (const { bytes } of this.#store.logRows({ minute: 0, seq: 0 })) {
      frames += framesOfRow(bytes).length;
      rows++;
    }
    return { frames, rows };
  }
}

export class Census extends DurableObject {}
export class AnomalyFeed extends DurableObject {}
export class Settings extends DurableObject {}

export default driver;
