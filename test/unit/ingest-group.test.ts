/** Group commit without a platform: the clock, the disk and its sync are in the test's hand. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  COMMIT_BUSY_CALLS,
  COMMIT_FULL_BYTES,
  COMMIT_FULL_CALLS,
  COMMIT_PAUSE_MAX_MS,
  COMMIT_QUIET_CALLS,
  COMMIT_STILL_CALLS,
  COMMIT_STILL_MS,
  INGEST_HELD_MAX_BYTES,
  LOG_ROW_MAX_BYTES,
} from "../../src/config.ts";
import { dispatch } from "../../src/edge/dispatch.ts";
import { Peers } from "../../src/edge/peers.ts";
import { commitPauseMs, type Entry, GroupCommit } from "../../src/ingest/group-commit.ts";
import { framesOfRow, GroupRowError, groupRows } from "../../src/ingest/group-row.ts";
import type { IngestResult } from "../../src/wire/ingest.ts";

interface Named extends Entry {
  readonly name: string;
}

const entry = (name: string, bytes = 10): Named => ({
  name,
  bytes,
  payloads: [new TextEncoder().encode(name)],
});

const QUIET = 0;
const BUSY = COMMIT_BUSY_CALLS;

/** Lets everything run that is not held. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

class World {
  nowMs = 1_000_000;
  /** What happened, in order. */
  readonly steps: string[] = [];
  readonly poisoned = new Set<string>();
  syncs: { resolve(): void; reject(error: Error): void }[] = [];
  pauses: { ms: number; end(): void }[] = [];
  readonly commits = new GroupCommit<Named>({
    nowMs: () => this.nowMs,
    write: (payloads) => {
      const names = payloads.map((payload) => new TextDecoder().decode(payload));
      const bad = names.find((name) => this.poisoned.has(name));
      if (bad !== undefined) throw new Error(`${bad} cannot be written`);
      this.steps.push(`write ${names.join(" ")}`);
    },
    apply: ({ name }) => {
      if (this.poisoned.has(`apply ${name}`)) throw new Error(`${name} cannot be applied`);
      this.steps.push(`apply ${name}`);
    },
    sync: () => {
      this.steps.push("sync");
      return new Promise<void>((resolve, reject) => this.syncs.push({ resolve, reject }));
    },
    pause: (wake, ms) => {
      this.steps.push(`pause ${ms}`);
      return new Promise<void>((resolve) => {
        this.pauses.push({ ms, end: resolve });
        void wake.then(resolve);
      });
    },
  });

  /** Submits and notes the outcome. */
  send(name: string, callsPerSecond = QUIET, bytes = 10): void {
    this.commits.submit(entry(name, bytes), callsPerSecond).then(
      () => this.steps.push(`${name} durable`),
      (error: Error) => this.steps.push(`${name} refused: ${error.message}`),
    );
  }

  /** The steps since the last call of this. */
  async news(): Promise<string[]> {
    await settle();
    return this.steps.splice(0);
  }

  async synced(): Promise<string[]> {
    this.syncs.shift()?.resolve();
    return this.news();
  }
}

