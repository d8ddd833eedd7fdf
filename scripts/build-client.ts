/** `npm run build:client`: the client as JavaScript modules with their types, in dist/client. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./lib/paths.ts";
import { runTool } from "./lib/steps.ts";

const DIR = join(ROOT, "dist/client");
const FLAGS = ["--noEmit", "false", "--declaration", "--rootDir", "client", "--outDir", DIR];

rmSync(DIR, { recursive: true, force: true });
const { ok, output } = await runTool("tsc", ["-p", "tsconfig.client.json", ...FLAGS]);
if (!ok) {
  process.stderr.write(output);
  process.exit(1);
}
// The compiler rewrites the endings of imports in the modules only.
for (const name of readdirSync(DIR, { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = join(DIR, name);
  writeFileSync(
    file,
    readFileSync(file, "utf8").replace(/(from |import\()"(\.{1,2}\/[^"]+)\.ts"/g, '$1"$2.js"'),
  );
}
