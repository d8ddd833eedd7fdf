/**
 * What lives as long as an isolate: options, caches, the batch. Plain data only, no promise, timer or stub (see
 * `src/edge/batch.ts`); randomness is drawn at the first flush, since it throws at global scope.
 */
import { AccessKeys } from "../src/api/access.ts";
import { Credentials } from "../src/api/credentials.ts";
import { RateLimits } from "../src/api/rate-limit.ts";
import { logWarning } from "../src/base/log.ts";
import {
  EDGE_BACK_OFF_MS,
  EDGE_FULL_ROWS,
  EDGE_MAX_INFLIGHT,
  EDGE_MAX_ROWS,
  EDGE_MAX_WAITING,
  EDGE_SEND_TIMEOUT_MS,
  FLUSH_MAX_MS,
} from "../src/config.ts";
import { Batch } from "../src/edge/batch.ts";
import { Channels } from "../src/edge/channels.ts";
import { Exchange } from "../src/edge/exchange.ts";
import { Gate } from "../src/edge/gate.ts";
import { Peers } from "../src/edge/peers.ts";
import { RowMaker } from "../src/edge/row.ts";
import { SignalsCache } from "../src/edge/signals-cache.ts";
import { UserAgentClassifier } from "../src/edge/user-agent.ts";
import { type Options, parseOptions } from "../src/options.ts";
import type { Isolate } from "../src/worker.ts";
import type { Env } from "./env.ts";
import { type IsolateMemory, objectsOf } from "./objects.ts";

const memory: IsolateMemory = { maps: new Map(), hash: undefined };
const agents = new UserAgentClassifier();
const rows = new RowMaker(agents);
const exchange = new Exchange();
const peers = new Peers();
const signals = new SignalsCache();
const credentials = new Credentials();
const keyGate = new Gate({ maxWaiting: EDGE_MAX_WAITING, pauseMs: EDGE_BACK_OFF_MS });
let options: Options | undefined;
let batch: Batch | undefined;
const channels = new Channels((bytes) => crypto.getRandomValues(bytes));
const random = () => Math.random();

/** Made once: it holds the bindings, which belong to no request, and makes a stub for every call. */
let made: { readonly env: Env; readonly isolate: Isolate } | undefined;

/** The isolate as its requests see it. Throws when a setting is wrong. */
export function isolateOf(env: Env): Isolate {
  if (made?.env !== env) made = { env, isolate: isolateWith(env) };
  return made.isolate;
}

function isolateWith(env: Env): Isolate {
  options ??= parseOptions(env);
  batch ??= new Batch(
    {
      fullRows: EDGE_FULL_ROWS,
      maxRows: EDGE_MAX_ROWS,
      maxInflight: EDGE_MAX_INFLIGHT,
      ageMs: options.flushMs,
      ageMaxMs: FLUSH_MAX_MS,
      sendTimeoutMs: EDGE_SEND_TIMEOUT_MS,
    },
    { random, channels },
  );
  const objects = objectsOf(env, options, memory);
  const wait = (ms: number, signal?: AbortSignal) => scheduler.wait(ms, signal && { signal });
  const now = () => Date.now();
  const hash = async () => memory.hash ?? (await keyGate.pass(objects.hash, now));
  const observed = { site: objects.site, hash, knownHash: () => memory.hash };
  const own = { batch, exchange, rows, peers };
  const observer = { ...own, objects: observed, now, wait, log: logWarning };
  const doors = { credentials, access: accessOf(options), limits: new RateLimits(options.rateLimit) };
  const assets = env.ASSETS === undefined ? undefined : (request: Request) => env.ASSETS!.fetch(request);
  const services = {
    options,
    assets,
    agents,
    peers,
    channels,
    objects,
    random,
    wait,
    log: logWarning,
    ...doors,
  };
  return { ...services, now, observer, signals };
}

function accessOf({ access }: Options): AccessKeys | undefined {
  if (access === undefined) return undefined;
  return new AccessKeys(access.team, access.audience, (url, init) => fetch(url, init));
}
