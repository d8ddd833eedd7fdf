/** One workerd process: how it is started, when it is ready, how it ends. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { authority } from "./args.ts";
import { errorText, Failure } from "./failure.ts";
import { ROOT, WEB_DIR } from "./paths.ts";
import type { SettingTexts } from "./settings.ts";

export interface EngineOptions {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly persistDir: string;
  readonly settings: SettingTexts;
  readonly testCf: boolean;
  /** Folder with `scripts/workerd/` and the bundle that it embeds; absent = this project. */
  readonly root?: string;
  readonly signal: AbortSignal;
  /** Called with the process id before the engine is ready. */
  readonly onSpawn: (pid: number) => void;
  readonly log: (text: string) => void;
}

export interface Engine {
  /** Resolves when the process has ended, with how (`code 1`, `signal SIGSEGV`). */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

/** Another process took the port between our look and the engine's: with --port 0 worth another try. */
export class PortTakenError extends Failure {}

const READY_TIMEOUT_MS = 30_000;
const HEALTH_POLL_MS = 15;
/** An open WebSocket keeps workerd alive after SIGTERM for as long as its client likes. */
const TERM_GRACE_MS = 2_000;
/** Of what the engine says before it is ready, shown when it never is. */
const CAPTURE_MAX_CHARS = 64 * 1024;

export async function startEngine(options: EngineOptions): Promise<Engine> {
  const child = spawnEngine(options);
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(errorText(error)));
    child.once("exit", (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
  });
  const output = captureOutput(child, options.log);
  if (child.pid !== undefined) options.onSpawn(child.pid);

  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), TERM_GRACE_MS);
    await exited;
    clearTimeout(timer);
  };
  try {
    await untilReady(child, options, exited);
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    if (/address already in use/i.test(output.text())) {
      throw new PortTakenError(`${authority(options.host, options.port)} is in use`);
    }
    if (!options.signal.aborted) output.flush();
    throw error;
  }
  output.flush();
  return { exited, stop };
}

function spawnEngine(options: EngineOptions): ChildProcess {
  const require = createRequire(import.meta.url);
  const loaded: { readonly default: string } = require("workerd");
  const importDir = dirname(dirname(require.resolve("workerd/package.json")));
  const [file, constant] = configOf(options);
  const command = [
    ...deathSignal(),
    loaded.default,
    "serve",
    "-I",
    importDir,
    "--control-fd=3",
    "-s",
    `http=${authority(options.host, options.port)}`,
    "-d",
    `do=${options.persistDir}`,
    join(options.root ?? ROOT, "scripts", "workerd", file),
    constant,
  ];
  // A harness may start the Worker without its dashboard, but the engine wants the folder.
  mkdirSync(WEB_DIR, { recursive: true });
  const [program = "", ...args] = command;
  return spawn(program, args, {
    // The dashboard's folder is named in the configuration, from here.
    cwd: ROOT,
    // Its own process group: Ctrl-C in a terminal reaches this process alone, which then ends the engine in order.
    detached: true,
    // Only the settings: what else is in the environment (the token, too) is none of the engine's business.
    env: { ...options.settings },
    // Its standard output is our standard error, which so stays open as long as the engine lives.
    stdio: ["ignore", 2, "pipe", "pipe"],
  });
}

function configOf(options: EngineOptions): [file: string, constant: string] {
  if (options.testCf) return ["test.capnp", "testCf"];
  const { ORIGIN_URL, WEBHOOK_TEST_TARGETS } = options.settings;
  return [
    "serve.capnp",
    ORIGIN_URL === undefined && WEBHOOK_TEST_TARGETS === undefined ? "public" : "withOrigin",
  ];
}

/** Lets Linux end the engine with this process, even after SIGKILL; busybox's setpriv cannot. */
function deathSignal(): string[] {
  const prefix = ["setpriv", "--pdeathsig", "KILL", "--"];
  const [program = "", ...args] = prefix;
  if (spawnSync(program, [...args, "true"], { stdio: "ignore" }).status !== 0) return [];
  // The engine's environment has no PATH; setpriv itself is found by ours.
  return prefix;
}

/** Holds the engine's messages back until `flush`, then passes them on: a failed start shows one line or all of it. */
function captureOutput(child: ChildProcess, log: (text: string) => void) {
  let held: string | undefined = "";
  child.stderr?.setEncoding("utf8");
  child.stderr?.on("data", (text: string) => {
    if (held === undefined) log(text);
    else held = (held + text).slice(-CAPTURE_MAX_CHARS);
  });
  return {
    text: () => held ?? "",
    flush: () => {
      if (held) log(held);
      held = undefined;
    },
  };
}

async function untilReady(
  child: ChildProcess,
  options: EngineOptions,
  exited: Promise<string>,
): Promise<void> {
  const attempt = new AbortController();
  const signal = AbortSignal.any([attempt.signal, options.signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  const died = exited.then((how) => {
    throw new Failure(`workerd ended at its start (${how})`);
  });
  let last = "it does not listen";
  try {
    const answers = async () => {
      // Its own word that it listens: an answer on this port could also come from a server that was there before.
      await untilListening(child, signal);
      for (;;) {
        last = await health(options, signal);
        if (last === "200") return;
        await sleep(HEALTH_POLL_MS, undefined, { signal });
      }
    };
    await Promise.race([answers(), died]);
  } catch (error) {
    if (error instanceof Failure || options.signal.aborted) throw error;
    throw new Failure(`the server was not ready within ${READY_TIMEOUT_MS / 1_000} s (/healthz: ${last})`);
  } finally {
    attempt.abort();
  }
}

function untilListening(child: ChildProcess, signal: AbortSignal): Promise<void> {
  const control = child.stdio[3];
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    // One JSON line per socket; there is only one socket, so the line's arrival says it.
    control?.once("data", () => resolve());
  });
}

/** The status of GET /healthz, or what went wrong. */
function health(options: EngineOptions, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: connectAddress(options.host),
        port: options.port,
        path: "/healthz",
        // Always a host of the API, whatever this machine's address is and API_HOSTS says.
        headers: { host: "localhost" },
        agent: false,
        signal,
      },
      (response) => {
        response.resume();
        resolve(String(response.statusCode));
      },
    );
    call.once("error", (error) => resolve(errorText(error)));
    call.end();
  });
}

/** "All addresses" can be listened on, but not called. */
function connectAddress(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare === "0.0.0.0") return "127.0.0.1";
  return bare === "::" ? "::1" : bare;
}