describe("group commit", () => {
  it("GRP-2: at rest a call is written and applied before submit returns, and durable after the sync", async () => {
    const world = new World();
    world.send("a");
    expect(world.steps).toEqual(["write a", "apply a", "sync"]);
    expect(await world.news()).toEqual(["write a", "apply a", "sync"]);
    expect(await world.synced()).toEqual(["a durable"]);
    world.send("b");
    expect(await world.news()).toEqual(["write b", "apply b", "sync"]);
  });

  it("GRP-1: what comes during a sync is one write after it, in order", async () => {
    const world = new World();
    for (const name of ["a", "b", "c"]) world.send(name);
    await settle();
    world.send("d");
    expect(await world.news()).toEqual(["write a", "apply a", "sync"]);
    expect(await world.synced()).toEqual([
      "a durable",
      "write b c d",
      "apply b",
      "apply c",
      "apply d",
      "sync",
    ]);
    expect(await world.synced()).toEqual(["b durable", "c durable", "d durable"]);
  });

  it("GRP-5: nobody is answered before the sync; when it fails, everybody of the group is told", async () => {
    const world = new World();
    world.send("a");
    world.send("b");
    await world.synced();
    world.syncs.shift()?.reject(new Error("no disk"));
    expect((await world.news()).at(-1)).toBe("b refused: no disk");
    world.send("c");
    expect(await world.news()).toEqual(["write c", "apply c", "sync"]);
  });

  it("GRP-3: none up to the quiet rate, the longest from the busy one, never falling between", () => {
    expect(commitPauseMs(0)).toBe(0);
    expect(commitPauseMs(COMMIT_QUIET_CALLS)).toBe(0);
    expect(commitPauseMs(COMMIT_BUSY_CALLS)).toBe(COMMIT_PAUSE_MAX_MS);
    expect(commitPauseMs(1e9)).toBe(COMMIT_PAUSE_MAX_MS);
    const middle = commitPauseMs((COMMIT_QUIET_CALLS + COMMIT_BUSY_CALLS) / 2);
    expect(middle).toBe(COMMIT_PAUSE_MAX_MS / 2);
  });

  it("GRP-3: a busy call waits for what is left of the pause since the last commit, and others join it", async () => {
    const world = new World();
    world.send("a", BUSY);
    // The control: long after the last commit there is nothing to wait for.
    expect(await world.synced()).toEqual(["write a", "apply a", "sync", "a durable"]);
    world.nowMs += 100;
    world.send("b", BUSY);
    world.send("c", BUSY);
    const steps = (COMMIT_PAUSE_MAX_MS - 100) / COMMIT_STILL_MS;
    for (let i = 0; i < steps; i++) {
      expect(await world.news()).toEqual([`pause ${COMMIT_STILL_MS}`]);
      world.pauses.shift()?.end();
    }
    expect(await world.news()).toEqual(["write b c", "apply b", "apply c", "sync"]);
  });

  it("GRP-3: a clock that was set back makes nobody wait longer than the pause", async () => {
    const world = new World();
    world.send("a", BUSY);
    await world.synced();
    world.nowMs -= 3_600_000;
    world.send("b", BUSY);
    for (let i = 0; i < COMMIT_PAUSE_MAX_MS / COMMIT_STILL_MS; i++) {
      expect((await world.news()).at(-1)).toBe(`pause ${COMMIT_STILL_MS}`);
      world.pauses.shift()?.end();
    }
    expect(await world.news()).toContain("write b");
  });

  it.each([
    ["many wait", COMMIT_STILL_CALLS, ["write"]],
    ["few wait", COMMIT_STILL_CALLS - 1, ["pause"]],
  ])(
    "GRP-11: when %s and nobody joins them for a while, the pause ends only if they may be all",
    async (_, calls, next) => {
      const world = new World();
      world.send("first", BUSY);
      await world.synced();
      for (let i = 0; i < calls; i++) world.send(`${i}`, BUSY);
      await world.news();
      // The first one to wait was alone when the pause began.
      world.pauses.shift()?.end();
      expect(await world.news()).toEqual([`pause ${COMMIT_STILL_MS}`]);
      world.pauses.shift()?.end();
      expect((await world.news()).slice(0, 1).map((step) => step.split(" ")[0])).toEqual(next);
    },
  );

  it("GRP-11: while somebody joins them many wait on", async () => {
    const world = new World();
    world.send("first", BUSY);
    await world.synced();
    for (let i = 0; i < COMMIT_STILL_CALLS; i++) world.send(`${i}`, BUSY);
    await world.news();
    for (const name of ["another", "one more"]) {
      world.send(name, BUSY);
      world.pauses.shift()?.end();
      expect(await world.news()).toEqual([`pause ${COMMIT_STILL_MS}`]);
    }
  });

  it.each([
    ["calls", COMMIT_FULL_CALLS, 10],
    ["bytes", 4, COMMIT_FULL_BYTES / 4],
  ])("GRP-3: a group full of %s ends the pause", async (_, calls, bytes) => {
    const world = new World();
    world.send("first", BUSY);
    await world.synced();
    for (let i = 1; i < calls; i++) world.send(`${i}`, BUSY, bytes);
    // The control: one less is not full.
    expect(await world.news()).toEqual(
      ["write first", "apply first", "sync", "first durable", `pause ${COMMIT_STILL_MS}`].slice(-1),
    );
    world.send("last", BUSY, bytes);
    expect((await world.news())[0]).toMatch(/^write 1 .*last$/);
  });

  it("GRP-4: a poisoned call costs itself only, and the others keep their order", async () => {
    const world = new World();
    world.poisoned.add("bad");
    world.send("a");
    for (const name of ["b", "bad", "c"]) world.send(name);
    await world.news();
    expect(await world.synced()).toEqual([
      "a durable",
      "write b",
      "write c",
      "apply b",
      "apply c",
      "sync",
      "bad refused: bad cannot be written",
    ]);
    expect(await world.synced()).toEqual(["b durable", "c durable"]);
  });

  it("GRP-4: when nothing can be written all are refused, and the next call is tried afresh", async () => {
    const world = new World();
    for (const name of ["a", "b"]) world.poisoned.add(name);
    world.send("ok");
    world.send("a");
    world.send("b");
    await world.news();
    expect(await world.synced()).toEqual([
      "ok durable",
      "a refused: a cannot be written",
      "b refused: b cannot be written",
    ]);
    world.send("c");
    expect(await world.news()).toEqual(["write c", "apply c", "sync"]);
  });

  it("GRP-4: what memory cannot take is refused alone", async () => {
    const world = new World();
    world.poisoned.add("apply bad");
    world.send("a");
    world.send("bad");
    world.send("b");
    await world.news();
    expect(await world.synced()).toEqual([
      "a durable",
      "write bad b",
      "apply b",
      "sync",
      "bad refused: bad cannot be applied",
    ]);
  });

  it("GRP-9: what is queued or not yet durable is bounded; one call alone always has room", async () => {
    const world = new World();
    expect(world.commits.hasRoom(INGEST_HELD_MAX_BYTES + 1)).toBe(true);
    world.send("a", QUIET, INGEST_HELD_MAX_BYTES - 10);
    expect(world.commits.hasRoom(10)).toBe(true);
    expect(world.commits.hasRoom(11)).toBe(false);
    world.send("b", QUIET, 10);
    expect(world.commits.hasRoom(1)).toBe(false);
    await world.synced();
    expect(world.commits.hasRoom(INGEST_HELD_MAX_BYTES - 10)).toBe(true);
    await world.synced();
    expect(world.commits.hasRoom(INGEST_HELD_MAX_BYTES)).toBe(true);
  });
});

