/**
 * What lives as long as an isolate: options, caches, the batch. Plain data only, no promise, timer or stub (see
 * `src/edge/batch.ts`); randomness is drawn at the first flush, since it throws at global scope.
 */
import { hex } from "../src/base/hash.ts";
import { logWarning } from "../src/base/log.ts";
import {
  EDGE_BACK_OFF_MS,
  EDGE_FULL_ROWS,
  EDGE_MAX_INFLIGHT,
  EDGE_MAX_ROWS,
  EDGE_MAX_WAITING,
  EDGE_SEND_TIMEOUT_MS,
} from "../src/config.ts";
import { Batch } from "../src/edge/batch.ts";
import { Gate } from "../src/edge/gate.ts";
import { SignalsCache } from "../src/edge/signals-cache.ts";
import { UserAgentClassifier } from "../src/edge/user-agent.ts";
import { type Options, parseOptions } from "../src/options.ts";
import type { Isolate } from "../src/worker.ts";
import type { Env } from "./env.ts";
import { type IsolateMemory, objectsOf } from "./objects.ts";
import { withTimeout } from "./timeout.ts";

const memory: IsolateMemory = { maps: new Map(), hash: undefined };
const agents = new UserAgentClassifier();
const signals = new SignalsCache();
const keyGate = new Gate({ maxWaiting: EDGE_MAX_WAITING, pauseMs: EDGE_BACK_OFF_MS });
let options: Options | undefined;
let batch: Batch | undefined;
let isolateId: string | undefined;
let flushes = 0;

/** The isolate as one request sees it. Throws when a setting is wrong. */
export function isolateOf(env: Env): Isolate {
  options ??= parseOptions(env);
  batch ??= new Batch({
    fullRows: EDGE_FULL_ROWS,
    maxRows: EDGE_MAX_ROWS,
    maxInflight: EDGE_MAX_INFLIGHT,
    ageMs: options.flushMs,
    sendTimeoutMs: EDGE_SEND_TIMEOUT_MS,
  });
  const objects = objectsOf(env, options, memory);
  const wait = (ms: number) => scheduler.wait(ms);
  const now = () => Date.now();
  const key = () => withTimeout(objects.hash(), EDGE_SEND_TIMEOUT_MS, "the account's key");
  const hash = async () => memory.hash ?? (await keyGate.pass(key, now));
  const observed = { site: objects.site, hash };
  const observer = { batch, agents, objects: observed, now, wait, log: logWarning, nextFlushId };
  return { options, agents, objects, wait, now, log: logWarning, observer, signals };
}

function nextFlushId(): string {
  isolateId ??= hex(crypto.getRandomValues(new Uint8Array(16)));
  return `edge/${isolateId}/${++flushes}`;
}
