/** The objects as the API sees them, by stubs; what an isolate may remember is remembered here. */
import type {
  AccountObject,
  FeedObject,
  Objects,
  SettingsObject,
  ShardMap,
  ShardObject,
  SiteObjects,
} from "../src/api/objects.ts";
import { KeyedHash, sha256 } from "../src/base/hash.ts";
import { unavailable } from "../src/base/problem.ts";
import { isOverloaded } from "../src/base/retry.ts";
import { API_CALL_TIMEOUT_MS } from "../src/config.ts";
import type { Options } from "../src/options.ts";
import type { Env } from "./env.ts";
import { Stubs } from "./stubs.ts";
import { TimeoutError, withTimeout } from "./timeout.ts";

/** What never changes while an isolate lives: shard maps are fixed at a site's first start, the key with a deploy. */
export interface IsolateMemory {
  maps: Map<string, ShardMap>;
  hash: KeyedHash | undefined;
}

export function objectsOf(env: Env, options: Options, memory: IsolateMemory): Objects {
  const stubs = new Stubs(env, options);
  return {
    site: (site) => siteObjects(stubs, site, memory),
    account: () => guarded(() => stubs.account() as unknown as AccountObject),
    hash: async () => {
      memory.hash ??= new KeyedHash(await hashKey(stubs, options));
      return memory.hash;
    },
  };
}

async function hashKey(stubs: Stubs, options: Options): Promise<Uint8Array> {
  if (options.hashKey !== undefined) return sha256(options.hashKey);
  return orUnavailable(async () => stubs.account().hashKey());
}

function siteObjects(stubs: Stubs, site: string, memory: IsolateMemory): SiteObjects {
  return {
    map: async () => {
      const known = memory.maps.get(site);
      if (known !== undefined) return known;
      const { epoch, shards } = await orUnavailable(async () => stubs.settings(site).map());
      memory.maps.set(site, { epoch, shards });
      return { epoch, shards };
    },
    shard: ({ epoch }, shard) => guarded(() => stubs.shard({ site, epoch, shard }) as unknown as ShardObject),
    feed: () => guarded(() => stubs.feed(site) as unknown as FeedObject),
    settings: () => guarded(() => stubs.settings(site) as unknown as SettingsObject),
  };
}

/**
 * A fresh stub for every call (a stub stays broken after many errors), and every failure of a call as a 503: an object
 * that restarts, or hangs, is our trouble, not a bug of the caller's.
 */
function guarded<T extends object>(stub: () => T): T {
  return new Proxy({} as T, {
    get: (_, method) => {
      // An awaited proxy must not look like a promise.
      if (method === "then") return undefined;
      return (...parameters: unknown[]) =>
        orUnavailable(async () => {
          const target = stub() as Record<PropertyKey, (...given: unknown[]) => Promise<unknown>>;
          return target[method]!(...parameters);
        });
    },
  });
}

async function orUnavailable<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await withTimeout(call(), API_CALL_TIMEOUT_MS, "an object");
  } catch (error) {
    // One that hangs is as little to be asked again at once as one that says that it is overloaded.
    const overloaded = error instanceof TimeoutError || isOverloaded(error);
    throw Object.assign(unavailable("A part of the service does not answer now."), {
      overloaded,
      cause: error,
    });
  }
}
