/** Objects, frames and requests for the tests inside the engine. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { factBits, HAS_IP } from "../../src/wire/flags.ts";
import { encodeFrame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS } from "../../src/wire/frame-builder.ts";

export const CHROME = "t13d1516h2_8daaf6152771_02713d6af862";
const TOKEN = "workerd-test-token";

export function shardStub(site: string, shard = 0) {
  return env.SHARDS_NS.getByName(`v1/${site}/shard/1-${shard}`);
}

export function feedStub(site: string) {
  return env.FEED_NS.getByName(`v1/${site}/feed`);
}

export function censusStub(site: string) {
  return env.CENSUS_NS.getByName(`v1/${site}/census`);
}

/** A frame of `count` requests of one fingerprint at `atMs`, each from another address; `id` is one byte repeated. */
export function frame(id: number, atMs: number, count: number, ja4 = CHROME): Uint8Array {
  const builder = new FrameBuilder();
  for (let i = 0; i < count; i++) {
    builder.add({
      timestampMs: atMs,
      ja4,
      flags: factBits("error", i % 2 === 0) | HAS_IP,
      ipHash: i + 1,
      uaHash: 0,
      pathHash: 0,
      hostHash: 0,
      asnNumber: 0,
      signals: undefined,
      path: "/login",
      host: undefined,
      method: "POST",
      status: 401,
      asn: undefined,
      rayId: undefined,
    });
  }
  return encodeFrame(builder.build(new Uint8Array(16).fill(id), "observations", NO_COUNTERS));
}

/** A request to the Worker with the tests' token. */
export function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${TOKEN}`);
  return exports.default.fetch(new Request(`http://localhost${path}`, { ...init, headers }));
}

/** What the call was refused with. Awaited here: a call that fails unawaited is an unhandled rejection to vitest. */
export async function failure(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    return String(error);
  }
  return "none";
}

/** Makes methods of one running object fail, until it is evicted or `heal` is called. */
export async function breakMethods<T extends Rpc.DurableObjectBranded>(
  stub: DurableObjectStub<T>,
  ...methods: string[]
): Promise<() => Promise<void>> {
  // An own property hides the class's method, and the engine lets nobody call it: every call throws.
  await runInDurableObject(stub, (instance: T) => {
    for (const method of methods)
      Object.defineProperty(instance, method, { configurable: true, value: undefined });
  });
  return () =>
    runInDurableObject(stub, (instance: T) => {
      for (const method of methods) Reflect.deleteProperty(instance, method);
    });
}
