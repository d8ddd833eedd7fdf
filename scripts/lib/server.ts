/** A running server: folder, lock, bundle and engine together. `serve` is this and signals; other scripts reuse it. */
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { authority, type Environment, type ServeArgs } from "./args.ts";
import { bundleWorker } from "./bundle.ts";
import { type Engine, PortTakenError, startEngine } from "./engine.ts";
import { errorCode, errorText, Failure } from "./failure.ts";
import { FolderLock } from "./lock.ts";
import { buildSettings, makeToken } from "./settings.ts";
import { buildWeb } from "./web.ts";

export interface RunningServer {
  readonly url: string;
  readonly token: string;
  /** Resolves when the engine has ended, with how. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

export interface ServerContext {
  readonly environment: Environment;
  /** Aborted = do not start any more. */
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
}

/** With --port 0 another process may take the free port first. */
const PORT_ATTEMPTS_MAX = 5;

export async function openServer(args: ServeArgs, context: ServerContext): Promise<RunningServer> {
  const token = args.token ?? makeToken();
  for (let attempt = 1; ; attempt++) {
    const port = await probePort(args.host, args.port);
    try {
      return await openOnPort(args, port, token, context);
    } catch (error) {
      const again = error instanceof PortTakenError && args.port === 0 && attempt < PORT_ATTEMPTS_MAX;
      if (!again) throw error;
    }
  }
}

async function openOnPort(
  args: ServeArgs,
  port: number,
  token: string,
  context: ServerContext,
): Promise<RunningServer> {
  const url = `http://${authority(args.host, port)}`;
  const settings = buildSettings(args, context.environment, token, url);
  const persistDir = resolve(args.persistDir);
  const lock = await takeFolder(persistDir);
  let engine: Engine;
  try {
    await Promise.all([bundleWorker(), buildWeb()]);
    context.signal.throwIfAborted();
    lock.assertHeld();
    engine = await startEngine({
      host: args.host,
      port,
      persistDir,
      settings,
      testCf: args.testCf,
      signal: context.signal,
      onSpawn: (pid) => lock.addEngine(pid),
      log: context.log,
    });
  } catch (error) {
    lock.release();
    throw error;
  }
  const exited = engine.exited.finally(() => lock.release());
  return {
    url,
    token,
    exited,
    stop: async () => {
      await engine.stop();
      await exited;
    },
  };
}

async function takeFolder(dir: string): Promise<FolderLock> {
  try {
    makeFolder(dir);
    return await FolderLock.take(dir);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`--persist: cannot write to ${dir}: ${errorText(error)}`);
  }
}

/** Node's own `recursive` never returns where the system says "not found" for a folder in an existing one (/proc). */
function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  makeFolder(dirname(dir));
  try {
    mkdirSync(dir);
  } catch (error) {
    // Made by another server in the meantime.
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

/** Listens for a moment: gives a free port for 0, and one clear line for a port in use. */
async function probePort(host: string, port: number): Promise<number> {
  const probe = createServer();
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  try {
    return await new Promise<number>((done, fail) => {
      probe.once("error", fail);
      probe.listen(port, bare, () => {
        const address = probe.address();
        if (address === null || typeof address === "string") fail(new Failure("no TCP address"));
        else done(address.port);
      });
    });
  } catch (error) {
    const place = authority(host, port);
    if (errorCode(error) === "EADDRINUSE") throw new Failure(`${place} is in use; choose another --port`);
    throw new Failure(`cannot listen on ${place}: ${errorText(error)}`);
  } finally {
    await new Promise((done) => probe.close(done));
  }
}
