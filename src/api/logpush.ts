/** `POST …/logpush` (contract §3): name the upload → claim the name → lines → chunks of frames → dispatch → settle. */
import * as z from "zod/mini";
import { shardOf } from "../base/hash.ts";
import { Problem } from "../base/problem.ts";
import { LOGPUSH_WAIT_MS } from "../config.ts";
import type { DispatchOutcome, Parcel } from "../edge/dispatch.ts";
import { LogpushCollector } from "../edge/logpush.ts";
import { type LogpushAnswer, logpushAnswer, logpushRecord, sampleRate } from "../schemas/logpush.ts";
import { WEIGHT_ONE } from "../wire/frame.ts";
import { type Call, json, queryParameters, type Route } from "./call.ts";
import { incomplete, sendFrames, settled } from "./ingest.ts";
import type { ClaimResult, ShardMap, ShardObject } from "./objects.ts";
import { Upload } from "./upload.ts";
import { validateQuery } from "./validate.ts";

const query = z.object({ sample_rate: z.optional(sampleRate) });

export const logpushRoutes: Route[] = [
  {
    method: "POST",
    path: "/v1/sites/:site/logpush",
    scope: "ingest",
    operationId: "postLogpush",
    summary:
      "Take an upload of Cloudflare Logpush (`http_requests`, NDJSON, usually gzip). 202 means that every accepted record is on disk in its shard; the same body counts once.",
    parameters: [
      {
        name: "Content-Encoding",
        in: "header",
        description: "`gzip` or absent; gzip is also told by its first bytes.",
        schema: z.optional(z.enum(["gzip", "identity"])),
      },
      ...queryParameters(query.shape, {
        sample_rate:
          "The job's `sample_rate`: each record counts as 1/rate requests, and once in distinct counts. From 0.001 to 1.",
      }),
    ],
    // Cloudflare promises no content type.
    body: { "application/x-ndjson": logpushRecord, "*/*": logpushRecord },
    answers: { 202: { description: "Counted.", schema: logpushAnswer } },
    problems: [400, 409, 413, 415, 503],
    handle: postLogpush,
  },
];

/** Chunks whose frames go together: a few hundred kB, of the 16 MiB that a shard holds under way. */
const BATCH_CHUNKS = 4;
const WAIT_STEP_MS = 200;
/** No header can carry it, so no user's Idempotency-Key is the name of an upload. */
const KEY_PREFIX = "\nlogpush/";

async function postLogpush(call: Call): Promise<Response> {
  const { sample_rate: rate = "1" } = validateQuery(query, call.url.searchParams);
  const upload = await Upload.open(call.request);
  try {
    upload.check();
    return json(await take(call, upload, Number(rate)), 202);
  } catch (error) {
    await upload.drain();
    throw error;
  }
}

async function take(call: Call, upload: Upload, rate: number): Promise<LogpushAnswer> {
  const map = await call.at.map();
  const key = `${KEY_PREFIX}${upload.name}`;
  const home = call.at.shard(map, shardOf(key, map.shards, map.epoch));
  const claimed = await claim(call, home, key, upload.digest);
  if (claimed.state === "done") {
    await upload.drain();
    const answer = JSON.parse(claimed.answer) as LogpushAnswer;
    await home.noteDuplicate(answer.accepted);
    return { ...answer, duplicate: true };
  }
  // Judged by the clock of its first try, or a repeat would make other frames out of what has expired since.
  const work = () => count(call, map, upload, { nowMs: claimed.firstMs, rate });
  return settled(home, key, work, isWorthKeeping);
}

/** A body without records, such as the one that a destination is tried with, is the same every time. */
function isWorthKeeping({ accepted, rejected, expired, skipped }: LogpushAnswer): boolean {
  return accepted + rejected + expired + skipped > 0;
}

/** Waits for the same upload where it is under way: Logpush repeats what was not answered in time. */
async function claim(
  call: Call,
  home: ShardObject,
  key: string,
  digest: Uint8Array,
): Promise<Extract<ClaimResult, { state: "new" | "done" }>> {
  for (let waited = 0; ; waited += WAIT_STEP_MS) {
    const claimed = await home.claim(key, digest);
    if (claimed.state === "new" || claimed.state === "done") return claimed;
    if (claimed.state === "other_body" || waited >= LOGPUSH_WAIT_MS)
      throw new Problem(409, "upload_running", "The same upload is still running.");
    await call.wait(WAIT_STEP_MS);
  }
}

async function count(
  call: Call,
  map: ShardMap,
  upload: Upload,
  { nowMs, rate }: { nowMs: number; rate: number },
): Promise<LogpushAnswer> {
  const hash = await call.objects.hash();
  const collector = new LogpushCollector({
    ...{ map, hash, nowMs, agents: call.agents },
    seed: `logpush/${call.site}/${upload.name}`,
    weight: rate === 1 ? undefined : Math.round(WEIGHT_ONE / rate),
  });
  const sender = new Sender(call, map);
  try {
    for await (const lines of upload.lines()) {
      for (const line of lines) {
        collector.add(line);
        if (collector.isFull) await sender.add(await collector.take());
      }
    }
    await sender.add(await collector.take());
    await sender.finish();
  } catch (error) {
    await sender.settle();
    throw error instanceof Problem && sender.counted > 0 ? partly(error, sender.counted) : error;
  }
  const { accepted, rejected, expired, withoutJa4, skipped, errors } = collector.counts;
  const sampled = rate === 1 ? {} : { sampled: rate };
  return { accepted, rejected, expired, without_ja4: withoutJa4, skipped, ...sampled, errors };
}

/** A body is refused in its course: what came before is on disk, and the sender is told how much that is. */
function partly(problem: Problem, counted: number): Problem {
  const { code, message, more, status } = problem;
  return new Problem(status, code, message, { ...more, members: { ...more.members, counted } });
}

/** Sends chunks together, one batch at a time, while the next is made. */
class Sender {
  /** Rows on disk. */
  counted = 0;
  readonly #call: Call;
  readonly #map: ShardMap;
  #batch: Parcel[] = [];
  #chunks = 0;
  #underWay: Promise<DispatchOutcome> | undefined;

  constructor(call: Call, map: ShardMap) {
    this.#call = call;
    this.#map = map;
  }

  /** Takes a chunk's frames. Throws 503 when a batch before did not reach every shard. */
  async add(chunk: readonly Parcel[]): Promise<void> {
    this.#batch.push(...chunk);
    if (++this.#chunks < BATCH_CHUNKS) return;
    await this.#flush();
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#await();
  }

  /** Waits for what is under way, however it ends. */
  async settle(): Promise<void> {
    this.counted += (await this.#underWay)?.counted ?? 0;
    this.#underWay = undefined;
  }

  async #flush(): Promise<void> {
    await this.#await();
    this.#underWay = sendFrames(this.#call, this.#map, this.#batch);
    this.#batch = [];
    this.#chunks = 0;
  }

  async #await(): Promise<void> {
    const outcome = await this.#underWay;
    this.#underWay = undefined;
    if (outcome === undefined) return;
    this.counted += outcome.counted;
    if (outcome.failed.length === 0) return;
    const { overloaded } = outcome;
    const detail = "Not every shard took its part. Send the same body again.";
    throw incomplete({ counted: this.counted, overloaded }, this.#call.random(), detail);
  }
}
