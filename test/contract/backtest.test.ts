/** BT-12: the command itself, as a user runs it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/backtest.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hellotide-backtest-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(args: readonly string[], input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], {
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
  });
  return { status, rows: stdout.trimEnd().split("\n"), stderr };
}

/** Six hours of five-minute bins about 100, one of 900. */
const series = `timestamp,value\n${Array.from({ length: 300 }, (_, i) => {
  const at = new Date(Date.UTC(2026, 0, 5) + i * 300_000).toISOString();
  return `${at},${i === 250 ? 900 : 95 + ((i * 7) % 11)}`;
}).join("\n")}\n`;

describe("npm run backtest", () => {
  it("BT-12: a row for each row, an alert where it is, a picture, and exit code 0", () => {
    const file = join(folder, "series.csv");
    const plot = join(folder, "plot.svg");
    writeFileSync(file, series);
    const { status, rows, stderr } = run([file, "--budget", "1/d", "--plot", plot]);
    expect(status).toBe(0);
    expect(rows[0]).toBe("timestamp,value,expected,p,score,alert");
    expect(rows).toHaveLength(301);
    expect(rows.flatMap((row, i) => (row.endsWith(",1") ? [i] : []))).toContain(251);
    expect(stderr).toMatch(/^backtest: 300 rows, \d+ alerts?\n$/);
    expect(readFileSync(plot, "utf8")).toMatch(/^<svg [\s\S]*<circle [\s\S]*<\/svg>\n$/);
    expect(run(["-"], series).rows).toEqual(rows);
  });

  it("BT-12: a bad line, a missing file and a wrong budget say what is wrong, and the exit code does too", () => {
    const bad = run(["-"], `${series}never,3\n`);
    expect(bad.status).toBe(1);
    expect(bad.rows.at(-1)).toBe("never,3,,,,0");
    expect(bad.stderr).toContain('line 302: not a time: "never"');
    expect(run([join(folder, "none.csv")])).toMatchObject({ status: 1 });
    expect(run(["-", "--budget", "lots"], series)).toMatchObject({ status: 2 });
    expect(run([])).toMatchObject({ status: 2 });
  });
});
