/**
 * `npm start`: HelloTide at work on this machine, over made-up traffic, until Ctrl-C. What was injected is printed
 * beside what the anomaly feed says of it.
 */

import { report } from "./lib/command.ts";
import { readStartArgs, SITE, START_USAGE, type StartArgs } from "./lib/demo/args.ts";
import { Demo, stateOf } from "./lib/demo/run.ts";
import { Screen } from "./lib/demo/screen.ts";
import { greeting } from "./lib/demo/text.ts";
import { Failure } from "./lib/failure.ts";
import type { Connection } from "./lib/flags.ts";
import { untilStopped } from "./lib/lifetime.ts";
import { isFree } from "./lib/port.ts";
import { openServer, type RunningServer } from "./lib/server.ts";
import { wantsColor } from "./lib/terminal.ts";

const screen = new Screen(process.stdout, wantsColor(process.stdout, process.env), Date.now);

async function main(): Promise<number> {
  const args = readStartArgs(process.argv.slice(2), process.env);
  if (args === "help") {
    process.stdout.write(START_USAGE);
    return 0;
  }
  const signal = untilStopped();
  let server: RunningServer | undefined;
  try {
    server = await openServer(await onFreePort(args), { environment: process.env, signal, log });
    await show(args, server, signal);
  } catch (error) {
    // Ctrl-C is how a demo ends, at whatever moment.
    if (!signal.aborted) throw error;
  } finally {
    await server?.stop();
  }
  return 0;
}

/** The default port may belong to something else; one that the user chose is the user's to free. */
async function onFreePort({ serve, portGiven }: StartArgs): Promise<StartArgs["serve"]> {
  if (portGiven || (await isFree(serve.host, serve.port))) return serve;
  screen.note(`port ${serve.port} is taken; using another one`);
  return { ...serve, port: 0 };
}

async function show(args: StartArgs, server: RunningServer, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const died = server.exited.then((how) => {
    ended.abort();
    if (!signal.aborted) throw new Failure(`workerd ended by itself (${how})`);
  });
  const inner = AbortSignal.any([signal, ended.signal]);
  const connection: Connection = { url: new URL(`${server.url}/`), token: server.token, site: SITE };
  const state = await stateOf(args, connection, inner);
  screen.print(
    greeting(
      {
        url: server.url,
        token: server.token,
        site: SITE,
        folder: args.serve.persistDir,
        seed: state.seed,
        dashboard: await hasDashboard(server.url, inner),
      },
      screen.paint,
    ),
  );
  const demo = new Demo(args, connection, state, { signal: inner, screen, nowMs: Date.now });
  try {
    await Promise.race([demo.run(state.lastSeenMs), died]);
  } finally {
    screen.stopProgress();
    screen.print(demo.report());
  }
}

async function hasDashboard(url: string, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(`${url}/`, { signal, redirect: "manual" });
  await response.body?.cancel();
  return response.status === 200 && (response.headers.get("content-type") ?? "").startsWith("text/html");
}

function log(text: string): void {
  process.stderr.write(text);
}

const code = await main().catch((error: unknown) => {
  screen.stopProgress();
  return report("start", error);
});
// A pipe may still hold lines, which process.exit would lose.
process.stdout.write("", () => process.exit(code));
