/** A site's `delay`: its windows lie behind the clock, so that what sources deliver late is in time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ShardStore } from "../../durable-objects/sql/shard-store.ts";
import { DELAY_MAX_MS, FUTURE_MAX_MS, LOG_KEEP_MS, PENDING_MAX_BYTES } from "../../src/config.ts";
import { IngestLog } from "../../src/ingest/log.ts";
import { recover } from "../../src/ingest/recovery.ts";
import { REQS } from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";
import { encodeFrame } from "../../src/wire/frame.ts";
import { runs } from "../support/runs.ts";
import { MemorySql } from "../support/sqlite.ts";
import { answersOf } from "../support/window-answers.ts";
import { frameOf, ja4Of, type Observed } from "../support/window-frames.ts";

const NOON = Date.parse("2026-11-23T12:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DELAY = 2 * MINUTE;
const one = (at: number, n = 1): Observed => ({ at, ja4: ja4Of(n), ip: n, score: 30 });
const reqs = (window: Window) => window.total("1h").all[REQS];

describe("a window with a delay", () => {
  it("DELAY-1: what is stamped now is in no window yet, and in each when as_of has come to it", () => {
    const window = new Window(9);
    expect(window.apply(frameOf([one(NOON)]), NOON - DELAY, DELAY)).toBe(1);
    const seen = [0, 60_000, DELAY - 1, DELAY].map((ms) => {
      window.advance(NOON + ms - DELAY);
      return [window.total("1m"), window.total("5m"), window.total("1h")].map(({ all }) => all[REQS]);
    });
    expect(seen).toEqual([[0, 0, 0], [0, 0, 0], [0, 0, 0], ...[[1, 1, 1]]]);
  });

  it("DELAY-1: an hour before as_of is in time, and 65 s ahead of the arrival waits; beyond either is not", () => {
    const window = new Window(9);
    const rows = [NOON - DELAY - HOUR + 1, NOON - DELAY - HOUR - MINUTE, NOON + 65_000, NOON + 65_001];
    expect(window.apply(frameOf(rows.map((at) => one(at))), NOON - DELAY, DELAY)).toBe(2);
    expect(window.takeDropped()).toEqual({ late: 1, future: 1, overflow: 0 });
  });

  it("DELAY-2: past the bytes for what waits the clock moves on, no further than the arrival; what is later is future", () => {
    const window = new Window(9);
    const rows = 4_000;
    const frames = Math.ceil((3 * PENDING_MAX_BYTES) / (rows * 30));
    // Ten minutes of a flood that is three times what may wait.
    let sent = 0;
    for (let i = 0; i < frames; i++) {
      const now = NOON + (i * DELAY_MAX_MS) / frames;
      const batch = Array.from({ length: rows }, (_, n) => one(now, 1 + (n % 3)));
      sent += window.apply(frameOf(batch), now - DELAY_MAX_MS, DELAY_MAX_MS);
      expect(window.memory().pending).toBeLessThanOrEqual(PENDING_MAX_BYTES);
      expect(window.nowMs).toBeLessThanOrEqual(now);
    }
    expect(sent).toBe(frames * rows);
    expect(window.nowMs).toBeGreaterThan(NOON);
    expect(window.takeDropped()).toEqual({ late: 0, future: 0, overflow: 0 });
    window.advance(NOON + DELAY_MAX_MS);
    expect(reqs(window)).toBe(sent);
    // Without a delay the clock is at the arrival already.
    const now = window.nowMs;
    const ahead = frameOf(Array.from({ length: rows }, () => one(now + FUTURE_MAX_MS)));
    let waits = 0;
    for (let i = 0; i < frames; i++) waits += window.apply(ahead, now);
    expect(waits).toBe(Math.floor(PENDING_MAX_BYTES / (rows * 30)) * rows);
    expect([window.takeDropped().future, window.nowMs]).toEqual([frames * rows - waits, now]);
  });

  it("DELAY-3: is at every time what one without was that much earlier, where everything came in time", () => {
    const batch = fc.array(fc.record({ ago: fc.nat({ max: 50 * MINUTE }), n: fc.nat({ max: 4 }) }), {
      maxLength: 40,
    });
    const steps = fc.array(fc.record({ wait: fc.nat({ max: 300_000 }), batch }), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(steps, (script) => {
        const [window, behind] = [new Window(9), new Window(9)];
        let now = NOON;
        for (const step of script) {
          now += step.wait;
          const rows = step.batch.map(({ ago, n }) => one(now - ago, n + 1));
          behind.apply(frameOf(rows), now - DELAY, DELAY);
          window.apply(frameOf(rows), now);
        }
        behind.advance(now);
        for (const asOf of [now, now + 61_000, now + HOUR]) {
          window.advance(asOf);
          behind.advance(asOf);
          const numbers = (of: Window) =>
            answersOf(of)
              .fingerprints.map(({ ja4, numbers, scores, seen }) => ({ ja4, numbers, scores, seen }))
              .sort((a, b) => (a.ja4 < b.ja4 ? -1 : 1));
          expect(numbers(behind)).toEqual(numbers(window));
        }
      }),
      { seed: 21, numRuns: runs(40) },
    );
  });
});

/** A shard's log without its platform. */
class Shard {
  readonly storage = new MemorySql();
  nowMs = NOON;
  #number = 0;
  store!: ShardStore;
  recovery!: ReturnType<typeof recover>;
  log!: IngestLog;

