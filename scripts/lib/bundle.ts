/** Bundles the Worker for raw workerd: one ES module, platform modules left to the engine. */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { errorText, Failure } from "./failure.ts";
import { ROOT } from "./paths.ts";

/** Where scripts/workerd/common.capnp embeds it from. */
const BUNDLE_FILE = join(ROOT, "dist", "worker.js");

/**
 * Written beside the target and renamed, so that a server starting at the same time reads
 * either the old bundle or the new one, never half a file. `plugins`: for harnesses that change the sources on the way.
 */
export async function bundleWorker(
  entry = join(ROOT, "src", "index.ts"),
  file = BUNDLE_FILE,
  plugins: Plugin[] = [],
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  try {
    await build({
      entryPoints: [entry],
      outfile: temporary,
      absWorkingDir: ROOT,
      bundle: true,
      format: "esm",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      external: ["cloudflare:*", "node:*"],
      // Class names become the names of Durable Objects, and function names make logs readable.
      keepNames: true,
      logLevel: "silent",
      plugins,
    });
    await rename(temporary, file);
  } catch (error) {
    throw new Failure(`the Worker could not be bundled: ${errorText(error)}`);
  } finally {
    await rm(temporary, { force: true });
  }
}
