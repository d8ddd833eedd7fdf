/** ARC-1…8: the structure of the sources. Each rule is also shown a planted fault, so that silence means something. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { SETTING_NAMES } from "../scripts/lib/settings.ts";
import { ALLOWED, checkArchitecture, LINES_MAX } from "./support/architecture.ts";
import { importsOf, readSources } from "./support/sources.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const sources = readSources(ROOT, ["src", "durable-objects"]);

const RULES = [
  ["ARC-1", "src/ knows neither the platform nor the objects, except its entry"],
  ["ARC-2", "folders of src/ import only what lies before them"],
  ["ARC-3", "only src/wire/codec.ts imports msgpackr"],
  ["ARC-4", "no clock, chance or timer in the pure folders"],
  ["ARC-5", "no timer in the objects outside the time-out helper"],
  ["ARC-6", `no file over ${LINES_MAX} lines`],
  ["ARC-7", "no circular imports between folders"],
] as const;

describe("the sources", () => {
  const faults = checkArchitecture(sources);

  it("are found and read", () => {
    expect(sources.has("src/config.ts")).toBe(true);
    expect(importsOf("src/options.ts", sources.get("src/options.ts") ?? "")).toContain("src/config.ts");
  });

  it.each(RULES)("%s: %s", (id) => {
    expect(faults.filter((fault) => fault.startsWith(`${id}:`))).toEqual([]);
  });

  it("ARC-2: the table itself has no cycle and names no unknown folder", () => {
    const order = Object.keys(ALLOWED);
    for (const [folder, allowed] of Object.entries(ALLOWED)) {
      const before = order.slice(0, order.indexOf(folder));
      expect(before, folder).toEqual(expect.arrayContaining([...allowed]));
    }
  });
});

describe("a planted fault is found", () => {
  const find = (files: Record<string, string>) => checkArchitecture(new Map(Object.entries(files)));

  it.each([
    ["ARC-1", "src/api/a.ts", 'import { DurableObject } from "cloudflare:workers";'],
    ["ARC-1", "src/api/a.ts", 'import type { Env } from "../../durable-objects/env.ts";'],
    ["ARC-2", "src/base/a.ts", 'import { b } from "../wire/b.ts";'],
    ["ARC-2", "src/window/a.ts", 'export * from "../detect/b.ts";'],
    ["ARC-2", "src/edge/a.ts", 'type B = import("../window/b.ts").B;'],
    ["ARC-2", "src/wire/a.ts", 'import {\n  one,\n  two,\n} from "../sketch/b.ts";'],
    ["ARC-2", "src/api/a.ts", 'import worker from "../index.ts";'],
    ["ARC-2", "src/other/a.ts", "export const a = 1;"],
    ["ARC-3", "src/wire/frame.ts", 'import { Packr } from "msgpackr";'],
    ["ARC-3", "durable-objects/a.ts", 'const packer = await import("msgpackr/pack");'],
    ["ARC-4", "src/detect/kinds/a.ts", "export const now = () => Date.now();"],
    ["ARC-4", "src/base/a.ts", "const quote = /[\"'`]/; const x = Math.random();"],
    ["ARC-4", "src/feed/a.ts", `const text = \`\${performance.now()}\`;`],
    ["ARC-5", "durable-objects/a.ts", "setInterval(() => {}, 5);"],
    ["ARC-6", "src/base/a.ts", "// line\n".repeat(LINES_MAX + 1)],
  ])("%s in %s", (id, path, text) => {
    expect(find({ [path]: text }).map((fault) => fault.slice(0, id.length))).toContain(id);
  });

  it("ARC-7 over three folders", () => {
    const faults = find({
      "src/base/a.ts": 'import { b } from "../wire/b.ts";',
      "src/wire/b.ts": 'import { c } from "../window/c.ts";',
      "src/window/c.ts": 'import { a } from "../base/a.ts";',
    });
    expect(faults).toContain("ARC-7: base → wire → window → base");
  });

  it.each([
    ["the entry", "src/index.ts", 'export { Census } from "../durable-objects/census.ts";'],
    ["a comment", "src/base/a.ts", "// Date.now() would be wrong here\n/* setTimeout */"],
    ["a string", "src/base/a.ts", "const text = \"import { x } from '../api/x.ts'; Date.now()\";"],
    ["shared files", "src/base/a.ts", 'import { A } from "../config.ts";'],
    ["the time-out helper", "durable-objects/timeout.ts", "setTimeout(() => {}, 5);"],
    ["the longest file", "src/base/a.ts", "// line\n".repeat(LINES_MAX)],
  ])("and %s is none", (_, path, text) => {
    expect(find({ [path]: text })).toEqual([]);
  });
});

describe("ARC-8: the local engine is configured as the platform is", () => {
  const wrangler = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  const common = readFileSync(join(ROOT, "scripts/workerd/common.capnp"), "utf8");
  const pairs = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, a, b]) => `${a} = ${b}`).sort();

  it("binds the same classes by the same names", () => {
    const here = pairs(common, /\(name = "(\w+)", durableObjectNamespace = "(\w+)"\)/g);
    expect(here).toEqual(pairs(wrangler, /^name = "(\w+)"\nclass_name = "(\w+)"/gm));
    expect(here.length).toBe(4);
  });

  it("has the same compatibility date and flags", () => {
    expect(/compatibilityDate = "([^"]+)"/.exec(common)?.[1]).toBe(
      /^compatibility_date = "([^"]+)"/m.exec(wrangler)?.[1],
    );
    expect(/compatibilityFlags = \[([^\]]*)\]/.exec(common)?.[1]).toBe(
      /^compatibility_flags = \[([^\]]*)\]/m.exec(wrangler)?.[1],
    );
  });

  it("binds every setting that the scripts pass on, and no other", () => {
    const bound = pairs(common, /\(name = "(\w+)", fromEnvironment = "(\w+)"\)/g);
    expect(bound).toEqual([...SETTING_NAMES].map((name) => `${name} = ${name}`).sort());
  });
});
