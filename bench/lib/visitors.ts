/** One run of visitors against one Worker on a fresh engine. */
import type { ChildProcess } from "node:child_process";
import type { Sample } from "../../scripts/lib/bench/benchmark.ts";
import { startScript } from "../../scripts/lib/bench/processes.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import type { SettingTexts } from "../../scripts/lib/settings.ts";
import { type RunningEngine, Workshop } from "./engine.ts";
import { type Load, sendLoad } from "./load.ts";
import { HOST } from "./traffic.ts";

/** The Worker of a variant and how it is set. */
export interface Setup {
  readonly entry: string;
  readonly settings?: SettingTexts;
  /** A line that the engine must have printed: shows that the variant was what it claims to be. */
  readonly mustPrint?: string;
}

/** Everything that series against raw workerd share: bundles and the origin. */
export class Visitors {
  readonly #workshop = new Workshop();
  readonly #origin: ChildProcess;
  readonly #originPort: number;

  private constructor(origin: ChildProcess, port: number) {
    this.#origin = origin;
    this.#originPort = port;
  }

  static async open(entries: Iterable<string>): Promise<Visitors> {
    const origin = startScript("bench/processes/origin.ts", {});
    const port = await new Promise<number>((resolve, reject) => {
      origin.once("exit", () => reject(new Failure("the origin did not start")));
      origin.stdout?.once("data", (line: Buffer) => resolve(Number(line.toString())));
    });
    const visitors = new Visitors(origin, port);
    for (const entry of new Set(entries)) await visitors.#workshop.prepare(nameOf(entry), entry);
    return visitors;
  }

  async close(): Promise<void> {
    this.#origin.kill("SIGKILL");
    this.#workshop.close();
  }

  /** Sends the load through a fresh engine. `closed_…`: as fast as answers come; `steady_…`: at a steady rate. */
  async run(setup: Setup, load: Load): Promise<Sample> {
    const engine = await this.#workshop.start(nameOf(setup.entry), {
      SITES: JSON.stringify({ shop: [HOST] }),
      ORIGIN_URL: `http://127.0.0.1:${this.#originPort}`,
      ...setup.settings,
    });
    try {
      return await measure(engine, setup, load);
    } finally {
      await engine.stop();
    }
  }
}

async function measure(engine: RunningEngine, { entry, mustPrint }: Setup, load: Load): Promise<Sample> {
  const sample = await sendLoad(engine, load, entry);
  if (mustPrint !== undefined && !engine.printed(mustPrint)) {
    throw new Failure(`${entry}: the engine did not print "${mustPrint}", so the run shows nothing`);
  }
  return { ...sample, log_lines: engine.lines() };
}

function nameOf(entry: string): string {
  return entry.replaceAll("/", "-");
}
