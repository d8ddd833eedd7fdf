/** Runs independent checks side by side, says a line about each, and shows what failed at the end. */
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { errorText } from "./failure.ts";
import { ROOT } from "./paths.ts";

export interface Outcome {
  readonly ok: boolean;
  /** What to read when it failed. */
  readonly output: string;
  /** A few words for the line when it went well. */
  readonly note?: string;
}

export interface Step {
  readonly name: string;
  run(): Promise<Outcome>;
}

/** Compilers and linters use one core each for most of their time. */
const PARALLEL_MAX = 2;

/** True when all went well. */
export async function runSteps(steps: readonly Step[], print: (line: string) => void): Promise<boolean> {
  const failures: string[] = [];
  const queue = steps.values();
  const worker = async () => {
    for (const step of queue) {
      const from = performance.now();
      const outcome = await step.run().catch((error: unknown) => ({ ok: false, output: errorText(error) }));
      const seconds = ((performance.now() - from) / 1_000).toFixed(1);
      const note = "note" in outcome && outcome.note !== undefined ? `: ${outcome.note}` : "";
      print(`${outcome.ok ? "ok    " : "FAILED"}  ${step.name} (${seconds} s)${note}`);
      if (!outcome.ok) failures.push(`\n--- ${step.name}\n${outcome.output.trim()}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_MAX }, worker));
  for (const failure of failures) print(failure);
  print(`\n${steps.length - failures.length} of ${steps.length} checks passed`);
  return failures.length === 0;
}

/** A tool of node_modules/.bin by its name. */
export function runTool(program: string, args: readonly string[]): Promise<Outcome> {
  const path = [join(ROOT, "node_modules", ".bin"), process.env.PATH ?? ""].join(delimiter);
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: path, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ ok: false, output: errorText(error) }));
    child.once("close", (code) => resolve({ ok: code === 0, output }));
  });
}
