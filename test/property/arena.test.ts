import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/sketch/arena.ts";

/** Sizes to allocate; a negative number releases the block at that place of the list of live ones. */
const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: -50, max: -1 })), {
  maxLength: 200,
});

interface Block {
  at: number;
  words: number;
  mark: number;
}

function run(arena: Arena, list: readonly number[]): Block[] {
  const live: Block[] = [];
  for (const [i, step] of list.entries()) {
    if (step > 0) {
      const at = arena.alloc(step);
      expect(arena.words.subarray(at, at + step).every((word) => word === 0)).toBe(true);
      arena.words.fill(i + 1, at, at + step);
      live.push({ at, words: step, mark: i + 1 });
    } else if (live.length > 0) {
      const [block] = live.splice(-step % live.length, 1);
      arena.release(block!.at, block!.words);
    }
  }
  return live;
}

/** Whether each block still holds its own mark and nothing else. */
const whole = (arena: Arena, live: readonly Block[]) =>
  live.every(({ at, words, mark }) => {
    const held = arena.words.subarray(at, at + words);
    return at > 0 && held.length === words && held.every((word) => word === mark);
  });

const wordsOf = (live: readonly Block[]) => live.reduce((sum, { words }) => sum + words, 0);

describe("the arena", () => {
  it("ARENA-1: blocks are zeroed, never overlap, and keep their content while others come and go", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 64 }), (list, first) => {
        const arena = new Arena(first);
        const live = run(arena, list);
        expect(whole(arena, live)).toBe(true);
        expect(arena.usedBytes).toBe(wordsOf(live) * 4);
        expect(arena.byteLength).toBeGreaterThan(arena.usedBytes);
        expect(arena.bytes.buffer).toBe(arena.words.buffer);
      }),
    );
  });

  it("ARENA-2: a released block serves the next of its size", () => {
    const arena = new Arena();
    const blocks = [arena.alloc(7), arena.alloc(7), arena.alloc(9)];
    const capacity = arena.byteLength;
    for (let i = 0; i < 10_000; i++) {
      arena.release(blocks[0]!, 7);
      arena.release(blocks[1]!, 7);
      expect([arena.alloc(7), arena.alloc(7)].sort()).toEqual([...blocks.slice(0, 2)].sort());
    }
    expect(arena.byteLength).toBe(capacity);
  });

  it("ARENA-3: compaction moves every live block, loses nothing and leaves no gap", () => {
    fc.assert(
      fc.property(steps, steps, (list, more) => {
        const arena = new Arena();
        const live = run(arena, list);
        arena.compact((move) => {
          for (const block of live) block.at = move(block.at, block.words);
        });
        expect(whole(arena, live)).toBe(true);
        expect(arena.byteLength).toBe(Math.max(wordsOf(live) * 4 + 4, 8));
        expect(whole(arena, [...live, ...run(arena, more)])).toBe(true);
      }),
    );
  });

  it("ARENA-4: a compaction that leaves a block out or names one twice throws and changes nothing", () => {
    const arena = new Arena();
    const live = run(arena, [3, 5, 4]);
    expect(() => arena.compact((move) => void move(live[0]!.at, 3))).toThrow("9 live words were not moved");
    const twice = () =>
      arena.compact((move) => {
        for (const { at, words } of [...live, ...live]) move(at, words);
      });
    expect(twice).toThrow("moved twice");
    expect(whole(arena, live)).toBe(true);
  });

  it("ARENA-5: grows by a quarter, further where a block needs it, and refuses what is past 4 GiB", () => {
    expect([new Arena(), new Arena(0), new Arena(3)].map(({ byteLength }) => byteLength)).toEqual([
      4_096, 8, 12,
    ]);
    const arena = new Arena(100);
    const sizes = [99, 1, 24, 1, 200].map((words) => {
      const at = arena.alloc(words);
      arena.words.fill(words, at, at + words);
      return [at, arena.byteLength];
    });
    expect(sizes).toEqual([
      [1, 400],
      [100, 500],
      [101, 500],
      [125, 628],
      [126, 1_304],
    ]);
    const before = Uint32Array.from(arena.words);
    expect(() => arena.alloc(2 ** 30)).toThrow(new RangeError("arena: full"));
    expect([arena.words, arena.usedBytes]).toEqual([before, 325 * 4]);
    // As if nothing had been asked: the next block is where it would be, and all that is live can be moved.
    expect(arena.alloc(1)).toBe(326);
    arena.compact((move) => void move(1, 326));
    expect([arena.byteLength, arena.words.subarray(0, 326)]).toEqual([327 * 4, before]);
  });
});
