/** The walk over msgpack bytes, type by type (https://github.com/msgpack/msgpack/blob/master/spec.md). */
import { describe, expect, it } from "vitest";
import { PrescanError, prescan, prescanArray } from "../../src/wire/prescan.ts";

const LIMITS = { depth: 3, items: 8, textBytes: 4 };

function faultOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PrescanError) {
      expect([error.name, error.message]).toEqual(["PrescanError", `msgpack: ${error.fault}`]);
      return error.fault;
    }
    throw error;
  }
  return "none";
}
const scan = (bytes: readonly number[], limits = LIMITS) =>
  faultOf(() => prescan(Uint8Array.from(bytes), limits));
const zeros = (length: number) => Array.from({ length }, () => 0);

/** Header bytes, and how many bytes follow. */
const FIXED: [string, number, number][] = [
  ["positive fixint 0", 0x00, 0],
  ["positive fixint 127", 0x7f, 0],
  ["negative fixint −32", 0xe0, 0],
  ["negative fixint −1", 0xff, 0],
  ["nil", 0xc0, 0],
  ["false", 0xc2, 0],
  ["true", 0xc3, 0],
  ["float 32", 0xca, 4],
  ["float 64", 0xcb, 8],
  ["uint 8", 0xcc, 1],
  ["uint 16", 0xcd, 2],
  ["uint 32", 0xce, 4],
  ["uint 64", 0xcf, 8],
  ["int 8", 0xd0, 1],
  ["int 16", 0xd1, 2],
  ["int 32", 0xd2, 4],
  ["int 64", 0xd3, 8],
];

describe("prescan", () => {
  it.each(FIXED)("SCAN-1: %s ends where it ends", (_, header, follow) => {
    expect(scan([header, ...zeros(follow)])).toBe("none");
    expect(scan([header, ...zeros(follow + 1)])).toBe("trailing");
    if (follow > 0) expect(scan([header, ...zeros(follow - 1)])).toBe("truncated");
  });

  it.each([
    ["bin 8", [0xc4, 3], [1, 0xff, 3]],
    ["bin 16", [0xc5, 0, 3], [1, 0xff, 3]],
    ["bin 32", [0xc6, 0, 0, 0, 3], [1, 0xff, 3]],
    ["empty bin", [0xc4, 0], []],
    ["fixstr", [0xa3], [0x61, 0x62, 0x63]],
    ["empty fixstr", [0xa0], []],
    ["str 8", [0xd9, 4], [0x61, 0x62, 0x63, 0x64]],
    ["str 16", [0xda, 0, 2], [0xc3, 0xb6]],
    ["str 32", [0xdb, 0, 0, 0, 1], [0x61]],
    ["fixarray", [0x92], [1, 0xc0]],
    ["empty fixarray", [0x90], []],
    ["array 16", [0xdc, 0, 2], [1, 0xc0]],
    ["array 32", [0xdd, 0, 0, 0, 2], [1, 0xc0]],
    ["fixmap", [0x82], [0xa1, 0x61, 1, 0xa1, 0x62, 2]],
    ["empty fixmap", [0x80], []],
    ["map 16", [0xde, 0, 1], [0xa1, 0x61, 1]],
    ["map 32", [0xdf, 0, 0, 0, 1], [0xd9, 1, 0x61, 1]],
    ["map with a str 32 key", [0x81], [0xdb, 0, 0, 0, 1, 0x61, 1]],
    ["map with an empty key", [0x81], [0xa0, 1]],
  ])("SCAN-1: %s ends where it ends", (_, header, content) => {
    const bytes = [...header, ...content];
    expect(scan(bytes)).toBe("none");
    expect(scan([...bytes, 0])).toBe("trailing");
    for (let length = 0; length < bytes.length; length++)
      expect(scan(bytes.slice(0, length))).toBe("truncated");
  });

  it.each([
    ["0xc1", [0xc1], "reserved"],
    ["ext 8", [0xc7, 1, 5, 0], "extension"],
    ["ext 16", [0xc8, 0, 1, 5, 0], "extension"],
    ["ext 32", [0xc9, 0, 0, 0, 1, 5, 0], "extension"],
    ["fixext 1", [0xd4, 5, 0], "extension"],
    ["fixext 16", [0xd8, 5, ...zeros(16)], "extension"],
    ["a number as key", [0x81, 1, 1], "key"],
    ["what comes before fixstr as key", [0x81, 0x9f, 1], "key"],
    ["nil as key", [0x81, 0xc0, 1], "key"],
    ["int 64 as key", [0x81, 0xd8, 1], "key"],
    ["an array as key", [0x81, 0xdc, 0, 0, 1], "key"],
    ["text cut within a character", [0xa1, 0xc3], "utf8"],
    ["text with a byte that is none", [0xa3, 0x61, 0x62, 0x80], "utf8"],
    ["text with a surrogate", [0xa3, 0xed, 0xa0, 0x80], "utf8"],
    ["an array of more than there is", [0x9f, 1, 1], "truncated"],
    ["a map of more than there is", [0x8f, 0xa0, 1], "truncated"],
    ["a length far past the end", [0xdd, 0xff, 0xff, 0xff, 0xff], "truncated"],
  ])("SCAN-2: %s", (_, bytes, fault) => {
    expect(scan(bytes)).toBe(fault);
  });

  it("SCAN-3: depth, items and texts have a limit, which holds", () => {
    expect(scan([0x91, 0x91, 0x91, 1])).toBe("none");
    expect(scan([0x91, 0x91, 0x91, 0x91, 1])).toBe("depth");
    expect(scan([0x81, 0xa0, 0x81, 0xa0, 0x81, 0xa0, 1])).toBe("none");
    expect(scan([0x81, 0xa0, 0x81, 0xa0, 0x81, 0xa0, 0x81, 0xa0, 1])).toBe("depth");
    // The array itself is one.
    expect(scan([0x97, ...zeros(7)])).toBe("none");
    expect(scan([0x98, ...zeros(8)])).toBe("items");
    expect(scan([0xa4, ...zeros(4)])).toBe("none");
    expect(scan([0xa5, ...zeros(5)])).toBe("text");
    // A limit on texts is none on bytes.
    expect(scan([0xc4, 5, ...zeros(5)])).toBe("none");
    // The longest of every short form.
    const wide = { depth: 1, items: 100, textBytes: 400 };
    expect(scan([0xbf, ...zeros(31)], wide)).toBe("none");
    expect(scan([0x9f, ...zeros(15)], wide)).toBe("none");
    expect(scan([0x8f, ...Array.from({ length: 15 }, () => [0xa0, 0]).flat()], wide)).toBe("none");
    expect(scan([0xda, 1, 0, ...zeros(256)], wide)).toBe("none");
    expect(scan([0xdb, 0, 0, 1, 0, ...zeros(256)], wide)).toBe("none");
  });
});

