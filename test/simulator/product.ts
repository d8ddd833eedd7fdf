/** What the simulator uses of the product's bundles: the slices of it, since its own types belong to the platform's. */
import type { ObjectClass } from "./actor.ts";
import type { SimulatedRequest, SimulatedResponse } from "./shims.ts";

export interface ShardMap {
  epoch: number;
  shards: number;
}

interface IngestAnswer {
  ok: boolean;
  accepted?: number;
  duplicate?: number;
  stale?: number;
  fault?: string;
}

/** A shard's answers, as far as they are checked. */
export interface ShardCalls {
  ingest(payloads: Uint8Array[], shards: number): Promise<IngestAnswer>;
  list(query: object): Promise<{ asOfMs: number; rows: { row: { ja4: string; reqs: number } }[] }>;
  read(ja4s: string[]): Promise<{ found: FingerprintForm[]; missing: number[] }>;
  summary(): Promise<ShardNumbers>;
  applySettings(settings: object): Promise<number>;
  activeThresholds(): Promise<Record<string, string[]>>;
}

export interface FingerprintForm {
  ja4: string;
  as_of: string;
  ranks_as_of?: string;
  windows: Record<"1m" | "5m" | "1h", { reqs: number; asns?: number }>;
  local: Record<string, number>;
}

export interface ShardNumbers {
  asOfMs: number;
  windows: Record<"1m" | "5m" | "1h", { reqs: number; without_ja4: number }>;
  sinceStart: Record<string, number>;
}

/** The objects of a site, as `objectsOf` gives them. */
export interface SiteObjects {
  map(): Promise<ShardMap>;
  shard(map: ShardMap, shard: number): ShardCalls;
}

interface Memory {
  maps: Map<string, ShardMap>;
  hash: unknown;
}

interface Objects {
  site(site: string): SiteObjects;
}

export interface Product {
  FingerprintShard: ObjectClass;
  Census: ObjectClass;
  AnomalyFeed: ObjectClass;
  Settings: ObjectClass;
  objectsOf(env: object, options: object, memory: Memory): Objects;
  parseOptions(env: object): object;
  answer(request: SimulatedRequest, services: object): Promise<SimulatedResponse>;
  UserAgentClassifier: new () => object;
  Peers: new () => object;
  Channels: new (random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array) => object;
  Credentials: new () => object;
  RateLimits: new (perMinute: number) => object;
}

/** An isolate's batch, as far as it tells what is not sent yet. */
interface Batch {
  readonly rows: number;
  readonly lanes: { readonly inflight: number };
}

export interface Observed {
  isolateOf(env: object): { observer: { batch: Batch }; options: object };
  observeExchange(
    site: string,
    request: object,
    response: object,
    nowMs: number,
    options: object,
    deps: object,
  ): Promise<void> | undefined;
}
