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

const LOG = "src/ingest/log.ts";
const COMMIT = "src/ingest/group-commit.ts";
const SENDING = "src/edge/sending.ts";
const SHARD = "durable-objects/fingerprint-shard.ts";

export const BUGS: readonly Bug[] = [
  bug(
    "frame ids are not known after a restart",
    "src/ingest/recovery.ts",
    '  if (checkpoint !== "read") takeBorn(memory, disk);\n',
    "  memory.ids.forget(Number.MAX_SAFE_INTEGER);\n",
  ),
  bug("frame ids live for a minute", LOG, "ids.forget(first);", "ids.forget(minuteOf(nowMs));"),
  bug(
    "a checkpoint says that it holds more than it does",
    "src/ingest/memory.ts",
    "into.int(this.position.seq);",
    "into.int(this.position.seq + 20_000 * 1_024);",
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
    "    await this.ctx.storage.setAlarm(Date.now() + RETRY_MS);\n",
    "",
  ),
  bug(
    "a shard keeps its settings in memory",
    SHARD,
    '    this.#settings = settings;\n    this.#store.meta.set("settings", settings);',
    "    this.#settings = settings;",
  ),
  bug(
    "an isolate forgets a frame that could not be sent",
    SENDING,
    "    batch.lanes.failed(each, frame, startedMs, now(), { overload, tookNothing: tookNothing(error) });",
    "    batch.lanes.answered(each, frame);",
  ),
  bug(
    "an isolate gives a frame another id when it sends it again",
    SENDING,
    "    const sending = peers.send([frame.bytes], ",
    `    const bytes = frame.bytes.slice();
    if (frame.tries > 1) bytes[bytes.findIndex((_, i) => frame.id.every((byte, j) => bytes[i + j] === byte))]! ^= 0x80;
    const sending = peers.send([bytes], `,
  ),
  bug(
    "a repeat of a request with a key makes other frames",
    "src/api/observations.ts",
    "send(call, map, same, seededIds(",
    "send(call, map, same, seededIds(Math.random() + ",
  ),
];
