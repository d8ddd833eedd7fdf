/** Bundles and disks of fault runs, in a temporary folder that goes away with the process. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { bundleWorker } from "../bundle.ts";
import { Failure } from "../failure.ts";
import { ROOT } from "../paths.ts";
import { addV8Flags } from "../v8-flags.ts";

/** A change of one source text on its way into the bundle. */
export interface Replacement {
  /** Path in the project. */
  readonly file: string;
  /** Must be there exactly once, else the bundle fails: a run on unchanged code would show nothing. */
  readonly from: string;
  readonly to: string;
}

export interface Variant {
  /** Absent = the product. */
  readonly entry?: URL;
  readonly replacements?: readonly Replacement[];
  /** Folder of the sources; absent = this project. */
  readonly sources?: string;
  readonly v8Flags?: readonly string[];
}

export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), "hellotide-fault-"));
  #made = 0;

  constructor() {
    process.once("exit", () => this.close());
  }

  /** Bundles a variant of the Worker; answers the folder that `FaultServer` starts it from. */
  async bundle(variant: Variant = {}): Promise<string> {
    const { entry, replacements = [], sources = ROOT, v8Flags = [] } = variant;
    const root = this.folder("bundle");
    cpSync(join(sources, "scripts", "workerd"), join(root, "scripts", "workerd"), { recursive: true });
    if (v8Flags.length > 0) {
      for (const file of ["serve.capnp", "test.capnp"])
        addV8Flags(join(root, "scripts", "workerd", file), v8Flags);
    }
    const pending = new Set(replacements);
    const plugins = replacements.length === 0 ? [] : [replacing(replacements, sources, pending)];
    const file = entry === undefined ? join(sources, "src", "index.ts") : fileURLToPath(entry);
    await bundleWorker(file, join(root, "dist", "worker.js"), plugins);
    const [missed] = pending;
    if (missed !== undefined) throw new Failure(`${missed.file} is no part of the bundle`);
    return root;
  }

  /** A new empty folder, for a disk. */
  folder(name = "disk"): string {
    const dir = join(this.dir, `${name}-${++this.#made}`);
    mkdirSync(dir);
    return dir;
  }

  close(): void {
    // Again and again: an engine that was just killed may still be writing.
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10 });
  }
}

function replacing(replacements: readonly Replacement[], sources: string, pending: Set<Replacement>): Plugin {
  return {
    name: "replacements",
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const here = replacements.filter(({ file }) => join(sources, file) === path);
        if (here.length === 0) return undefined;
        let contents = readFileSync(path, "utf8");
        for (const replacement of here) {
          contents = replaceOnce(contents, replacement);
          pending.delete(replacement);
        }
        return { contents, loader: "ts" };
      });
    },
  };
}

/** Throws when `from` is not in the text, or more than once. */
function replaceOnce(text: string, { file, from, to }: Replacement): string {
  const found = text.split(from).length - 1;
  if (found !== 1) throw new Failure(`${file} has "${from}" ${found} times instead of once`);
  return text.replace(from, () => to);
}
