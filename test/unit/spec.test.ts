/** docs/SPEC.md and the tests name the same rules. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RULE = /\b[A-Z][A-Z0-9]+-[A-Z]?\d+\b/;

function testSources(): string[] {
  return readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(ROOT, "test", name), "utf8"));
}

/** Rule ids at the start of a string literal: names of tests, and tables of names. */
function provedIn(source: string): string[] {
  return [...source.matchAll(/["'`]([A-Z][A-Z0-9]+-[A-Z]?\d+)(?=[:"'`])/g)].map(([, id]) => id!);
}

describe("the specification", () => {
  const spec = readFileSync(join(ROOT, "docs/SPEC.md"), "utf8");
  const stated = spec
    .split("\n")
    .flatMap((line) => (line.startsWith("- ") ? (RULE.exec(line.slice(2, 14))?.[0] ?? []) : []));
  const proved = new Set(testSources().flatMap(provedIn));

  it("states every rule once", () => {
    expect(stated.filter((id, i) => stated.indexOf(id) !== i)).toEqual([]);
    expect(stated.length).toBeGreaterThan(150);
  });

  it("has a test for every rule", () => {
    expect(stated.filter((id) => !proved.has(id))).toEqual([]);
  });

  it("states every rule that a test names", () => {
    expect([...proved].filter((id) => !stated.includes(id)).sort()).toEqual([]);
  });
});