describe("rows of a group", () => {
  const SEED = 20_261_123;
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 30 });

  it(`GRP-6: any frames read back as they were, in rows below the limit (seed ${SEED})`, () => {
    fc.assert(
      fc.property(frames, fc.integer({ min: 10, max: 200 }), (list, maxBytes) => {
        const rows = groupRows(list, maxBytes);
        expect(rows.flatMap((row) => framesOfRow(row))).toEqual(list);
        for (const row of rows) {
          if (row.length > maxBytes) expect(framesOfRow(row)).toHaveLength(1);
        }
        // No two neighbours would have fitted into one row.
        for (let i = 1; i < rows.length; i++) {
          const [before, first] = [rows[i - 1]!, framesOfRow(rows[i]!)[0]!];
          expect(before.length + 4 + first.length).toBeGreaterThan(maxBytes);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("GRP-6: the largest frame with the row's own bytes is still below the platform's limit", () => {
    const [row] = groupRows([new Uint8Array(LOG_ROW_MAX_BYTES)]);
    expect(row?.length).toBeLessThan(2_000_000);
  });

  it("GRP-6: the bytes are as the format says", () => {
    expect(groupRows([Uint8Array.of(0x81, 7), Uint8Array.of(9)])).toEqual([
      Uint8Array.of(0xc1, 1, 2, 0, 0, 0, 0x81, 7, 1, 0, 0, 0, 9),
    ]);
    expect(groupRows([])).toEqual([]);
  });

  it("GRP-7: a bare frame of before groups is a row of one", () => {
    const bare = Uint8Array.of(0x81, 0xa1, 0x76, 1);
    expect(framesOfRow(bare)).toEqual([bare]);
  });

  it("GRP-8: a row that was cut or is of another version is told as broken", () => {
    const [row] = groupRows([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]) as [Uint8Array];
    const whole = [2, 2 + 7, row.length];
    for (let length = 1; length <= row.length; length++) {
      const cut = row.subarray(0, length);
      if (whole.includes(length)) expect(() => framesOfRow(cut)).not.toThrow();
      else expect(() => framesOfRow(cut)).toThrow(GroupRowError);
    }
    expect(() => framesOfRow(Uint8Array.of(0xc1, 2, 0))).toThrow(GroupRowError);
  });
});

describe("senders", () => {
  const answer = async (result: IngestResult) => {
    let calls = 0;
    const outcome = await dispatch(
      [{ shard: 3, rows: 5, bytes: Uint8Array.of(1) }],
      async () => {
        calls++;
        return result;
      },
      { tries: 3, wait: async () => {}, random: () => 0 },
      new Peers(),
      () => {},
    );
    return { calls, ...outcome };
  };

  it("GRP-10: an overloaded shard is asked once, and its part has failed", async () => {
    expect(await answer({ ok: false, fault: "overloaded" })).toEqual({
      ...{ calls: 1, counted: 0, failed: [3], overloaded: true },
    });
    // The control: what it takes counts.
    const taken = await answer({ ok: true, accepted: 5, duplicate: 0, stale: 0, flushAfterMs: 0 });
    expect(taken).toEqual({ calls: 1, counted: 5, failed: [], overloaded: false });
  });
});
