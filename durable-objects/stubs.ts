/**
 * How the objects are named and found: `v1/{site}/{kind}[/{epoch}-{i}]`, so two sites never share one. Every `get` carries
 * jurisdiction (part of an object's identity) and location hint, and switches the runtime's own retries off: our
 * callers retry with the same id, and retries inside retries multiply under load.
 */
import type { Options } from "../src/options.ts";
import type { Env } from "./env.ts";

/** Stands where a site does in the name of the account's object. */
export const ACCOUNT = "_";

export interface ShardPlace {
  site: string;
  epoch: number;
  shard: number;
}

function shardName({ site, epoch, shard }: ShardPlace): string {
  return `v1/${site}/shard/${epoch}-${shard}`;
}

/** The place that a shard's own name says. */
export function parseShardName(name: string | undefined): ShardPlace {
  const parts = /^v1\/([a-z0-9-]+)\/shard\/(\d+)-(\d+)$/.exec(name ?? "");
  if (parts === null) throw new Error("a shard must be reached by its name");
  return { site: parts[1]!, epoch: Number(parts[2]), shard: Number(parts[3]) };
}

/** The site of a Census, feed or settings object; `_` for the account's. */
export function siteOfName(name: string | undefined): string {
  const site = name?.split("/")[1];
  if (site === undefined) throw new Error("an object must be reached by its name");
  return site;
}

/** Finds objects; one a request or object, since stubs break for good with some errors. */
export class Stubs {
  readonly #env: Env;
  readonly #options: Pick<Options, "jurisdiction" | "region">;

  constructor(env: Env, options: Pick<Options, "jurisdiction" | "region">) {
    this.#env = env;
    this.#options = options;
  }

  shard(place: ShardPlace) {
    return this.#get(this.#env.SHARDS_NS, shardName(place));
  }

  census(site: string) {
    return this.#get(this.#env.CENSUS_NS, `v1/${site}/census`);
  }

  feed(site: string) {
    return this.#get(this.#env.FEED_NS, `v1/${site}/feed`);
  }

  settings(site: string) {
    return this.#get(this.#env.SETTINGS_NS, `v1/${site}/settings`);
  }

  account() {
    return this.#get(this.#env.SETTINGS_NS, `v1/${ACCOUNT}/settings`);
  }

  #get<T extends Rpc.DurableObjectBranded>(
    namespace: DurableObjectNamespace<T>,
    name: string,
  ): DurableObjectStub<T> {
    const { jurisdiction, region } = this.#options;
    const where =
      jurisdiction === undefined
        ? namespace
        : namespace.jurisdiction(jurisdiction as DurableObjectJurisdiction);
    const hint = region === undefined ? {} : { locationHint: region as DurableObjectLocationHint };
    return where.getByName(name, hint);
  }
}
