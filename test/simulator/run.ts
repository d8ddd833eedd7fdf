/** One seed from its first event to the verdict. */
import { faultsOf } from "./invariants.ts";
import { type Loaded, World } from "./world.ts";

export interface Outcome {
  readonly seed: number;
  /** Broken invariants, `name: what`; none = the seed holds. */
  readonly faults: readonly string[];
  /** Two runs of a seed have the same. */
  readonly hash: number;
  readonly events: number;
  readonly observations: number;
  readonly crashes: number;
  readonly evictions: number;
}

/** `trace`: told every event. Never rejects for what the product does. */
export async function runSeed(
  seed: number,
  loaded: Loaded,
  trace?: (line: string) => void,
): Promise<Outcome> {
  const world = new World(seed, loaded, trace);
  const rejected: unknown[] = [];
  const onRejection = (reason: unknown) => rejected.push(reason);
  process.on("unhandledRejection", onRejection);
  let faults: string[] = [];
  try {
    await world.run();
    faults = await faultsOf(world);
    // Node tells of rejections that nobody handles once its queue of ticks is empty.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    rejected.push(error);
  } finally {
    process.off("unhandledRejection", onRejection);
  }
  for (const error of [...rejected, ...world.kernel.uncaught])
    faults.push(`uncaught: ${error instanceof Error ? error.stack : String(error)}`);
  const { actors } = world.network;
  const outcome: Outcome = {
    seed,
    faults,
    hash: world.kernel.hash,
    events: world.kernel.events,
    observations: world.observations,
    crashes: actors.reduce((sum, { crashes }) => sum + crashes, 0),
    evictions: actors.reduce((sum, { evictions }) => sum + evictions, 0),
  };
  world.close();
  return outcome;
}
