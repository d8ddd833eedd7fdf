/** Log, checkpoint and recovery on a real SQLite, without a platform: a shard that starts again is the one that never stopped. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShardStore } from "../../durable-objects/sql/shard-store.ts";
import { LOG_KEEP_MS, MINUTE_MS, WINDOWS } from "../../src/config.ts";
import { IngestLog, type LogLimits } from "../../src/ingest/log.ts";
import { recover } from "../../src/ingest/recovery.ts";
import { windowNumbers } from "../../src/window/snapshot.ts";
import { encodeFrame } from "../../src/wire/frame.ts";
import { runs } from "../support/runs.ts";
import { MemorySql } from "../support/sqlite.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const START = Date.parse("2026-11-23T12:00:00Z");
const HOUR = 3_600_000;
/** Every tick with anything new writes a checkpoint. */
const OFTEN: LogLimits = {
  checkpointWork: 1,
  checkpointBytesAWork: Number.POSITIVE_INFINITY,
  checkpointPauseMs: 0,
};
const NEVER: LogLimits = { ...OFTEN, checkpointWork: Number.POSITIVE_INFINITY };

/** One shard without its platform: every write is durable at once. */
class Shard {
  readonly storage: MemorySql;
  readonly limits: LogLimits;
  nowMs = START;
  store!: ShardStore;
  recovery!: ReturnType<typeof recover>;
  log!: IngestLog;

  constructor(limits: LogLimits, storage = new MemorySql()) {
    this.limits = limits;
    this.storage = storage;
    this.start();
  }

  start(): void {
    this.store = new ShardStore(this.storage);
    this.recovery = recover(this.store, this.nowMs, 7);
    this.log = new IngestLog(
      this.store,
      this.recovery,
      { nowMs: () => this.nowMs, sync: async () => undefined, pause: async () => undefined },
      this.limits,
    );
  }

  get window() {
    return this.recovery.memory.window;
  }

  /** What a tick does. */
  tick(): void {
    this.window.advance(this.nowMs);
    this.log.checkpoint(this.window.nowMs);
    this.log.trim(this.window.nowMs);
  }

  /**
   * Everything that can be asked of it. First sights that are older than the log are kept every five minutes; without a
   * checkpoint one that left and came back with late data meanwhile may be given its old one.
   */
  answers({ firstSights } = { firstSights: true }): unknown {
    this.window.advance(this.nowMs);
    const { fingerprints } = this.window;
    return {
      totals: this.log.totals(),
      of: [...fingerprints.ids()]
        .map((id) => [
          fingerprints.ja4(id),
          firstSights && fingerprints.firstSeenMs(id),
          fingerprints.lastSeenMs(id),
          WINDOWS.map((name) => windowNumbers(this.window, id, name)),
        ])
        .sort(),
      all: WINDOWS.map((name) => this.window.total(name)),
      families: this.window
        .families("a")
        .map((family) => ({ ...family, newborn: firstSights && family.newborn })),
    };
  }
}

/** Copies, since a part is void when the next one is read. */
const held = (store: ShardStore) => Array.from(store.checkpoint() ?? [], (part) => part.slice());

function payload(source: number, number: number, observed: readonly Observed[]): Uint8Array {
  const frame = frameOf(observed);
  new DataView(frame.id.buffer).setUint32(0, source);
  new DataView(frame.id.buffer).setUint32(12, number);
  return encodeFrame(frame);
}

const observed = fc.record({
  at: fc.integer({ min: -HOUR - 200_000, max: 70_000 }),
  ja4: fc.oneof(fc.nat(20).map(ja4Of), fc.constant("")),
  ip: fc.nat(500),
  path: fc.nat(50),
});
const step = fc.record({
  waitMs: fc.oneof(fc.integer({ min: 0, max: 9_000 }), fc.integer({ min: 0, max: 900_000 })),
  source: fc.nat(3),
  number: fc.integer({ min: 1, max: 90 }),
  batch: fc.array(observed, { maxLength: 40 }),
  ticks: fc.boolean(),
  restarts: fc.boolean(),
});

