import { describe, expect, it } from "vitest";
import { Gate, GateClosed } from "../../src/edge/gate.ts";

describe("gate", () => {
  const limits = { maxWaiting: 2, pauseMs: 1_000 };

  it("GATE-1: lets so many wait at once, and the next when one has left", async () => {
    const gate = new Gate(limits);
    const leave: (() => void)[] = [];
    const wait = () =>
      gate.pass(
        () => new Promise<void>((resolve) => leave.push(resolve)),
        () => 0,
      );
    const [first] = [wait(), wait()];
    await expect(wait()).rejects.toBeInstanceOf(GateClosed);
    leave[0]!();
    await first;
    const third = wait();
    leave[2]!();
    await expect(third).resolves.toBeUndefined();
  });

  it("GATE-2: asks nobody right after a failure, and again after the pause", async () => {
    const gate = new Gate(limits);
    let asked = 0;
    const ask = (nowMs: number) =>
      gate.pass(
        async () => {
          asked++;
          throw new Error("down");
        },
        () => nowMs,
      );
    await expect(ask(0)).rejects.toThrow("down");
    for (const nowMs of [0, 500, 999]) await expect(ask(nowMs)).rejects.toBeInstanceOf(GateClosed);
    expect(asked).toBe(1);
    await expect(ask(1_000)).rejects.toThrow("down");
    expect(asked).toBe(2);
  });
});
