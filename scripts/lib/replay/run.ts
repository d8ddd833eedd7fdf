/** One replay from the first look at the files to the totals. */
import { HOUR_MS } from "../../../src/config.ts";
import { errorText, Failure } from "../failure.ts";
import { printable } from "../terminal.ts";
import { Account } from "./account.ts";
import type { ReplayArgs } from "./args.ts";
import { type Chunk, Chunker } from "./chunks.ts";
import { type Assigned, ja4Giver } from "./ja4-table.ts";
import { readLines } from "./lines.ts";
import { Progress, type ProgressStream } from "./progress.ts";
import { head, ja4Lines } from "./report.ts";
import { hasJa4, type Place, parseLine, type Scan, scanLog } from "./scan.ts";
import { acceptedEver, GaveUp, postObservations, Sender } from "./send.ts";
import { chunkKey, judge, loadState, replayId, saveState } from "./state.ts";
import { type TimeMap, timeMap } from "./time-map.ts";

export interface ReplayDeps {
  /** Aborted = stop, and say what was sent. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly progress: ProgressStream;
  nowMs(): number;
  random(): number;
  /** Rejects when `signal` is aborted. */
  wait(ms: number): Promise<void>;
}

/** JA4 values whose records are counted one by one; a log of odd agents may have any number. */
const FAMILIES_MAX = 2_000;

/** The exit code: 0 when every readable record was accepted. */
export async function replay(args: ReplayArgs, deps: ReplayDeps): Promise<0 | 1> {
  const scan = await scanLog(args.files, args.format, deps.signal);
  // What a log knows itself is not mixed with what is made up, unless it is asked for.
  const giveJa4 = args.ja4By ?? (scan.withJa4 === 0 ? "ua" : undefined);
  const begun = await begin(args, scan, giveJa4, deps);
  for (const line of head(args, scan, begun.times, giveJa4)) deps.say(line);
  if (begun.times.oldestMs < deps.nowMs() - HOUR_MS && scan.records > 0) {
    deps.say("what is older than 1 h will be expired: --now shifts a log, --compress shortens it");
  }

  const account = new Account();
  const families = new Map<string, Assigned & { count: number }>();
  const progress = new Progress(deps.progress, scan.records * args.repeat, deps.nowMs);
  const sender = new Sender({
    ...deps,
    post: (body, key) => postObservations(args.connection, body, key, deps.signal),
    onWait: (why, ms) => progress.waiting(why, ms),
  });
  let failure: string | undefined;
  try {
    for await (const chunk of chunksOf(scan, args.repeat, begun.times, giveJa4, families)) {
      await untilDue(chunk, begun.fromMs, deps);
      const key = chunkKey(begun.id, begun.startedMs, chunk.index);
      account.add(await sender.send(chunk.body, key, chunk.places.length), chunk.places);
      await begun.note(account.accepted);
      progress.update(account.answered);
    }
  } catch (error) {
    if (!deps.signal.aborted && !(error instanceof Failure)) throw error;
    const canContinue = deps.signal.aborted || error instanceof GaveUp;
    const hint = canContinue ? "; the same command continues, and counts nothing twice" : "";
    failure = `${deps.signal.aborted ? "stopped" : errorText(error)}${hint}`;
  }
  progress.end();
  if (account.answered > 0) for (const line of ja4Lines(families)) deps.say(line);
  for (const line of account.reasons()) deps.say(line);
  if (failure !== undefined) deps.say(printable(failure));
  for (const line of account.totals(scan, args.repeat)) deps.say(line);
  // A log of which nothing at all can be read was read the wrong way.
  if (scan.records === 0 && scan.unreadable > 0) return 1;
  return account.isComplete(scan.records * args.repeat) ? 0 : 1;
}

interface Begun {
  readonly id: string;
  /** With --now: what the times are shifted to, and part of the keys. */
  readonly startedMs: number | undefined;
  /** What due times count from. */
  readonly fromMs: number;
  readonly times: TimeMap;
  note(accepted: number): Promise<void>;
}

async function begin(
  args: ReplayArgs,
  scan: Scan,
  giveJa4: ReplayArgs["ja4By"],
  deps: ReplayDeps,
): Promise<Begun> {
  const id = replayId(args, scan, giveJa4);
  const plan = {
    oldestMs: scan.oldestMs,
    newestMs: scan.newestMs,
    compressMs: args.compressMs,
    speed: args.speed,
  };
  const nowMs = deps.nowMs();
  if (!args.now) {
    const times = timeMap({ ...plan, startedMs: undefined });
    return { id, startedMs: undefined, fromMs: nowMs, times, note: async () => {} };
  }
  const held = args.again ? undefined : await loadState(args.stateDir, id);
  const { durationMs } = timeMap({ ...plan, startedMs: nowMs });
  const ever = held === undefined ? undefined : await acceptedEver(args.connection, deps.signal);
  const verdict = judge(held, { nowMs, durationMs, acceptedEver: ever });
  const isContinued = verdict === "continue" && held !== undefined;
  const startedMs = isContinued ? held.startedMs : nowMs;
  const times = timeMap({ ...plan, startedMs });
  if (isContinued) {
    deps.say(
      `continues the replay begun ${new Date(startedMs).toISOString()}, with its times (--again: a new one)`,
    );
  } else if (verdict === "gone") {
    deps.say("the server does not have what was sent before: a new replay");
  }
  let noted = isContinued ? held.accepted : 0;
  const note = async (accepted: number) => {
    if (accepted <= noted) return;
    noted = accepted;
    await saveState(args.stateDir, id, { startedMs, accepted });
  };
  if (!isContinued) await saveState(args.stateDir, id, { startedMs, accepted: 0 });
  return { id, startedMs, fromMs: startedMs, times, note };
}

async function untilDue(
  { dueMs }: Chunk,
  fromMs: number,
  { nowMs, wait, signal }: ReplayDeps,
): Promise<void> {
  const ms = fromMs + dueMs - nowMs();
  if (ms > 0) await wait(ms);
  signal.throwIfAborted();
}

/** The second pass: every record as a line of NDJSON, in pieces. */
async function* chunksOf(
  scan: Scan,
  repeat: number,
  times: TimeMap,
  giveJa4: ReplayArgs["ja4By"],
  families: Map<string, Assigned & { count: number }>,
): AsyncGenerator<Chunk> {
  const chunker = new Chunker();
  const give = giveJa4 === undefined ? undefined : ja4Giver(giveJa4);
  for (const source of scan.sources) {
    for await (const lines of readLines(source.file)) {
      for (const line of lines) {
        const parsed = parseLine(source, line);
        if (parsed === undefined || !("record" in parsed)) continue;
        const { timeMs, fields } = parsed.record;
        const given = give === undefined || hasJa4(parsed.record) ? undefined : give(fields);
        if (given !== undefined) countFamily(families, given, repeat);
        const ja4 = given === undefined ? {} : { ja4: given.ja4 };
        const text = JSON.stringify({ ...fields, timestamp: times.timeOf(timeMs), ...ja4 });
        const place: Place = { file: source.file.path, line: line.number };
        for (let copy = 0; copy < repeat; copy++) {
          const chunk = chunker.push(text, place, times.dueOf(timeMs));
          if (chunk !== undefined) yield chunk;
        }
      }
    }
  }
  const last = chunker.end();
  if (last !== undefined) yield last;
}

function countFamily(
  families: Map<string, Assigned & { count: number }>,
  given: Assigned,
  times: number,
): void {
  const known = families.get(given.ja4);
  if (known !== undefined) known.count += times;
  else if (families.size < FAMILIES_MAX) families.set(given.ja4, { ...given, count: times });
}
