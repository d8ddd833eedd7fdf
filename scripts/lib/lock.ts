/**
 * One server per data folder: two engines on the same SQLite files would each believe that they own the objects.
 * The lock is a file with process ids, valid only while one of them lives, so SIGKILL never blocks the next start.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode, Failure } from "./failure.ts";

const LOCK_NAME = "serve.lock";
/** The engine dies with its server, but not in the same instant; longer than this and it is stuck. */
const ORPHAN_WAIT_MS = 3_000;
const ORPHAN_POLL_MS = 20;
const ATTEMPTS_MAX = 5;

export interface Holder {
  readonly server: Identity;
  readonly engine?: Identity;
}

/** A process, with its start time where the system tells it: ids are used again. */
interface Identity {
  readonly pid: number;
  readonly started?: string;
}

export class FolderLock {
  readonly #dir: string;
  readonly #file: string;

  private constructor(dir: string, file: string) {
    this.#dir = dir;
    this.#file = file;
  }

  static async take(dir: string): Promise<FolderLock> {
    const file = join(dir, LOCK_NAME);
    // Written first and linked into place: the name appears with its whole content or not at all.
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify({ server: identify(process.pid) } satisfies Holder));
    try {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        try {
          linkSync(draft, file);
          return new FolderLock(dir, file);
        } catch (error) {
          if (errorCode(error) !== "EEXIST") throw error;
        }
        await waitForDead(dir, readHolder(dir));
        rmSync(file, { force: true });
      }
    } finally {
      rmSync(draft, { force: true });
    }
    throw new Failure(`${dir} is being taken by other servers; try again`);
  }

  /**
   * Call right before the engine starts: of two servers that found the same dead holder,
   * the slower one may have removed the faster one's fresh lock.
   */
  assertHeld(): void {
    const pid = readHolder(this.#dir)?.server.pid;
    if (pid !== process.pid)
      throw new Failure(`${this.#dir} is in use by another server (process ${pid ?? "unknown"})`);
  }

  /** From here on the lock also holds while the engine outlives its server. */
  addEngine(pid: number): void {
    const holder: Holder = { server: identify(process.pid), engine: identify(pid) };
    const draft = `${this.#file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(holder));
    renameSync(draft, this.#file);
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }
}

async function waitForDead(dir: string, holder: Holder | undefined): Promise<void> {
  if (holder === undefined) return;
  if (isAlive(holder.server))
    throw new Failure(`${dir} is in use by another server (process ${holder.server.pid})`);
  const deadline = performance.now() + ORPHAN_WAIT_MS;
  while (holder.engine !== undefined && isAlive(holder.engine)) {
    if (performance.now() > deadline) {
      throw new Failure(`${dir} is in use by an engine without a server (process ${holder.engine.pid})`);
    }
    await sleep(ORPHAN_POLL_MS);
  }
}

/** Undefined when there is no readable holder; a half-written file counts as none. */
export function readHolder(dir: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(dir, LOCK_NAME), "utf8"));
    const server = readIdentity(parsed, "server");
    const engine = readIdentity(parsed, "engine");
    if (server === undefined) return undefined;
    return engine === undefined ? { server } : { server, engine };
  } catch {
    return undefined;
  }
}

function readIdentity(holder: unknown, key: "server" | "engine"): Identity | undefined {
  const value = (holder as Partial<Record<typeof key, Partial<Identity>>> | null)?.[key];
  if (typeof value?.pid !== "number") return undefined;
  return typeof value.started === "string" ? { pid: value.pid, started: value.started } : { pid: value.pid };
}

function identify(pid: number): Identity {
  const started = startTime(pid);
  return started === undefined ? { pid } : { pid, started };
}

function isAlive(process_: Identity): boolean {
  try {
    process.kill(process_.pid, 0);
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
  }
  return process_.started === undefined || startTime(process_.pid) === process_.started;
}

/** Field 22 of Linux's /proc/PID/stat, in clock ticks since boot; the name before it may hold spaces. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie holds no files: it counts as gone.
    return state === "Z" ? undefined : rest[18];
  } catch {
    return undefined;
  }
}
