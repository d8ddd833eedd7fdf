/** One engine on one disk and port for as long as a run lasts: started, killed the hard way, started again. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "../../../test/support/client.ts";
import { type Engine, PortTakenError, startEngine } from "../engine.ts";
import { freePort } from "../port.ts";
import { buildSettings, makeToken, type SettingTexts } from "../settings.ts";

export interface FaultServerOptions {
  /** What `Workshop.bundle` answered. */
  readonly root: string;
  readonly disk: string;
  readonly shards?: number;
  readonly sites?: readonly string[];
  /** Lets the request header `x-test-cf` set `request.cf`. */
  readonly testCf?: boolean;
  readonly settings?: SettingTexts;
}

const HOST = "127.0.0.1";
const START_TRIES = 10;
const PORT_WAIT_MS = 200;
/** Process ids of running engines: none outlives this process. */
const engines = new Set<number>();
process.once("exit", () => {
  for (const pid of engines) killNow(pid);
});

export class FaultServer {
  readonly url: string;
  readonly token = makeToken();
  readonly client: Client;
  readonly #options: FaultServerOptions;
  readonly #port: number;
  #root: string;
  #engine: Engine | undefined;
  #pid = 0;
  #log = "";

  private constructor(options: FaultServerOptions, port: number) {
    this.#options = options;
    this.#root = options.root;
    this.#port = port;
    this.url = `http://${HOST}:${port}`;
    this.client = createClient(this);
  }

  /** A running server. */
  static async open(options: FaultServerOptions): Promise<FaultServer> {
    const server = new FaultServer(options, await freePort());
    await server.start();
    return server;
  }

  /** Starts the engine on the same disk and port, from `root` if it is to be another bundle; ready when it answers /healthz. */
  async start(root = this.#root): Promise<void> {
    this.#root = root;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#launch(root);
      } catch (error) {
        // While nobody listened on it, another program's outgoing connection may have been given the port.
        if (!(error instanceof PortTakenError) || tried === START_TRIES) throw error;
        await sleep(PORT_WAIT_MS);
      }
    }
  }

  async #launch(root: string): Promise<void> {
    const { disk, shards = 4, testCf = false, settings = {} } = this.#options;
    const sites = settings.SITES === undefined ? (this.#options.sites ?? ["shop"]) : undefined;
    this.#engine = await startEngine({
      host: HOST,
      port: this.#port,
      persistDir: disk,
      root,
      settings: buildSettings({ sites, shards: `${shards}` }, settings, this.token, this.url),
      testCf,
      signal: new AbortController().signal,
      onSpawn: (pid) => {
        this.#pid = pid;
        engines.add(pid);
      },
      log: (text) => {
        this.#log += text;
      },
    });
  }

  /** SIGKILL: nothing is ended in order. Resolves when the process is gone. */
  async kill(): Promise<void> {
    killNow(this.#pid);
    await this.#engine?.exited;
    engines.delete(this.#pid);
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    await this.#engine?.stop();
    engines.delete(this.#pid);
  }

  /** What the engine wrote to standard error so far, over all starts. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#pid;
  }

  /** Memory that the engine holds (proc_pid_status(5), VmRSS), MB; `undefined` outside Linux. */
  rssMb(): number | undefined {
    const file = `/proc/${this.#pid}/status`;
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1];
    return kib === undefined ? undefined : (Number(kib) * 1_024) / 1e6;
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}
