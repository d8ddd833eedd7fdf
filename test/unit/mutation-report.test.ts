import { globSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Mutant, scoresOf, survivorsOf } from "../../scripts/lib/mutation/report.ts";
import { TESTS } from "../../scripts/lib/mutation/runner.ts";

const mutant = (fileName: string, status: string, line = 1): Mutant => ({
  fileName,
  status,
  mutatorName: "BooleanLiteral",
  replacement: "true",
  location: { start: { line, column: 2 } },
});

describe("mutation testing", () => {
  it("MUT-1: a mutant that no test runs counts as not noticed, one that cannot be loaded is none", () => {
    const mutants = [
      mutant("/repo/src/wire/a.ts", "Killed"),
      mutant("src/wire/a.ts", "Timeout"),
      mutant("src/wire/a.ts", "Survived", 7),
      mutant("src/wire/a.ts", "NoCoverage", 9),
      mutant("src/wire/a.ts", "Ignored"),
      mutant("src/window/b.ts", "Killed"),
      mutant("src/window/b.ts", "CompileError"),
    ];
    expect(scoresOf(mutants, ["src/sketch", "src/window", "src/wire"])).toEqual([
      { name: "src/window", mutants: 1, noticed: 1, ignored: 0, score: 100 },
      { name: "src/wire", mutants: 4, noticed: 2, ignored: 1, score: 50 },
      { name: "all", mutants: 5, noticed: 3, ignored: 1, score: 60 },
    ]);
    expect(survivorsOf(mutants)).toEqual([
      "src/wire/a.ts:7:2 Survived BooleanLiteral: true",
      "src/wire/a.ts:9:2 NoCoverage BooleanLiteral: true",
    ]);
  });

  it("MUT-2: every pattern of the tests that mutants run with names tests", () => {
    for (const pattern of TESTS) expect([pattern, globSync(pattern).length > 0]).toEqual([pattern, true]);
  });
});
