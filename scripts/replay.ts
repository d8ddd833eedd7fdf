/** `npm run replay`: sends a real access log to a server. Totals on standard output, progress on standard error. */
import { setTimeout as sleep } from "node:timers/promises";
import { report } from "./lib/command.ts";
import { Failure } from "./lib/failure.ts";
import { untilStopped } from "./lib/lifetime.ts";
import { REPLAY_USAGE, readReplayArgs } from "./lib/replay/args.ts";
import { replay } from "./lib/replay/run.ts";

async function main(): Promise<number> {
  const args = readReplayArgs(process.argv.slice(2), process.env);
  if (args === "help") {
    process.stdout.write(REPLAY_USAGE);
    return 0;
  }
  const signal = untilStopped();
  try {
    return await replay(args, {
      signal,
      say: (line) => process.stdout.write(`${line}\n`),
      progress: process.stderr,
      nowMs: Date.now,
      random: Math.random,
      wait: (ms) => sleep(ms, undefined, { signal }),
    });
  } catch (error) {
    if (signal.aborted) throw new Failure("stopped before anything was sent");
    throw error;
  }
}

const code = await main().catch((error: unknown) => report("replay", error));
// A pipe may still hold lines, which process.exit would lose.
process.stdout.write("", () => process.exit(code));
