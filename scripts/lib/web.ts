/** Builds the dashboard into dist/web with Vite: half a second, and nothing at all when its sources have not changed. */
import { readdirSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorText, Failure } from "./failure.ts";
import { ROOT, WEB_DIR } from "./paths.ts";

const CONFIG = join(ROOT, "web", "vite.config.ts");
const SOURCES = [join(ROOT, "web"), join(ROOT, "client"), join(ROOT, "package-lock.json")];
const INDEX = "index.html";

/**
 * Several servers may start at once, so each file is written beside its name and renamed, the page last: whoever reads finds a
 * whole page and the scripts that it names.
 */
export async function buildWeb(): Promise<void> {
  if (changedAtMs(join(WEB_DIR, INDEX)) > Math.max(...SOURCES.map(changedAtMs))) return;
  const files = await made();
  const names = [...files.keys()].sort((a, b) => Number(a === INDEX) - Number(b === INDEX));
  for (const name of names) await put(join(WEB_DIR, name), files.get(name)!);
  for (const name of await readdir(WEB_DIR, { recursive: true })) {
    const isOld = /\.(css|js|svg)$/.test(name) && !files.has(name);
    if (isOld) await rm(join(WEB_DIR, name), { force: true });
  }
}

/** Name → content. */
async function made(): Promise<Map<string, string | Uint8Array>> {
  // Here and not at the top: when nothing is to be built, nobody waits for it.
  const { build } = await import("vite");
  const files = new Map<string, string | Uint8Array>();
  try {
    const result = await build({ configFile: CONFIG, logLevel: "error", build: { write: false } });
    for (const { output } of Array.isArray(result) ? result : "output" in result ? [result] : [])
      for (const part of output) files.set(part.fileName, part.type === "chunk" ? part.code : part.source);
  } catch (error) {
    throw new Failure(`the dashboard could not be built: ${errorText(error)}`);
  }
  return files;
}

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, file);
}

/** When the newest file at or below a path was written; 0 when there is none. */
function changedAtMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changedAtMs(join(path, name))));
}
