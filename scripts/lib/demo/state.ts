/**
 * What a demo leaves in its folder, so that the next one goes on in the same world: with another seed, or with another
 * program's data under the same site, an hour of the past would not fit to the present, and everything would be raised.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { SEED_DEFAULT, SITE } from "./args.ts";

export interface DemoState {
  readonly seed: number;
  /** The next round of scenes. */
  readonly round: number;
}

const FILE = "demo.json";

export function readState(dir: string): DemoState | undefined {
  try {
    const { seed, round } = JSON.parse(readFileSync(join(dir, FILE), "utf8")) as Partial<DemoState>;
    return Number.isSafeInteger(seed) && Number.isSafeInteger(round)
      ? { seed: Number(seed), round: Number(round) }
      : undefined;
  } catch {
    return undefined;
  }
}

export function writeState(dir: string, state: DemoState): void {
  const draft = join(dir, `${FILE}.${process.pid}`);
  writeFileSync(draft, `${JSON.stringify(state)}\n`);
  renameSync(draft, join(dir, FILE));
}

/** `lastSeenMs`: the site's newest data of the last hour, if any. */
export function continueFrom(
  held: DemoState | undefined,
  asked: number | undefined,
  lastSeenMs: number | undefined,
): DemoState {
  if (lastSeenMs === undefined) return { seed: asked ?? held?.seed ?? SEED_DEFAULT, round: held?.round ?? 0 };
  if (held === undefined) {
    throw new Failure(
      `site ${SITE} has traffic of the last hour that is no demo's; choose another folder with --persist`,
    );
  }
  if (asked !== undefined && asked !== held.seed) {
    throw new Failure(
      `the folder holds the last hour of a demo with seed ${held.seed}; leave --seed out, or choose another --persist`,
    );
  }
  return held;
}