  constructor() {
    this.start();
  }

  start(): void {
    this.store = new ShardStore(this.storage);
    this.recovery = recover(this.store, this.nowMs, 7);
    const waits = { nowMs: () => this.nowMs, sync: async () => undefined, pause: async () => undefined };
    this.log = new IngestLog(this.store, this.recovery, waits, {
      ...{ checkpointWork: 1, checkpointBytesAWork: Number.POSITIVE_INFINITY, checkpointPauseMs: 0 },
    });
  }

  get window(): Window {
    return this.recovery.memory.window;
  }

  asOf(): number {
    this.window.advance(this.log.asOfMs(this.nowMs));
    return this.window.nowMs;
  }

  async send(rows: readonly Observed[]): Promise<void> {
    const frame = frameOf(rows);
    new DataView(frame.id.buffer).setUint32(12, ++this.#number);
    await this.log.accept([encodeFrame(frame)], this.nowMs);
  }
}

describe("a change of the delay", () => {
  it("DELAY-4: loses, doubles and delays nothing over starts with and without a checkpoint; as_of never goes back", async () => {
    const step = fc.record({
      wait: fc.oneof(fc.nat({ max: 30_000 }), fc.nat({ max: 400_000 })),
      ago: fc.array(fc.nat({ max: 55 * MINUTE }), { maxLength: 20 }),
      delay: fc.option(fc.constantFrom(0, DELAY, DELAY_MAX_MS), { nil: undefined }),
      looks: fc.boolean(),
      checkpoint: fc.boolean(),
      restarts: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (script) => {
        const [shard, twin] = [new Shard(), new Shard()];
        const sent: number[] = [];
        let before = 0;
        for (const { wait, ago, delay, looks, checkpoint, restarts } of script) {
          twin.nowMs = shard.nowMs += wait;
          const rows = ago.map((ms, i) => one(shard.nowMs - ms, 1 + (i % 3)));
          for (const each of [shard, twin]) {
            if (rows.length > 0) await each.send(rows);
            if (delay !== undefined) each.log.setDelay(delay, each.nowMs);
          }
          sent.push(...rows.map(({ at }) => at));
          if (looks) shard.asOf();
          if (checkpoint) shard.log.checkpoint(shard.nowMs);
          if (restarts) shard.start();
          const asOf = shard.asOf();
          expect(asOf).toBe(twin.asOf());
          if (sent.length > 0) expect(asOf).toBeGreaterThanOrEqual(before);
          expect(asOf).toBeLessThanOrEqual(shard.nowMs);
          before = asOf;
          const from = Math.floor((asOf - HOUR) / MINUTE) * MINUTE;
          expect(reqs(shard.window)).toBe(sent.filter((at) => at > from && at <= asOf).length);
          const { accepted, late, future } = shard.log.totals();
          expect([accepted, late, future]).toEqual([sent.length, 0, 0]);
          expect(shard.log.lastRowMs).toBeLessThanOrEqual(shard.nowMs);
        }
      }),
      { seed: 22, numRuns: runs(30) },
    );
  });

  it("DELAY-4: the clock stands still for a larger one, and goes on at once for a smaller one", async () => {
    const shard = new Shard();
    await shard.send([one(NOON)]);
    const asOf = (afterMs: number, delay?: number) => {
      shard.nowMs = NOON + afterMs;
      if (delay !== undefined) shard.log.setDelay(delay, shard.nowMs);
      return shard.asOf() - NOON;
    };
    expect([asOf(0), asOf(1_000, DELAY), asOf(MINUTE), asOf(DELAY + 5_000)]).toEqual([
      0, 1_000, 1_000, 5_000,
    ]);
    expect(asOf(DELAY + 6_000, 0)).toBe(DELAY + 6_000);
  });

  it("DELAY-4: without any data it goes to the new delay at once, back too", () => {
    const shard = new Shard();
    shard.asOf();
    shard.log.setDelay(DELAY, shard.nowMs);
    expect(shard.asOf()).toBe(NOON - DELAY);
    shard.start();
    expect(shard.asOf()).toBe(NOON - DELAY);
  });

  it("DELAY-5: changes are kept as long as the log has rows that came before the next one", async () => {
    const shard = new Shard();
    for (let i = 0; i < 300; i++) {
      shard.nowMs += MINUTE;
      await shard.send([one(shard.nowMs)]);
      shard.log.setDelay(i % 2 === 0 ? DELAY : 0, shard.nowMs);
    }
    const kept = shard.store.delays();
    expect(kept.length).toBeGreaterThan(LOG_KEEP_MS / MINUTE);
    expect(kept.length).toBeLessThan((LOG_KEEP_MS + DELAY_MAX_MS) / MINUTE + 3);
  });
});
