/** The programs on a page of docs/, as files that can be run: a fence's second word is the file's name. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FENCE = /^```\w+ (\S+)\n([\s\S]*?)^```$/gm;

/** Writes all programs of `page`, such as `docs/feed.md`, to a temporary folder. */
export function writeExamples(page: string): { dir: string; names: string[]; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "hellotide-examples-"));
  const names: string[] = [];
  for (const [, name = "", code = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(FENCE)) {
    writeFileSync(join(dir, name), code);
    names.push(name);
  }
  return { dir, names, remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }) };
}

export interface Program {
  /** Whole lines of standard output so far. */
  lines(): string[];
  errors(): string;
  readonly ended: Promise<number | null>;
  /** SIGTERM to the program and all that it started; resolves when nothing holds its output any more. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) endGroup(child);
});

/** Runs a program in `dir`, as the head of a process group. */
export function runExample(
  command: string,
  args: readonly string[],
  dir: string,
  env: Readonly<Record<string, string>>,
): Program {
  const child = spawn(command, args, {
    cwd: dir,
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return {
    lines: () => out.split("\n").slice(0, -1),
    errors: () => errors,
    ended,
    stop: async () => {
      if (running.has(child)) endGroup(child);
      await ended;
    },
  };
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // Already gone.
  }
}
