/**
 * Bugs to plant, as the simulator's control: a run that finds none of these proves nothing. Each is one that a careless edit
 * could bring, and each must be found within so many seeds.
 */
import type { Change } from "./bundle.ts";

export interface Bug {
  readonly name: string;
  readonly changes: readonly Change[];
}

function bug(name: string, file: string, find: string, replace: string): Bug {
  return { name, changes: [{ file, find, replace }] };
}

const LOG = "durable-objects/ingest-log.ts";
const COMMIT = "src/ingest/group-commit.ts";
const OBSERVER = "src/edge/observer.ts";
const SHARD = "durable-objects/fingerprint-shard.ts";

export const BUGS: readonly Bug[] = [
  bug(
    "frame ids are not known after a restart",
    LOG,
    "    // What left the hour while the shard was down was counted when it came; it is not late now.\n",
    "    this.#ids.clear();\n",
  ),
  bug(
    "frame ids live for a minute",
    LOG,
    "if (minute < first) this.#ids.delete(id);",
    "if (minute < minuteOf(nowMs)) this.#ids.delete(id);",
  ),
  bug(
    "the log is trimmed after ten minutes",
    LOG,
    "minuteOf(nowMs - LOG_KEEP_MS)",
    "minuteOf(nowMs - 10 * MINUTE_MS)",
  ),
  bug(
    "a call is answered before its frames are written",
    COMMIT,
    "    if (!this.#draining) void this.#drain();",
    "    resolve();\n    if (!this.#draining) void this.#drain();",
  ),
  bug(
    "memory takes a group before the disk has",
    COMMIT,
    `    const written = this.#write(group, nowMs).filter((waiting) =>
      attempt(waiting, () => this.#effects.apply(waiting.entry, nowMs)),
    );`,
    `    for (const { entry } of group) this.#effects.apply(entry, nowMs);
    const written = this.#write(group, nowMs);`,
  ),
  bug(
    "data set no alarm",
    SHARD,
    "this.ctx.waitUntil(overdue ? this.#tick() : this.#schedule());",
    "if (overdue) this.ctx.waitUntil(this.#tick());",
  ),
  bug(
    "an event leaves the outbox before the feed has it",
    "durable-objects/outbox.ts",
    "      const acked = await withTimeout(",
    "      this.#store.ackOutbox(events[events.length - 1]!.n);\n      const acked = await withTimeout(",
  ),
  bug(
    "the feed takes a repeat for new",
    "durable-objects/sql/feed-store.ts",
    "        if (n <= high) continue;\n",
    "",
  ),
  bug(
    "a subscriber who comes back starts one event late",
    "durable-objects/anomaly-feed.ts",
    "    this.#replay(server, since);",
    "    this.#replay(server, since + 1);",
  ),
  bug(
    "settings are pushed once",
    "durable-objects/settings.ts",
    "    if (silent > 0) await",
    "    if (silent < 0) await",
  ),
  bug(
    "a shard keeps its settings in memory",
    SHARD,
    '    this.#settings = settings;\n    this.#store.meta.set("settings", settings);',
    "    this.#settings = settings;",
  ),
  bug(
    "an isolate forgets a frame that could not be sent",
    OBSERVER,
    '    log({ event: "shard_failed", site: frame.site,',
    '    batch.acked(id);\n    log({ event: "shard_failed", site: frame.site,',
  ),
  bug(
    "an isolate gives a frame another id when it sends it again",
    OBSERVER,
    "resend.map(([id, frame]) => sendFrame(id, frame, deps))",
    `resend.map(([id, frame]) => {
      const bytes = frame.bytes.slice();
      const size = id.length / 2;
      const at = bytes.findIndex((_, i) => hex(bytes.subarray(i, i + size)) === id);
      bytes[at]! ^= 0x80;
      return sendFrame(id, { ...frame, bytes }, deps);
    })`,
  ),
  bug(
    "a repeat of a request with a key makes other frames",
    "src/api/observations.ts",
    "await send(call, map, same, ",
    "await send(call, map, same, Math.random() + ",
  ),
];