describe("prescan of an array", () => {
  const offsets = (bytes: readonly number[], most: number, limits = LIMITS) => {
    // Bytes that do not start where their buffer does.
    const shifted = Uint8Array.from([0xff, ...bytes]).subarray(1);
    const found = prescanArray(shifted, limits, most);
    return found && [...found];
  };

  it("SCAN-4: answers where each element starts, and the end", () => {
    expect(offsets([0x90], 5)).toEqual([1]);
    expect(offsets([0x93, 1, 0xa1, 0x61, 0x91, 0xc0], 5)).toEqual([1, 2, 4, 6]);
    expect(offsets([0xdc, 0, 2, 1, 2], 5)).toEqual([3, 4, 5]);
    expect(offsets([0xdd, 0, 0, 0, 1, 7], 5)).toEqual([5, 6]);
    expect(offsets([0x9f, ...zeros(15)], 15)).toHaveLength(16);
    for (const header of [0x8f, 0xa0, 0x80, 0xdb, 0xde, 0xc0, 0x01])
      expect(offsets([header, 0, 0], 5)).toBeUndefined();
  });

  it("SCAN-4: stops one past the limit of elements", () => {
    expect(offsets([0x93, 1, 2, 3], 3)).toEqual([1, 2, 3, 4]);
    expect(offsets([0x93, 1, 2, 3], 2)).toEqual([1, 2, 3, 4]);
    expect(offsets([0x93, 1, 2, 3], 1)).toEqual([1, 2, 3]);
    // What comes behind is not looked at.
    expect(offsets([0x93, 1, 2, 0xc1], 1)).toEqual([1, 2, 3]);
  });

  it("SCAN-4: what is cut or goes on is refused; items and depth are each element's own", () => {
    expect(faultOf(() => offsets([], 5))).toBe("truncated");
    expect(faultOf(() => offsets([0x93, 1, 2], 5))).toBe("truncated");
    expect(faultOf(() => offsets([0x92, 1, 0xa1], 5))).toBe("truncated");
    expect(faultOf(() => offsets([0x91, 1, 2], 5))).toBe("trailing");
    expect(faultOf(() => offsets([0x90, 1], 5))).toBe("trailing");
    const seven = [0x97, ...zeros(7)];
    expect(offsets([0x92, ...seven, ...seven], 5)).toEqual([1, 9, 17]);
    expect(faultOf(() => offsets([0x91, 0x98, ...zeros(8)], 5))).toBe("items");
    expect(offsets([0x91, 0x91, 0x91, 1], 5)).toEqual([1, 4]);
    expect(faultOf(() => offsets([0x91, 0x91, 0x91, 0x91, 1], 5))).toBe("depth");
  });
});