describe("a shard that starts again", () => {
  it.each([
    ["with checkpoints", OFTEN, { firstSights: true }],
    ["from the log alone", NEVER, { firstSights: false }],
  ])(
    "LOG-6: %s it has the answers of one that never stopped, duplicates and totals too",
    async (_, limits, what) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
          const twin = new Shard(NEVER);
          const shard = new Shard(limits);
          let sent = 0;
          for (const { waitMs, source, number, batch, ticks, restarts } of steps) {
            twin.nowMs += waitMs;
            shard.nowMs = twin.nowMs;
            const frame = payload(
              source,
              number,
              batch.map((one) => ({ ...one, at: one.at + twin.nowMs })),
            );
            const answer = await twin.log.accept([frame], twin.nowMs);
            expect(await shard.log.accept([frame], shard.nowMs)).toEqual(answer);
            sent += batch.length;
            for (const one of [twin, shard]) if (ticks) one.tick();
            // What is saved once a minute only must not be part of the comparison.
            if (restarts) {
              shard.log.trim(shard.window.nowMs);
              shard.start();
            }
            expect(shard.answers(what)).toEqual(twin.answers(what));
            const { accepted, late, future, duplicate, stale, shed } = shard.log.totals();
            expect(accepted + late + future + duplicate + stale + shed).toBe(sent);
          }
        }),
        { numRuns: runs(60) },
      );
    },
  );

  it("LOG-7: a checkpoint of other code, a torn or a flipped one costs time and nothing else", async () => {
    const shard = new Shard(OFTEN);
    const send = async (number: number) => {
      shard.nowMs += 20_000;
      const batch = Array.from({ length: 30 }, (_, i) => ({
        at: shard.nowMs - i * 1_000,
        ja4: ja4Of(i % 7),
        ip: i,
      }));
      await shard.log.accept([payload(1, number, batch)], shard.nowMs);
    };
    for (let number = 1; number <= 5; number++) await send(number);
    shard.tick();
    await send(6);
    const whole = shard.answers();
    const image = held(shard.store);
    expect(image).toHaveLength(1);
    shard.start();
    // The control: it is read, and spares all but what came after it.
    expect([shard.recovery.checkpoint, shard.recovery.replayed]).toEqual(["read", 30]);
    expect(shard.answers()).toEqual(whole);
    const damages: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, bytes.length - 4),
      (bytes) => bytes.subarray(4),
      (bytes) => bytes.map((byte, i) => (i === 4 ? byte + 1 : byte)),
      (bytes) => bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte)),
    ];
    for (const damage of damages) {
      shard.store.setCheckpoint((sink) => sink(damage(image[0]!)));
      shard.start();
      expect([shard.recovery.checkpoint, shard.recovery.replayed]).toEqual(["unreadable", 180]);
      expect(shard.answers()).toEqual(whole);
    }
  });

  it("LOG-7: of a checkpoint in several parts none may be missing or of the one before", async () => {
    const shard = new Shard(OFTEN);
    const send = async (number: number) => {
      const batch = Array.from({ length: 4_000 }, (_, i) => ({
        at: shard.nowMs,
        ja4: ja4Of(number * 4_000 + i),
      }));
      await shard.log.accept([payload(1, number, batch)], shard.nowMs);
    };
    for (let number = 1; number <= 9; number++) await send(number);
    shard.tick();
    const before = held(shard.store);
    await send(10);
    shard.tick();
    const image = held(shard.store);
    expect([before.length, image.length]).toEqual([2, 2]);
    const restarted = () => {
      shard.start();
      const { checkpoint, replayed } = shard.recovery;
      return [checkpoint, replayed, shard.log.totals().accepted, shard.window.fingerprints.size];
    };
    expect(restarted()).toEqual(["read", 0, 40_000, 40_000]);
    const others = [
      [image[0]!],
      [image[1]!],
      [before[0]!, image[1]!],
      [image[0]!, before[1]!],
      [...image].reverse(),
    ];
    for (const other of others) {
      shard.store.setCheckpoint((sink) => other.forEach((part) => void sink(part)));
      expect(restarted()).toEqual(["unreadable", 40_000, 40_000, 40_000]);
    }
    // The one before is whole, and older.
    shard.store.setCheckpoint((sink) => before.forEach(sink));
    expect(restarted()).toEqual(["read", 4_000, 40_000, 40_000]);
    // Not even a first part, but something.
    shard.storage.sql.exec("DELETE FROM checkpoint WHERE part = 0");
    expect(restarted()).toEqual(["unreadable", 40_000, 40_000, 40_000]);
    shard.storage.sql.exec("DELETE FROM checkpoint");
    expect(restarted()).toEqual(["none", 40_000, 40_000, 40_000]);
  });

  it("LOG-11: a checkpoint that cannot be written whole leaves the one before; a shorter one leaves nothing of it", async () => {
    const { store } = new Shard(NEVER);
    const parts = () => held(store).map((part) => [...part]);
    const bytes = Uint8Array.of(0, 0);
    const hand = (numbers: readonly number[], fails = false) =>
      store.setCheckpoint((sink) => {
        // One buffer for all parts, as an image is written.
        for (const number of numbers) sink(bytes.fill(number));
        if (fails) throw new Error("disk full");
      });
    hand([1, 2, 3]);
    expect(parts()).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(() => hand([4, 5, 6, 7], true)).toThrow("disk full");
    expect(parts()).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    hand([8, 9]);
    expect(parts()).toEqual([
      [8, 8],
      [9, 9],
    ]);
    store.setCheckpoint(undefined);
    expect(store.checkpoint()).toBe(undefined);
  });

  it("LOG-8: what code of before wrote is read, also behind a checkpoint", async () => {
    const shard = new Shard(OFTEN);
    const { sql } = shard.storage;
    const old = (minute: number, number: number) => {
      sql.exec(`CREATE TABLE IF NOT EXISTS log_${minute} (seq INTEGER PRIMARY KEY, frame BLOB NOT NULL)`);
      const at = minute * MINUTE_MS + 30_000;
      sql.exec(
        `INSERT INTO log_${minute} (frame) VALUES (?)`,
        payload(9, number, [{ at, ja4: ja4Of(number), ip: 1 }]),
      );
    };
    const minute = Math.floor((START - 1) / MINUTE_MS);
    old(minute - 3, 1);
    old(minute - 3, 2);
    old(minute - 2, 3);
    shard.start();
    expect(shard.log.totals().accepted).toBe(3);
    await shard.log.accept([payload(1, 1, [{ at: START - 1, ja4: ja4Of(4) }])], START);
    shard.tick();
    // Code of before again, on the same disk: in a table of ours, and in one of its own.
    old(minute, 5);
    old(minute + 1, 6);
    shard.nowMs += 2 * MINUTE_MS;
    shard.start();
    expect([shard.recovery.checkpoint, shard.recovery.replayed, shard.log.totals().accepted]).toEqual([
      "read",
      2,
      6,
    ]);
    expect(shard.window.fingerprints.size).toBe(6);
  });

  it("LOG-9: what is older than it may be kept is gone from the disk, the checkpoint too, and then nothing is awake", async () => {
    const shard = new Shard(OFTEN);
    await shard.log.accept([payload(1, 1, [{ at: START - 1, ja4: ja4Of(1), ip: 5 }])], START);
    shard.tick();
    expect([shard.log.isEmpty, shard.store.checkpoint() !== undefined]).toEqual([false, true]);
    shard.nowMs = START + LOG_KEEP_MS + MINUTE_MS;
    shard.tick();
    expect([shard.log.isEmpty, shard.store.checkpoint()]).toEqual([true, undefined]);
    expect(shard.log.totals()).toMatchObject({ accepted: 1, sources: { observations: 1 } });
    shard.start();
    expect(shard.log.totals()).toMatchObject({ accepted: 1, sources: { observations: 1 } });
    // Its id is forgotten with it: what comes again is too late to count twice.
    expect(
      await shard.log.accept([payload(1, 1, [{ at: START - 1, ja4: ja4Of(1) }])], shard.nowMs),
    ).toMatchObject({
      duplicate: 0,
    });
    expect(shard.log.totals()).toMatchObject({ accepted: 1, late: 1 });
  });

  it("LOG-10: a clock that is set back loses nothing, and the order stays", async () => {
    const shard = new Shard(OFTEN);
    const clocks = [0, 120_000, -600_000, -599_000, 30_000, 200_000];
    for (const [i, offset] of clocks.entries()) {
      shard.nowMs = START + offset;
      await shard.log.accept(
        [payload(1, i + 1, [{ at: START - 30_000, ja4: ja4Of(1), ip: i }])],
        shard.nowMs,
      );
      if (i === 3) shard.tick();
      const before = shard.answers();
      shard.start();
      expect(shard.answers()).toEqual(before);
    }
    expect(shard.log.totals()).toMatchObject({ accepted: clocks.length, late: 0, future: 0 });
  });
});
