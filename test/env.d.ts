/** What `env` and `exports` of `cloudflare:workers` are in test/workerd; by hand, as generated types are very long. */
declare namespace Cloudflare {
  interface Env {
    readonly SHARDS_NS: DurableObjectNamespace<
      import("../durable-objects/fingerprint-shard.ts").FingerprintShard
    >;
    readonly CENSUS_NS: DurableObjectNamespace<import("../durable-objects/census.ts").Census>;
    readonly FEED_NS: DurableObjectNamespace<import("../durable-objects/anomaly-feed.ts").AnomalyFeed>;
    readonly SETTINGS_NS: DurableObjectNamespace<import("../durable-objects/settings.ts").Settings>;
    readonly SITES: Readonly<Record<string, readonly string[]>>;
    readonly HASH_KEY: string;
  }
  interface GlobalProps {
    mainModule: typeof import("../src/index.ts");
    durableNamespaces: "FingerprintShard" | "Census" | "AnomalyFeed" | "Settings";
  }
}
