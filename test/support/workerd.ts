/**
 * Workers of a test's own on raw workerd: several in one process, bundled from sources, in front of an origin that stands
 * for the whole Internet. For what `scripts/serve.ts` never does: second Workers, broken objects, broken settings.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorker } from "../../scripts/lib/bundle.ts";

export interface TestWorker {
  readonly name: string;
  /** Its source. */
  readonly entry: URL;
  readonly env?: Readonly<Record<string, string>>;
  /** Binding → name of another Worker. */
  readonly services?: Readonly<Record<string, string>>;
  /** Whether it brings the four classes. */
  readonly objects?: boolean;
}

export interface TestWorkerd {
  /** URL of each Worker by its name. */
  readonly urls: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const CLASSES = {
  SHARDS_NS: "FingerprintShard",
  CENSUS_NS: "Census",
  FEED_NS: "AnomalyFeed",
  SETTINGS_NS: "Settings",
};
const text = JSON.stringify;

function workerOf({ name, env = {}, services = {}, objects = false }: TestWorker): string {
  const bindings = [
    ...Object.entries(env).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`),
    ...Object.entries(services).map(([key, service]) => `(name = ${text(key)}, service = ${text(service)})`),
    ...(objects
      ? Object.entries(CLASSES).map(
          ([key, of]) => `(name = ${text(key)}, durableObjectNamespace = ${text(of)})`,
        )
      : []),
  ];
  const namespaces = Object.values(CLASSES).map(
    (of) => `(className = ${text(of)}, uniqueKey = ${text(of)}, enableSql = true)`,
  );
  return `(name = ${text(name)}, worker = (
    modules = [(name = "worker", esModule = embed ${text(`${name}.js`)})],
    compatibilityDate = "2026-10-01", compatibilityFlags = ["global_fetch_strictly_public", "enable_request_signal"],
    bindings = [${bindings.join(", ")}], globalOutbound = "origin",
    ${objects ? `durableObjectNamespaces = [${namespaces.join(", ")}], durableObjectStorage = (localDisk = "do"),` : ""}
  ))`;
}

/** `origin`: HOST:PORT where every outgoing request ends up. */
export async function startWorkerd(workers: readonly TestWorker[], origin: string): Promise<TestWorkerd> {
  const dir = mkdtempSync(join(tmpdir(), "hellotide-workerd-"));
  mkdirSync(join(dir, "do"));
  for (const { name, entry } of workers) {
    await bundleWorker(fileURLToPath(entry), join(dir, `${name}.js`));
  }
  const sockets = workers.map(
    ({ name }) =>
      `(name = ${text(name)}, address = "127.0.0.1:0", service = ${text(name)}, http = (cfBlobHeader = "x-test-cf"))`,
  );
  const config = `@0xd5c1a7e2b3f40961;
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${workers.map(workerOf).join(",\n")},
    (name = "origin", external = (address = ${text(origin)}, http = ())),
    (name = "do", disk = (path = ${text(join(dir, "do"))}, writable = true))],
  sockets = [${sockets.join(", ")}],
);
`;
  writeFileSync(join(dir, "config.capnp"), config);
  const require = createRequire(import.meta.url);
  const { default: program } = require("workerd") as { default: string };
  const include = dirname(dirname(require.resolve("workerd/package.json")));
  const args = ["serve", "-I", include, "--control-fd=3", join(dir, "config.capnp"), "config"];
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe", "pipe"], env: {} });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
  };
  process.once("exit", () => child.kill("SIGKILL"));
  try {
    return { urls: await listening(child, workers.length), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The engine tells each port that it listens on, one JSON line a socket. */
function listening(child: ChildProcess, count: number): Promise<Record<string, string>> {
  const urls: Record<string, string> = {};
  let said = "";
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    errors = (errors + chunk).slice(-10_000);
  });
  return new Promise((resolve, reject) => {
    child.once("close", () => reject(new Error(`workerd ended at its start: ${errors}`)));
    child.stdio[3]?.on("data", (chunk: Buffer) => {
      said += chunk;
      for (const [, socket, port] of said.matchAll(/"socket":"(\w+)","port":(\d+)/g))
        urls[socket!] = `http://127.0.0.1:${port}`;
      if (Object.keys(urls).length === count) resolve(urls);
    });
  });
}
