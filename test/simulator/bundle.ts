/**
 * The product's code as the simulator runs it: bundled once, as functions of the globals that it may see. The objects and the
 * API are loaded once a process, since they keep nothing between calls in their modules; the edge once an isolate, since it
 * does.
 */
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { Script } from "node:vm";
import { build, type Plugin } from "esbuild";
import { ROOT } from "../../scripts/lib/paths.ts";
import type { Observed, Product } from "./product.ts";
import { GLOBALS } from "./shims.ts";

/** A planted fault: the one place where `find` stands in the file becomes `replace`. */
export interface Change {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Two scripts; text, so that they can be handed to a worker thread. */
export interface Bundles {
  readonly objects: string;
  readonly edge: string;
}

const OBJECTS = `
  export { FingerprintShard } from "./durable-objects/fingerprint-shard.ts";
  export { Census } from "./durable-objects/census.ts";
  export { AnomalyFeed } from "./durable-objects/anomaly-feed.ts";
  export { Settings } from "./durable-objects/settings.ts";
  export { objectsOf } from "./durable-objects/objects.ts";
  export { answer } from "./src/api/router.ts";
  export { parseOptions } from "./src/options.ts";
  export { UserAgentClassifier } from "./src/edge/user-agent.ts";
  export { Peers } from "./src/edge/peers.ts";
  export { Channels } from "./src/edge/channels.ts";
  export { Credentials } from "./src/api/credentials.ts";
  export { RateLimits } from "./src/api/rate-limit.ts";
`;
const EDGE = `
  export { isolateOf } from "./durable-objects/isolate.ts";
  export { observeExchange } from "./src/edge/observer.ts";
`;

/** A world has some hundred observations: checkpoints among them, or a start would always read the whole log. */
const SMALL_WORLD: readonly Change[] = [
  { file: "src/config.ts", find: "CHECKPOINT_WORK = 40_000;", replace: "CHECKPOINT_WORK = 200;" },
  {
    file: "src/config.ts",
    find: "CHECKPOINT_BYTES_A_WORK = 100;",
    replace: "CHECKPOINT_BYTES_A_WORK = 1e12;",
  },
  {
    file: "src/config.ts",
    find: "CHECKPOINT_PAUSE_MS = 5 * SECOND_MS;",
    replace: "CHECKPOINT_PAUSE_MS = 10 * SECOND_MS;",
  },
  {
    // Every event is to be heard by subscribers, so that none can be lost unseen: no storm groups any.
    file: "src/detect/settings.ts",
    find: "storm: { raises: 20,",
    replace: "storm: { raises: 1_000_000,",
  },
];

/** Bundles the product with the given changes, `scale` among them. Throws when one does not fit exactly one place. */
export async function bundle(
  planted: readonly Change[] = [],
  scale: readonly Change[] = SMALL_WORLD,
): Promise<Bundles> {
  const changes = [...scale, ...planted];
  const places = changes.map(() => 0);
  const [objects, edge] = await Promise.all([
    bundled(OBJECTS, changes, places),
    bundled(EDGE, changes, places),
  ]);
  changes.forEach(({ file }, i) => {
    if (places[i] === 0) throw new Error(`the planted fault in ${file} is in no bundle`);
  });
  return { objects, edge };
}

async function bundled(entry: string, changes: readonly Change[], places: number[]): Promise<string> {
  const result = await build({
    stdin: { contents: entry, resolveDir: ROOT, loader: "ts" },
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    format: "cjs",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    plugins: [planting(changes, places)],
    logLevel: "silent",
  });
  return result.outputFiles[0]!.text;
}

function planting(changes: readonly Change[], places: number[]): Plugin {
  return {
    name: "planted faults",
    setup({ onLoad }) {
      const files = new Set(changes.map(({ file }) => join(ROOT, file)));
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (!files.has(path)) return undefined;
        let text = await readFile(path, "utf8");
        changes.forEach(({ file, find, replace }, i) => {
          if (relative(ROOT, path) !== file) return;
          if (text.split(find).length !== 2) throw new Error(`not exactly one place in ${file}: ${find}`);
          text = text.replace(find, () => replace);
          places[i] = (places[i] ?? 0) + 1;
        });
        return { contents: text, loader: "ts" };
      });
    },
  };
}

type Loader = (exports: Record<string, unknown>, ...globals: unknown[]) => void;

/** Compiles a bundle once; each call of the result runs it anew, with modules of its own. */
function loaderOf(code: string, name: string): () => unknown {
  const names = Object.keys(GLOBALS);
  const source = `((module, exports, ${names.join(", ")}) => {${code}\n})`;
  const load = new Script(source, { filename: `simulated/${name}.js` }).runInThisContext() as Loader;
  return () => {
    const module = { exports: {} };
    load(module, module.exports, ...Object.values(GLOBALS));
    return module.exports;
  };
}

/** The product, loaded; `edge` is a new isolate's code each time. */
export function load({ objects, edge }: Bundles): { product: Product; edge: () => Observed } {
  return {
    product: loaderOf(objects, "objects")() as Product,
    edge: loaderOf(edge, "edge") as () => Observed,
  };
}
