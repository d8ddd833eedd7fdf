/**
 * `npm run serve`: the Worker and its Durable Objects on raw workerd, until a signal.
 * Standard output carries exactly one line, `ready URL`; everything else goes to standard error.
 */
import { readServeArgs, SERVE_USAGE } from "./lib/args.ts";
import { report } from "./lib/command.ts";
import { Failure } from "./lib/failure.ts";
import { untilStopped } from "./lib/lifetime.ts";
import { openServer } from "./lib/server.ts";

async function main(): Promise<number> {
  const args = readServeArgs(process.argv.slice(2), process.env);
  if (args === "help") {
    process.stdout.write(SERVE_USAGE);
    return 0;
  }
  const signal = untilStopped();
  try {
    const server = await openServer(args, { environment: process.env, signal, log });
    if (args.token === undefined) log(`token ${server.token}\n`);
    process.stdout.write(`ready ${server.url}\n`);

    const stopped = new Promise<"stopped">((resolve) => {
      if (signal.aborted) resolve("stopped");
      signal.addEventListener("abort", () => resolve("stopped"), { once: true });
    });
    const end = await Promise.race([stopped, server.exited]);
    if (!signal.aborted) throw new Failure(`workerd ended by itself (${end})`);
    await server.stop();
  } catch (error) {
    // Asked to stop before it was ready: that is no failure.
    if (!signal.aborted) throw error;
  }
  return 0;
}

function log(text: string): void {
  process.stderr.write(text);
}

process.exit(await main().catch((error: unknown) => report("serve", error)));
