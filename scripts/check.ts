/** `npm run check`: everything about the sources that can be said without running them. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { lintOpenApi } from "./lib/openapi-lint.ts";
import { ROOT } from "./lib/paths.ts";
import { type Outcome, runSteps, runTool, type Step } from "./lib/steps.ts";

/** What the types are checked against differs: the engine, Node, the browser. */
const TYPE_PROJECTS = [
  "tsconfig.json",
  "tsconfig.node.json",
  "tsconfig.client.json",
  "tsconfig.web.json",
  "bench/workers/tsconfig.json",
];

const steps: Step[] = [
  // The slowest first: two run at a time.
  { name: "bundle (wrangler deploy --dry-run)", run: bundle },
  { name: "dead code (knip)", run: () => runTool("knip", ["--no-progress"]) },
  {
    name: "format and lint (biome)",
    run: () =>
      runTool("biome", [
        "ci",
        "--colors=off",
        "--reporter=concise",
        "--error-on-warnings",
        "--max-diagnostics=none",
        ".",
      ]),
  },
  ...TYPE_PROJECTS.filter((file) => existsSync(join(ROOT, file))).map((file) => ({
    name: `types (${file})`,
    run: () => runTool("tsc", ["-p", file]),
  })),
  { name: "package hellotide/client (publint, attw)", run: clientPackage },
  { name: "OpenAPI document", run: openApi },
  { name: "AsyncAPI document", run: asyncApi },
];

async function openApi(): Promise<Outcome> {
  // Here and not at the top: when it cannot be loaded, the other checks still run.
  const { openapiDocument } = await import("../src/api/openapi.ts");
  return await lintOpenApi(openapiDocument());
}

async function asyncApi(): Promise<Outcome> {
  const [{ asyncapiDocument }, { lintAsyncApi }] = await Promise.all([
    import("../src/api/asyncapi.ts"),
    import("./lib/asyncapi-lint.ts"),
  ]);
  return await lintAsyncApi(asyncapiDocument("https://hellotide.example"));
}

/** The packed client, as a user's compiler and bundler find it. */
async function clientPackage(): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), "hellotide-pack-"));
  try {
    const packed = await runTool("npm", ["pack", "--pack-destination", dir]);
    const [name] = (await readdir(dir)).filter((file) => file.endsWith(".tgz"));
    if (!packed.ok || name === undefined) return { ...packed, ok: false };
    const file = join(dir, name);
    const published = await runTool("publint", ["run", file, "--strict"]);
    if (!published.ok) return published;
    return await runTool("attw", [file, "--profile", "esm-only", "--entrypoints", "client", "--no-emoji"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** That the platform's own tool accepts configuration and sources, and what would be uploaded. */
async function bundle(): Promise<Outcome> {
  const dir = await mkdtemp(join(tmpdir(), "hellotide-bundle-"));
  try {
    const outcome = await runTool("wrangler", ["deploy", "--dry-run", "--outdir", dir]);
    if (!outcome.ok) return outcome;
    const scripts = (await readdir(dir)).filter((name) => name.endsWith(".js"));
    const code = Buffer.concat(await Promise.all(scripts.map((name) => readFile(join(dir, name)))));
    return { ...outcome, note: `${kilobytes(code.length)}, gzipped ${kilobytes(gzipSync(code).length)}` };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}

const passed = await runSteps(steps, (line) => console.log(line));
process.exit(passed ? 0 : 1);
