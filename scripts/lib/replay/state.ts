/**
 * With `--now` the times that are sent depend on when the replay began. So that a repeat sends the same, the start is kept
 * in a small file, named after everything else that the replay is made of. Which pieces were sent is not in it: sending
 * them again under their keys is what tells the truth about them.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOUR_MS } from "../../../src/config.ts";
import { errorText, Failure } from "../failure.ts";
import type { ReplayArgs } from "./args.ts";
import type { Scan } from "./scan.ts";

export interface State {
  readonly startedMs: number;
  /** Observations of it that the server had accepted when this was written. */
  readonly accepted: number;
}

/** Part of every key: another number where the same line would become another observation. */
const CONVERSION_VERSION = 1;

/** Names a replay: the log's content, the server and site, and the flags that change what is sent or in which pieces. */
export function replayId(args: ReplayArgs, scan: Pick<Scan, "digest">, giveJa4: ReplayArgs["ja4By"]): string {
  const { connection, speed, now, compressMs, repeat } = args;
  const parts = [
    CONVERSION_VERSION,
    connection.url.href,
    connection.site,
    scan.digest,
    giveJa4 ?? "as it is",
    compressMs ?? "whole",
    String(speed),
    now,
    repeat,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** The key of a piece: at most 128 characters. */
export function chunkKey(id: string, startedMs: number | undefined, index: number): string {
  return `replay-${id}-${startedMs ?? "log"}-${index}`;
}

export type Verdict = "continue" | "none" | "over" | "gone";

/**
 * Whether a kept start is still good. When its newest record has left the hour, nothing of it could be counted twice; and
 * when the server has accepted less than this replay alone sent, it is another server, or its data were removed.
 */
export function judge(
  state: State | undefined,
  facts: { readonly nowMs: number; readonly durationMs: number; readonly acceptedEver: number | undefined },
): Verdict {
  if (state === undefined) return "none";
  if (facts.nowMs > state.startedMs + facts.durationMs + HOUR_MS) return "over";
  if (facts.acceptedEver !== undefined && facts.acceptedEver < state.accepted) return "gone";
  return "continue";
}

export async function loadState(dir: string, id: string): Promise<State | undefined> {
  let text: string;
  try {
    text = await readFile(fileOf(dir, id), "utf8");
  } catch {
    return undefined;
  }
  try {
    const { startedMs, accepted } = JSON.parse(text) as Record<string, unknown>;
    if (typeof startedMs === "number" && typeof accepted === "number") return { startedMs, accepted };
  } catch {
    // Said below.
  }
  throw new Failure(`${fileOf(dir, id)}: not a replay's state; --again starts a new replay`);
}

/** Before the first piece is sent, or a crash would leave pieces of a start that nobody knows. */
export async function saveState(dir: string, id: string, state: State): Promise<void> {
  const file = fileOf(dir, id);
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(`${file}.tmp`, `${JSON.stringify(state)}\n`);
    await rename(`${file}.tmp`, file);
  } catch (error) {
    throw new Failure(`--state: cannot write ${file}: ${errorText(error)}`);
  }
}

function fileOf(dir: string, id: string): string {
  return join(dir, `${id}.json`);
}
