/** A thread that runs seeds: asked for ranges, it tells each outcome. */
import { parentPort, workerData } from "node:worker_threads";
import { type Bundles, load } from "./bundle.ts";
import { runSeed } from "./run.ts";

const port = parentPort!;
const loaded = load(workerData as Bundles);

port.on("message", async ({ from, to }: { from: number; to: number }) => {
  for (let seed = from; seed < to; seed++) port.postMessage(await runSeed(seed, loaded));
  port.postMessage("done");
});
