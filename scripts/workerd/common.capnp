@0xc1f7a4f0d3b65e21;
# What every way of running the Worker on raw workerd shares. Class names, binding names and the
# compatibility date repeat wrangler.toml; test/architecture.test.ts (ARC-8) compares the two files.

using Workerd = import "/workerd/workerd.capnp";

const hellotide :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "../../dist/worker.js")],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["global_fetch_strictly_public", "enable_request_signal"],

  # uniqueKey names the folder of a class on disk and is hashed into every object's id:
  # changing one loses that class's data.
  durableObjectNamespaces = [
    (className = "FingerprintShard", uniqueKey = "hellotide-FingerprintShard", enableSql = true),
    (className = "Census", uniqueKey = "hellotide-Census", enableSql = true),
    (className = "AnomalyFeed", uniqueKey = "hellotide-AnomalyFeed", enableSql = true),
    (className = "Settings", uniqueKey = "hellotide-Settings", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "do"),

  bindings = [
    (name = "SHARDS_NS", durableObjectNamespace = "FingerprintShard"),
    (name = "CENSUS_NS", durableObjectNamespace = "Census"),
    (name = "FEED_NS", durableObjectNamespace = "AnomalyFeed"),
    (name = "SETTINGS_NS", durableObjectNamespace = "Settings"),

    (name = "ASSETS", service = "assets"),

    # Settings; an unset variable is a null binding. scripts/lib/settings.ts has the same list.
    (name = "SITES", fromEnvironment = "SITES"),
    (name = "SHARDS", fromEnvironment = "SHARDS"),
    (name = "API_TOKENS", fromEnvironment = "API_TOKENS"),
    (name = "API_HOSTS", fromEnvironment = "API_HOSTS"),
    (name = "ORIGIN_URL", fromEnvironment = "ORIGIN_URL"),
    (name = "JA4_HEADER", fromEnvironment = "JA4_HEADER"),
    (name = "HASH_KEY", fromEnvironment = "HASH_KEY"),
    (name = "OBSERVE", fromEnvironment = "OBSERVE"),
    (name = "TICK", fromEnvironment = "TICK"),
    (name = "FLUSH", fromEnvironment = "FLUSH"),
    (name = "ALLOWED_ORIGINS", fromEnvironment = "ALLOWED_ORIGINS"),
    (name = "JURISDICTION", fromEnvironment = "JURISDICTION"),
    (name = "REGION", fromEnvironment = "REGION"),
    (name = "SIGNALS_HEADER", fromEnvironment = "SIGNALS_HEADER"),
    (name = "FINGERPRINT", fromEnvironment = "FINGERPRINT"),
    (name = "PUBLIC_URL", fromEnvironment = "PUBLIC_URL"),
    (name = "ACCESS_TEAM", fromEnvironment = "ACCESS_TEAM"),
    (name = "ACCESS_AUD", fromEnvironment = "ACCESS_AUD"),
    (name = "ACCESS_SCOPES", fromEnvironment = "ACCESS_SCOPES"),
    (name = "ACCESS_SITES", fromEnvironment = "ACCESS_SITES"),
    (name = "RATE_LIMIT", fromEnvironment = "RATE_LIMIT"),
    (name = "WEBHOOK_TEST_TARGETS", fromEnvironment = "WEBHOOK_TEST_TARGETS"),
  ],
);

# Where the objects' SQLite files lie; the command line gives the real folder (-d do=DIR).
const storage :Workerd.Service = (name = "do", disk = (path = ".hellotide", writable = true));

# The dashboard: its files, and what the platform's static assets do with a path. The path starts at the
# engine's working directory, which is the project's.
const web :Workerd.Service = (name = "web", disk = (path = "dist/web"));
const assets :Workerd.Service = (
  name = "assets",
  worker = (
    modules = [(name = "assets", esModule = embed "assets.js")],
    compatibilityDate = "2026-10-01",
    bindings = [(name = "FILES", service = "web")],
  ),
);

# Outbound requests, by the address that a name resolves to. A webhook whose name points inward is
# refused here even if the validator let it through.
const publicOnly :Workerd.Service = (
  name = "internet",
  network = (allow = ["public"], tlsOptions = (trustBrowserCas = true)),
);

# For ORIGIN_URL, which usually is a server on this machine or its network.
const anyAddress :Workerd.Service = (
  name = "internet",
  network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)),
);
