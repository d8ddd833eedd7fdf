/** Seeds over threads. Which thread runs a seed changes nothing about it. */
import { Worker } from "node:worker_threads";
import type { Bundles } from "./bundle.ts";
import type { Outcome } from "./run.ts";

/** Seeds handed out at once. */
const PART = 10;

/**
 * Runs the seeds [from, to) on `jobs` threads; `told` gets every outcome, in no order, and answers whether to go on. Rejects
 * when a thread dies.
 */
export async function runSeeds(
  bundles: Bundles,
  from: number,
  to: number,
  jobs: number,
  told: (outcome: Outcome) => boolean,
): Promise<void> {
  let next = from;
  let goesOn = true;
  const work = async () => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: bundles });
    try {
      await new Promise<void>((resolve, reject) => {
        const more = () => {
          if (!goesOn || next >= to) return resolve();
          const part = { from: next, to: Math.min(to, next + PART) };
          next = part.to;
          worker.postMessage(part);
        };
        worker.on("error", reject);
        worker.on("exit", () => resolve());
        worker.on("message", (message: Outcome | "done") => {
          if (message === "done") more();
          else if (goesOn) {
            goesOn = told(message);
            // The rest of its part is of no interest any more.
            if (!goesOn) resolve();
          }
        });
        more();
      });
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
}
