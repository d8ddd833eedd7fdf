/** What makes bytes no set, fault by fault, and the bytes right beside it that are one. */
import { describe, expect, it } from "vitest";
import { decodeSet, encodeEmpty, SetFormatError } from "../../src/sketch/distincts-codec.ts";

const SLOT = 1_000;
const RANKS = 21;
const le = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);

const small = (hashes: readonly number[], ages: readonly number[], slot = SLOT) =>
  Uint8Array.from([
    1,
    1,
    ...le(hashes.length, 2),
    ...le(slot, 4),
    ...hashes.flatMap((hash) => le(hash, 4)),
    ...ages,
  ]);

/** 32 cells unless told; the hits of the first ranks, then their bytes. */
const large = (hits: readonly number[], body: readonly number[], { log = 5, zero = 0, slot = SLOT } = {}) =>
  Uint8Array.from([
    1,
    2,
    log,
    zero,
    ...le(slot, 4),
    ...Array.from({ length: RANKS }, (_, r) => le(hits[r] ?? 0, 2)).flat(),
    ...body,
  ]);

/** A rank of 32 cells of which these are hit, each at age 0. */
const dense = (count: number) => Array.from({ length: 32 }, (_, cell) => (cell < count ? 1 : 0));

function faultOf(bytes: Uint8Array): string {
  try {
    decodeSet(bytes);
    return "none";
  } catch (error) {
    expect(error).toBeInstanceOf(SetFormatError);
    const { name, message, code } = error as SetFormatError;
    expect([name, code]).toEqual(["SetFormatError", "set_malformed"]);
    return message;
  }
}

const rising = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("bytes of a set", () => {
  it.each<[string, Uint8Array, string]>([
    ["no preamble", encodeEmpty().subarray(0, 7), "shorter than a preamble"],
    ["an empty set", encodeEmpty(), "none"],
    ["another version", Uint8Array.of(2, ...encodeEmpty().subarray(1)), "unknown version"],
    ["another kind", Uint8Array.of(1, 3, 0, 0, 0, 0, 0, 0), "unknown kind"],
    ["kind 0", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), "unknown kind"],
    [
      "256 entries",
      small(
        rising(256),
        rising(256).map(() => 0),
      ),
      "none",
    ],
    [
      "257 entries",
      small(
        rising(257),
        rising(257).map(() => 0),
      ),
      "too many entries",
    ],
    ["an age too few", small([1, 2], [0]), "wrong length"],
    ["an age too many", small([1, 2], [0, 0, 0]), "wrong length"],
    ["ascending hashes", small([1, 2, 0xffffffff], [0, 1, 2]), "none"],
    ["a hash twice", small([1, 1], [0, 0]), "hashes do not ascend"],
    ["descending hashes", small([3, 5, 4], [0, 0, 0]), "hashes do not ascend"],
    ["a hash below 0", small([0, 1], [0, 0]), "none"],
    ["a slot of nothing", small([], [], 1), "an empty set has no slot"],
    ["no newest entry", small([1, 2], [1, 2]), "the newest entry is not as old as the set"],
    ["the oldest age", small([1, 2], [0, 254]), "none"],
    ["an age past the oldest", small([1, 2], [0, 255]), "an entry is too old"],
    ["an entry of slot 0", small([1, 2], [0, 5], 5), "none"],
    ["an entry before slot 0", small([1, 2], [0, 6], 5), "an entry is too old"],
  ])("DIST-16: %s", (_, bytes, fault) => {
    expect(faultOf(bytes)).toBe(fault);
  });

  it.each<[string, Uint8Array, string]>([
    ["32 cells", large([1], [7, 0, 0]), "none"],
    ["16 cells", large([1], [7, 0, 0], { log: 4 }), "unknown number of cells"],
    ["2,048 cells", large([1], [0xff, 7, 0], { log: 11 }), "none"],
    ["4,096 cells", large([1], [7, 0, 0], { log: 12 }), "unknown number of cells"],
    ["a byte that should be 0", large([1], [7, 0, 0], { zero: 1 }), "unknown number of cells"],
    ["no hits", large([], []).subarray(0, 49), "wrong length"],
    ["nothing hit", large([], []), "the newest entry is not as old as the set"],
    ["a full rank", large([32], dense(32)), "none"],
    ["more hits than cells", large([33], dense(32)), "more hits than cells"],
    ["a byte too few", large([1], [7, 0]), "wrong length"],
    ["a byte too many", large([1], [7, 0, 0, 0]), "wrong length"],
    [
      "ten hits, cell by cell",
      large(
        [10],
        rising(10).flatMap((cell) => [cell, 0, 0]),
      ),
      "none",
    ],
    ["eleven hits, all cells", large([11], dense(11)), "none"],
    ["a hit too few", large([11], dense(10)), "hits do not add up"],
    ["a hit too many", large([11], dense(12)), "hits do not add up"],
    ["the last cell", large([1], [31, 0, 0]), "none"],
    ["a cell past the last", large([1], [32, 0, 0]), "cells do not ascend"],
    ["ascending cells", large([2], [0, 0, 0, 1, 0, 0]), "none"],
    ["a cell twice", large([2], [4, 0, 0, 4, 0, 0]), "cells do not ascend"],
    ["descending cells", large([2], [4, 0, 0, 3, 0, 0]), "cells do not ascend"],
    ["cells of ranks of their own", large([1, 1], [4, 0, 0, 3, 0, 9]), "none"],
    ["no newest hit", large([2], [4, 0, 3, 5, 0, 1]), "the newest entry is not as old as the set"],
    ["the oldest hit", large([2], [4, 0, 0, 5, 0, 254]), "none"],
    ["a hit past the oldest", large([2], [4, 0, 255, 5, 0, 0]), "an entry is too old"],
    ["a hit before slot 0", large([2], [4, 0, 6, 5, 0, 0], { slot: 5 }), "an entry is too old"],
    ["a hit in slot 0", large([2], [4, 0, 5, 5, 0, 0], { slot: 5 }), "none"],
  ])("DIST-16: large: %s", (_, bytes, fault) => {
    expect(faultOf(bytes)).toBe(fault);
  });

  it("DIST-13: what was decoded is what the bytes say, wherever they lie", () => {
    const shifted = (bytes: Uint8Array) => Uint8Array.from([9, 9, 9, ...bytes]).subarray(3);
    expect(decodeSet(shifted(small([5, 0x80000001], [3, 0])))).toEqual({
      ...{ kind: "small", slot: SLOT, hashes: Uint32Array.of(5, 0x80000001), ages: Uint8Array.of(3, 0) },
    });
    const found: number[][] = [];
    const set = decodeSet(shifted(large([2, 0, 11], [4, 0, 3, 31, 0, 0, ...dense(11)])));
    if (set.kind === "large") set.each((...hit) => found.push(hit));
    expect([set.kind, set.slot, set.kind === "large" && set.log]).toEqual(["large", SLOT, 5]);
    expect(found).toEqual([[0, 4, 3], [0, 31, 0], ...rising(11).map((cell) => [2, cell, 0])]);
    const empty = encodeEmpty();
    empty[0] = 7;
    expect([...encodeEmpty()]).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
  });
});
