/**
 * A real server for tests: `scripts/serve.ts` as its own process, on a free loopback port and a folder of its own.
 * It can be stopped, killed the hard way and started again on the same data.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { readHolder } from "../../scripts/lib/lock.ts";
import { makeToken } from "../../scripts/lib/settings.ts";

export interface ServerOptions {
  readonly sites?: readonly string[];
  readonly shards?: number;
  readonly token?: string;
  /** An existing data folder; absent = a temporary one, removed by `stop`. */
  readonly dir?: string;
  /** Lets the request header `x-test-cf` set `request.cf`. */
  readonly testCf?: boolean;
  /** Settings (TICK, API_TOKENS, …). */
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags of `serve`. */
  readonly args?: readonly string[];
}

export interface TestServer {
  /** The same over all restarts. */
  readonly url: string;
  readonly token: string;
  readonly dir: string;
  /** Of `serve` itself; another one after each restart. */
  readonly pid: number;
  /** SIGTERM; resolves with the exit code when nothing runs any more, and removes the temporary folder. */
  stop(): Promise<number | null>;
  /** SIGKILL of server and engine at once; the folder stays. */
  kill(): Promise<void>;
  /** Starts again on the same folder and port, after `kill` or, if it runs, a SIGTERM. */
  restart(): Promise<void>;
  /** All that was written to standard error so far, over all restarts. */
  stderr(): string;
}

type ServeProcess = ChildProcessByStdio<null, Readable, Readable>;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const READY_LINE = /^ready (http:\/\/\S+)\n/;
/** Running servers with their data folders, and the folders that are ours to remove. */
const live = new Map<ServeProcess, string>();
const folders = new Set<string>();

// A test that was cut short leaves neither processes nor folders behind.
process.once("exit", () => {
  for (const [child, dir] of live) killBoth(child, dir);
  for (const folder of folders) removeFolder(folder);
});

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "hellotide-test-"));
  if (options.dir === undefined) folders.add(dir);
  const token = options.token ?? makeToken();
  let errors = "";
  let run: Run | undefined;
  const start = async (port: number) => {
    run = await Run.start(dir, commandLine(options, dir, port), environment(options, token), (text) => {
      errors += text;
    });
    return run;
  };
  const cleanUp = () => {
    if (options.dir === undefined) removeFolder(dir);
  };
  const { url } = await start(0).catch((error: unknown) => {
    cleanUp();
    throw error;
  });
  const port = Number(new URL(url).port);

  return {
    url,
    token,
    dir,
    get pid() {
      return run?.pid ?? 0;
    },
    stop: async () => {
      const code = (await run?.terminate()) ?? null;
      cleanUp();
      return code;
    },
    kill: async () => run?.kill(),
    restart: async () => {
      await run?.terminate();
      await start(port);
    },
    stderr: () => errors,
  };
}

function commandLine(options: ServerOptions, dir: string, port: number): string[] {
  const args = [join(ROOT, "scripts", "serve.ts"), "--port", `${port}`, "--persist", dir];
  if (options.sites !== undefined) args.push("--sites", options.sites.join(","));
  if (options.shards !== undefined) args.push("--shards", `${options.shards}`);
  if (options.testCf === true) args.push("--test-cf");
  return [...args, ...(options.args ?? [])];
}

/** The token goes by environment, not by the process list; of the rest only what finds programs and folders. */
function environment(options: ServerOptions, token: string): Record<string, string> {
  const base: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "TMPDIR"]) {
    const value = process.env[name];
    if (value !== undefined) base[name] = value;
  }
  return { ...base, HELLOTIDE_TOKEN: token, ...options.env };
}

/** One life of the server, from its start to its end. */
class Run {
  readonly #child: ServeProcess;
  readonly #dir: string;
  readonly #closed: Promise<unknown>;
  url = "";

  private constructor(child: ServeProcess, dir: string, onError: (text: string) => void) {
    this.#child = child;
    this.#dir = dir;
    live.set(child, dir);
    child.stderr.setEncoding("utf8").on("data", onError);
    // "close", not "exit": the engine holds the same standard error, so this comes only when both are gone.
    this.#closed = once(child, "close").finally(() => live.delete(child));
  }

  static async start(
    dir: string,
    args: string[],
    env: Record<string, string>,
    onError: (text: string) => void,
  ): Promise<Run> {
    const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    const run = new Run(child, dir, (text) => {
      said += text;
      onError(text);
    });
    run.url = await run.#ready(() => said);
    return run;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async #ready(said: () => string): Promise<string> {
    let out = "";
    const line = new Promise<string>((resolve) => {
      this.#child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const url = READY_LINE.exec(out)?.[1];
        if (url !== undefined) resolve(url);
      });
    });
    const ended = this.#closed.then(() => {
      throw new Error(`the server ended before it was ready: ${said()}`);
    });
    return await Promise.race([line, ended]);
  }

  async terminate(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    await this.#closed;
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    if (live.has(this.#child)) killBoth(this.#child, this.#dir);
    await this.#closed;
  }
}

/** Both at once, as a power cut would; the engine's id is in the lock that this very server wrote. */
function killBoth(child: ServeProcess, dir: string): void {
  const engine = readHolder(dir)?.engine?.pid;
  child.kill("SIGKILL");
  if (engine === undefined) return;
  try {
    process.kill(engine, "SIGKILL");
  } catch {
    // Already gone with its server.
  }
}

function removeFolder(dir: string): void {
  // Again and again: a process that was just killed may still be writing.
  rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
  folders.delete(dir);
}
