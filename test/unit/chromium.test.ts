/** The browser tests say what to install where there is no browser, instead of passing. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findChromium } from "../support/chromium.ts";

it("REAL-10: a missing Chromium ends with the line that installs it; one that is there is found", () => {
  const dir = mkdtempSync(join(tmpdir(), "hellotide-path-"));
  try {
    const program = join(dir, "chromium");
    expect(() => findChromium({ PATH: dir })).toThrow("apt-get install -y chromium");
    writeFileSync(program, "");
    expect(() => findChromium({ PATH: dir })).toThrow("no Chromium on PATH");
    chmodSync(program, 0o755);
    expect(findChromium({ PATH: `/nowhere:${dir}` })).toBe(program);
    expect(findChromium({ PATH: "", CHROME_PATH: program })).toBe(program);
    expect(() => findChromium({ PATH: dir, CHROME_PATH: join(dir, "other") })).toThrow("is no program");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
