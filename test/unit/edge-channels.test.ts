/** Ids of an isolate's frames. */
import { describe, expect, it } from "vitest";
import { Channels, frameId, isSpent } from "../../src/edge/channels.ts";

/** Draws 1, 1, 1, …, then 2, 2, 2, … */
function counted() {
  let drawn = 0;
  return { random: (bytes: Uint8Array) => bytes.fill(++drawn), drawn: () => drawn };
}

describe("frame ids", () => {
  it("EDGE-28: are the isolate's random bytes, the channel and the sequence, big-endian", () => {
    const { random, drawn } = counted();
    const channels = new Channels(random);
    expect(drawn()).toBe(0);
    channels.open("shop", 1, 0);
    const second = channels.open("shop", 1, 0);
    expect([...frameId(second.source, 0x01020304)]).toEqual([
      ...[1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
      ...[0, 1],
      ...[1, 2, 3, 4],
    ]);
    expect([second.next, drawn()]).toEqual([1, 1]);
  });

  it("EDGE-30: an isolate that has used up its channels draws new bytes", () => {
    const { random } = counted();
    const channels = new Channels(random, 3);
    const sources = Array.from({ length: 7 }, (_, i) => channels.open("shop", 1, i).source);
    expect(new Set(sources.map((source) => source.join())).size).toBe(7);
    expect(sources.map((source) => [source[0], source[11]])).toEqual([
      ...[
        [1, 0],
        [1, 1],
        [1, 2],
        [2, 0],
        [2, 1],
        [2, 2],
      ],
      [3, 0],
    ]);
  });

  it("EDGE-30: a closed channel is the next user's, of the same shard only, and goes on where it was", () => {
    const channels = new Channels(counted().random);
    const channel = channels.open("shop", 1, 0);
    channel.next = 9;
    channels.close(channel, "shop", 1, 0);
    const others = [channels.open("shop", 1, 1), channels.open("shop", 2, 0), channels.open("api", 1, 0)];
    expect(others).not.toContain(channel);
    expect(channels.open("shop", 1, 0)).toBe(channel);
    expect(channels.open("shop", 1, 0)).not.toBe(channel);
    expect(channel.next).toBe(9);
  });

  it("EDGE-30: one without sequences left is never used again", () => {
    const channels = new Channels(counted().random);
    const channel = channels.open("shop", 1, 0);
    channel.next = 0xffff_ffff;
    expect(isSpent(channel)).toBe(false);
    channel.next++;
    expect(isSpent(channel)).toBe(true);
    channels.close(channel, "shop", 1, 0);
    expect(channels.open("shop", 1, 0)).not.toBe(channel);
  });

  it("EDGE-30: closed channels are kept up to a number", () => {
    const channels = new Channels(counted().random);
    const open = Array.from({ length: 1_030 }, () => channels.open("shop", 1, 0));
    for (const channel of open) channels.close(channel, "shop", 1, 0);
    const again = Array.from({ length: 1_030 }, () => channels.open("shop", 1, 0));
    expect(again.filter((channel) => open.includes(channel))).toHaveLength(1_024);
  });
});
