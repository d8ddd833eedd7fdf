/**
 * HelloTide with objects that can be made to fail one by one, by `POST /__fault`. For fault runs only; the product's
 * classes are not touched, every public method of theirs goes through a gate.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../../../durable-objects/env.ts";
import HelloTide, {
  Census as RealCensus,
  AnomalyFeed as RealFeed,
  Settings as RealSettings,
  FingerprintShard as RealShard,
} from "../../../src/index.ts";

/** `throws`, `hangs`: every call. `slow_disk`: waiting for the disk takes `ms` longer. */
type How = "works" | "throws" | "hangs" | "slow_disk";

interface Order {
  /** Name of the object. */
  readonly object: string;
  readonly how: How | "evict";
  readonly ms?: number;
}

/** The engine runs the Worker and its objects in one isolate, so that they share these. */
const orders = new Map<string, Order>();
const starts = new Map<string, number>();
/** How often a hanging call looks whether it may go on, ms. */
const POLL_MS = 25;
const BINDINGS = {
  shard: "SHARDS_NS",
  census: "CENSUS_NS",
  feed: "FEED_NS",
  settings: "SETTINGS_NS",
} as const;

async function hang(name: string): Promise<never> {
  while (orders.get(name)?.how === "hangs") await scheduler.wait(POLL_MS);
  throw new Error("it hung, and is back");
}

/** Of the class and those that it extends, up to the platform's own. */
function methodNames(prototype: object): string[] {
  if (prototype === DurableObject.prototype) return [];
  return [
    ...Object.getOwnPropertyNames(prototype),
    ...methodNames(Object.getPrototypeOf(prototype) as object),
  ];
}

type AnyClass = new (ctx: DurableObjectState, env: Env) => object;

/** A class whose public methods fail as its object's order says; without an order they are the real ones. */
function gated<T extends AnyClass>(Real: T): T {
  const Base: AnyClass = Real;
  class Gated extends Base {
    constructor(ctx: DurableObjectState, env: Env) {
      const name = ctx.id.name ?? "";
      const sync = ctx.storage.sync.bind(ctx.storage);
      Object.defineProperty(ctx.storage, "sync", {
        value: async () => {
          const order = orders.get(name);
          if (order?.how === "slow_disk") await scheduler.wait(order.ms ?? 0);
          await sync();
        },
      });
      super(ctx, env);
      starts.set(name, (starts.get(name) ?? 0) + 1);
      Object.defineProperty(this, "faultyCtx", { value: ctx });
    }

    /** Ends this instance: its memory is gone, the next call makes a new one from the disk. */
    async evict(): Promise<void> {
      const { faultyCtx: ctx } = this as unknown as { faultyCtx: DurableObjectState };
      await ctx.storage.sync();
      ctx.abort("evicted by the test");
    }
  }
  for (const key of methodNames(Real.prototype)) {
    const method: unknown = Reflect.get(Real.prototype, key);
    if (key === "constructor" || typeof method !== "function") continue;
    Object.defineProperty(Gated.prototype, key, {
      value: function (this: { faultyCtx: DurableObjectState }, ...args: unknown[]): unknown {
        const name = this.faultyCtx.id.name ?? "";
        const how = orders.get(name)?.how;
        if (how === "throws") throw new Error("it is down");
        if (how === "hangs") return hang(name);
        return Reflect.apply(method, this, args);
      },
    });
  }
  return Gated as unknown as T;
}

export class FingerprintShard extends gated(RealShard) {}
export class Census extends gated(RealCensus) {}
export class AnomalyFeed extends gated(RealFeed) {}
export class Settings extends gated(RealSettings) {}

export default class Faulty extends HelloTide {
  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/__fault") return super.fetch(request);
    if (request.method === "POST") await this.#obey(await request.json<Order>());
    return Response.json(Object.fromEntries(starts));
  }

  async #obey(order: Order): Promise<void> {
    if (order.how !== "evict") {
      orders.set(order.object, order);
      return;
    }
    const kind = order.object.split("/")[2] as keyof typeof BINDINGS;
    const stub = this.env[BINDINGS[kind]].getByName(order.object) as unknown as { evict(): Promise<void> };
    // The instance ends within the call, so the call always fails.
    await stub.evict().catch(() => undefined);
  }
}
