/** `npm run tail`: the feed in a terminal. Events on standard output, everything else on standard error. */
import { report } from "./lib/command.ts";
import { untilStopped } from "./lib/lifetime.ts";
import { readTailArgs, TAIL_USAGE } from "./lib/tail/args.ts";
import { eventLine, jsonLine } from "./lib/tail/format.ts";
import { tail } from "./lib/tail/run.ts";
import { printable, wantsColor } from "./lib/terminal.ts";

const FLUSH_MAX_MS = 1_000;

async function main(): Promise<number> {
  const args = readTailArgs(process.argv.slice(2), process.env);
  if (args === "help") {
    process.stdout.write(TAIL_USAGE);
    return 0;
  }
  // Whoever read our output is gone (`| head`): nobody is left to tell.
  const readerGone = new AbortController();
  const signal = AbortSignal.any([untilStopped(), readerGone.signal]);
  const color = wantsColor(process.stdout, process.env);
  const say = (notice: string) => process.stderr.write(`tail: ${printable(notice)}\n`);
  const cursor = await tail(args, {
    signal,
    say,
    show: (event) =>
      new Promise((resolve) => {
        const line = args.json ? jsonLine(event) : eventLine(event, color);
        process.stdout.write(`${line}\n`, (error) => {
          if (error) readerGone.abort();
          resolve();
        });
        // A reader that stands still does not keep us from ending.
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  });
  say(cursor === undefined ? "stopped" : `stopped; --since ${cursor} goes on from here`);
  return 0;
}

const code = await main().catch((error: unknown) => report("tail", error));
// A pipe may still hold lines, which process.exit would lose; nobody may be reading it any more.
setTimeout(() => process.exit(code), FLUSH_MAX_MS);
process.stdout.write("", () => process.exit(code));
