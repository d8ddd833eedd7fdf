/** Processes of a benchmark: each ends by itself, by its time limit, or with the runner. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { ROOT } from "../paths.ts";

const CHILD_TIMEOUT_MS = 120_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Ends the process with the runner, whatever ends that one in an orderly way. */
export function adopt(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Runs a script in a Node process of its own, with `input` as JSON; answers the JSON that it prints. */
export async function runScript<T>(
  script: string,
  input: unknown,
  flags: readonly string[] = [],
  timeoutMs = CHILD_TIMEOUT_MS,
): Promise<T> {
  const child = startScript(script, input, flags);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const end = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
  });
  clearTimeout(timer);
  if (end !== "code 0") throw new Failure(`${script} ended with ${end}`);
  // The script is our own, so the form of its output is known.
  return JSON.parse(output) as T;
}

/** The same without waiting for its end. */
export function startScript(script: string, input: unknown, flags: readonly string[] = []): ChildProcess {
  const args = [...flags, join(ROOT, script), JSON.stringify(input)];
  return adopt(spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] }));
}
