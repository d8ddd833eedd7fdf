/** Workers of a benchmark on raw workerd, with the product's own configuration around another bundle. */

import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { adopt } from "../../scripts/lib/bench/processes.ts";
import { bundleWorker } from "../../scripts/lib/bundle.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import { ROOT } from "../../scripts/lib/paths.ts";
import type { SettingTexts } from "../../scripts/lib/settings.ts";
import { addV8Flags } from "../../scripts/lib/v8-flags.ts";

const READY_TIMEOUT_MS = 20_000;
/** Kernel ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;
const BYTES_PER_MB = 1e6;

/** A folder of bundles, gone with `close` or with the process. */
export class Workshop {
  readonly #dir = mkdtempSync(join(tmpdir(), "hellotide-bench-"));
  #persists = 0;

  constructor() {
    process.once("exit", () => this.close());
  }

  /** Bundles `entry` and lays the configuration of `serve --test-cf` around it; `v8Flags` are added to that. */
  async prepare(name: string, entry: string, v8Flags: readonly string[] = []): Promise<void> {
    cpSync(join(ROOT, "scripts", "workerd"), join(this.#dir, name, "scripts", "workerd"), {
      recursive: true,
    });
    if (v8Flags.length > 0) addV8Flags(this.#config(name), v8Flags);
    await bundleWorker(join(ROOT, entry), join(this.#dir, name, "dist", "worker.js"));
  }

  /** A fresh engine with a fresh disk. */
  async start(name: string, settings: SettingTexts): Promise<RunningEngine> {
    const persist = join(this.#dir, `disk-${++this.#persists}`);
    mkdirSync(persist);
    return await startEngine(this.#config(name), persist, settings);
  }

  #config(name: string): string {
    return join(this.#dir, name, "scripts", "workerd", "test.capnp");
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export interface RunningEngine {
  readonly port: number;
  /** Whether the engine has printed `text` so far. */
  printed(text: string): boolean;
  /** Lines that the Worker logged. */
  lines(): number;
  /** CPU that it has used, ms; `undefined` outside Linux. */
  cpuMs(): number | undefined;
  /** Memory that it holds, MB; `undefined` outside Linux. */
  rssMb(): number | undefined;
  /** The most that it ever held. */
  peakRssMb(): number | undefined;
  stop(): Promise<void>;
}

async function startEngine(config: string, persist: string, settings: SettingTexts): Promise<RunningEngine> {
  const require = createRequire(import.meta.url);
  const { default: binary } = require("workerd") as { readonly default: string };
  const importDir = dirname(dirname(require.resolve("workerd/package.json")));
  const sockets = ["--control-fd=3", "-s", "http=127.0.0.1:0", "-d", `do=${persist}`];
  const child = adopt(
    spawn(binary, ["serve", "-I", importDir, ...sockets, config, "testCf"], {
      env: { ...settings },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    }),
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let lines = 0;
  let first = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      lines += text.split("\n").length - 1;
      // Under a fault every request may log: the beginning says enough.
      if (first.length < 64 * 1024) first += text;
    });
  }
  const listening = new Promise<number>((resolve) => {
    child.stdio[3]?.once("data", (line: Buffer) => {
      resolve((JSON.parse(line.toString()) as { readonly port: number }).port);
    });
  });
  const timeout = sleep(READY_TIMEOUT_MS, undefined, { ref: false });
  const port = await Promise.race([listening, exited, timeout]);
  if (port === undefined) {
    child.kill("SIGKILL");
    throw new Failure(`workerd did not start:\n${first}`);
  }
  const stat = (file: string) => {
    const path = `/proc/${child.pid}/${file}`;
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  /** proc_pid_status(5). */
  const memoryMb = (name: "VmRSS" | "VmHWM") => {
    const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(stat("status") ?? "")?.[1];
    return kib === undefined ? undefined : (Number(kib) * 1_024) / BYTES_PER_MB;
  };
  return {
    port,
    printed: (text) => first.includes(text),
    lines: () => lines,
    cpuMs: () => {
      // proc_pid_stat(5): utime and stime are fields 14 and 15; the name before them may hold spaces.
      const fields = stat("stat")?.split(") ")[1]?.split(" ");
      if (fields === undefined) return undefined;
      return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S;
    },
    rssMb: () => memoryMb("VmRSS"),
    peakRssMb: () => memoryMb("VmHWM"),
    stop: async () => {
      // Its disk is thrown away with it, so there is nothing to end in order.
      child.kill("SIGKILL");
      await exited;
    },
  };
}
