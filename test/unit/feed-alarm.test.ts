/** One alarm for all that the feed does by itself. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type Duty, FeedAlarm } from "../../durable-objects/feed-alarm.ts";

/** The platform's clock: one time, the newest. */
class Clock {
  atMs: number | undefined;
  sets = 0;
  async setAlarm(atMs: number): Promise<void> {
    this.atMs = atMs;
    this.sets++;
  }
}

/** A duty with a list of times at which it is due. */
class Listed implements Duty {
  readonly ran: number[] = [];
  readonly name: string;
  readonly times: number[];
  constructor(name: string, times: number[]) {
    this.name = name;
    this.times = times;
  }
  dueMs(): number | undefined {
    return this.times[0];
  }
  run(nowMs: number): void {
    this.ran.push(nowMs);
    while (this.times[0] !== undefined && this.times[0] <= nowMs) this.times.shift();
  }
}

describe("the feed's alarm", () => {
  it("HOOK-11: stands at the earliest duty, is not set again for a later one, and at once for one that is overdue", async () => {
    const clock = new Clock();
    const [a, b] = [new Listed("a", []), new Listed("b", [])];
    const alarm = new FeedAlarm(clock, [a, b]);
    await alarm.arm(0);
    expect(clock.sets).toBe(0);
    b.times.push(500);
    await alarm.arm(0);
    expect(clock.atMs).toBe(500);
    a.times.push(700);
    await alarm.arm(0);
    expect(clock.sets).toBe(1);
    a.times.unshift(5);
    await alarm.arm(100);
    expect(clock.atMs).toBe(100);
    await alarm.fire(100);
    expect([a.ran, b.ran, clock.atMs]).toEqual([[100], [], 500]);
  });

  it("HOOK-11: every time of every duty is served once it has come, over restarts too", async () => {
    const times = fc.array(fc.integer({ min: 1, max: 10_000 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(times, times, fc.integer({ min: 1, max: 5 }), async (one, two, life) => {
        const sorted = (list: number[]) => [...list].sort((x, y) => x - y);
        const clock = new Clock();
        const duties = [new Listed("one", sorted(one)), new Listed("two", sorted(two))];
        let alarm = new FeedAlarm(clock, duties);
        await alarm.arm(0);
        for (let fired = 1; duties.some(({ times: left }) => left.length > 0); fired++) {
          const nowMs = clock.atMs!;
          expect(nowMs).toBe(Math.min(...duties.flatMap(({ times: left }) => left[0] ?? [])));
          if (fired % life === 0) alarm = new FeedAlarm(clock, duties);
          await alarm.fire(nowMs);
        }
        expect(duties[0]!.ran).toEqual(sorted([...new Set(one)]));
        expect(duties[1]!.ran).toEqual(sorted([...new Set(two)]));
      }),
    );
  });

  it("HOOK-11: a duty that fails keeps no other from being done, and is tried again after a pause", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const clock = new Clock();
    let tries = 0;
    const bad: Duty = {
      name: "bad",
      dueMs: () => 10,
      run: () => {
        tries++;
        throw new TypeError("what a caller sent");
      },
    };
    const good = new Listed("good", [10, 20]);
    const alarm = new FeedAlarm(clock, [bad, good]);
    await alarm.fire(10);
    expect([tries, good.ran, clock.atMs]).toEqual([1, [10], 20]);
    await alarm.fire(20);
    expect([tries, good.ran, clock.atMs]).toEqual([1, [10, 20], 10_010]);
    await alarm.fire(10_010);
    expect(tries).toBe(2);
    const line = { event: "feed_duty_failed", duty: "bad", error: "TypeError" };
    expect(warned.mock.calls.map(([text]) => JSON.parse(text as string))).toEqual([line, line]);
    warned.mockRestore();
  });
});
