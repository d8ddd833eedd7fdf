/** The rules on what may import what, as one function of the sources, so that they can be tried on planted faults. */
import { codeOf, importsOf, type Sources } from "./sources.ts";

/** Where the Worker and its classes come together; the only file of src/ that knows the platform. */
const ENTRY = "src/index.ts";
/** Importable from everywhere in src/. */
const SHARED = ["config.ts", "options.ts"];

/**
 * Folder of src/ → the folders that it may import besides itself. The data go one way, from `wire` to `api`,
 * and a folder knows only what lies before it.
 */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "config.ts": [],
  base: [],
  "options.ts": ["base"],
  wire: ["base"],
  // Made-up traffic with labels, for the demo and for evaluation; no part of the Worker.
  simulate: ["base", "wire"],
  sketch: ["base"],
  window: ["base", "wire", "sketch"],
  signals: ["base", "wire", "sketch", "window"],
  edge: ["base", "wire", "signals"],
  detect: ["base", "wire", "window", "signals"],
  // A shard's way from call to disk and back, up to the storage itself.
  ingest: ["base", "wire", "window", "detect"],
  thresholds: ["base", "wire", "window", "signals", "detect"],
  webhooks: ["base", "wire"],
  feed: ["base", "wire", "detect", "thresholds"],
  // Shapes that users send and get, and the answers built from them.
  schemas: ["base", "wire", "ingest", "detect", "thresholds", "webhooks", "feed"],
  reading: ["base", "wire", "window", "signals", "detect", "ingest", "thresholds", "feed", "schemas"],
  api: [
    "base",
    "wire",
    "sketch",
    "edge",
    "window",
    "signals",
    "detect",
    "thresholds",
    "webhooks",
    "feed",
    "schemas",
    "reading",
  ],
  // The Worker without the platform: what a request's host decides.
  "worker.ts": ["base", "wire", "signals", "edge", "reading", "api"],
  // For other people's Workers.
  "observe.ts": ["edge"],
};

/** Time and chance are parameters here: a test must be able to replay any moment. */
const PURE = [
  "base",
  "wire",
  "ingest",
  "simulate",
  "sketch",
  "window",
  "signals",
  "detect",
  "thresholds",
  "feed",
  "webhooks",
  "schemas",
  "reading",
];
const IMPURE = /\b(?:Date\.now|Math\.random|performance\.now|setTimeout|setInterval|new Date\(\s*\))/g;
/** Timers keep an object awake and billed; alarms do not. */
const TIMERS = /\b(?:setTimeout|setInterval)\b/g;
const TIMER_FILE = "durable-objects/timeout.ts";

export const LINES_MAX = 300;

/** All faults, each beginning with the id of its rule. */
export function checkArchitecture(sources: Sources): string[] {
  const faults: string[] = [];
  for (const [path, text] of sources) {
    const imports = importsOf(path, text);
    const code = codeOf(text);
    if (path.startsWith("src/"))
      faults.push(...checkPlatform(path, imports), ...checkDirection(path, imports));
    faults.push(...checkCodec(path, imports), ...checkTimeAndChance(path, code));
    const lines = text.trimEnd().split("\n").length;
    if (lines > LINES_MAX) faults.push(`ARC-6: ${path} has ${lines} lines, more than ${LINES_MAX}`);
  }
  for (const cycle of findCycles(folderGraph(sources))) faults.push(`ARC-7: ${cycle.join(" → ")}`);
  return faults;
}

function checkPlatform(path: string, imports: readonly string[]): string[] {
  if (path === ENTRY) return [];
  return imports
    .filter((name) => name.startsWith("cloudflare:") || name.startsWith("durable-objects/"))
    .map((name) => `ARC-1: ${path} imports ${name}`);
}

function checkDirection(path: string, imports: readonly string[]): string[] {
  if (path === ENTRY) return [];
  const from = folderOf(path);
  const allowed = ALLOWED[from];
  if (allowed === undefined) return [`ARC-2: ${from} is not in the table of folders`];
  return imports
    .filter((name) => name.startsWith("src/"))
    .filter((name) => {
      const to = folderOf(name);
      return to !== from && !SHARED.includes(to) && !allowed.includes(to);
    })
    .map((name) => `ARC-2: ${path} imports ${name}`);
}

function checkCodec(path: string, imports: readonly string[]): string[] {
  const unpacks = imports.some((name) => name === "msgpackr" || name.startsWith("msgpackr/"));
  return unpacks && path !== "src/wire/codec.ts" ? [`ARC-3: ${path} imports msgpackr`] : [];
}

function checkTimeAndChance(path: string, code: string): string[] {
  if (path.startsWith("src/") && PURE.includes(folderOf(path))) {
    return [...code.matchAll(IMPURE)].map(([name]) => `ARC-4: ${path} uses ${name}`);
  }
  if (path.startsWith("durable-objects/") && path !== TIMER_FILE) {
    return [...code.matchAll(TIMERS)].map(([name]) => `ARC-5: ${path} uses ${name}`);
  }
  return [];
}

/** `src/window/pane.ts` → `window`; `src/config.ts` → `config.ts`. */
function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function folderGraph(sources: Sources): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const [path, text] of sources) {
    if (!path.startsWith("src/") || path === ENTRY) continue;
    const from = folderOf(path);
    const targets = graph.get(from) ?? new Set();
    graph.set(from, targets);
    for (const name of importsOf(path, text)) {
      if (name.startsWith("src/") && folderOf(name) !== from) targets.add(folderOf(name));
    }
  }
  return graph;
}

/** Depth first; every edge back to a folder on the current way closes a cycle. */
function findCycles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (folder: string, way: readonly string[]) => {
    const at = way.indexOf(folder);
    if (at >= 0) cycles.push([...way.slice(at), folder]);
    if (at >= 0 || done.has(folder)) return;
    for (const next of graph.get(folder) ?? []) visit(next, [...way, folder]);
    done.add(folder);
  };
  for (const folder of graph.keys()) visit(folder, []);
  return cycles;
}
