import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "../../src/api/cursor.ts";
import { Problem } from "../../src/base/problem.ts";
import { type ListedRow, type ListQuery, mergeLists } from "../../src/reading/list.ts";

const query: ListQuery = {
  sort: "reqs",
  order: "desc",
  window: "1h",
  ja4: undefined,
  limit: 2,
  after: undefined,
};
const row = (ja4: string, value: number): ListedRow => ({
  value,
  row: { ja4, reqs: value, last_seen: "", names: [] },
});
const names = (rows: { ja4: string }[]) => rows.map(({ ja4 }) => ja4);

describe("pages over several shards", () => {
  it("PAGE-1: are merged in order, equal values by fingerprint, and know where the next one starts", () => {
    const merged = mergeLists(query, [[row("c", 5), row("a", 3)], [row("b", 5)]]);
    expect(names(merged.rows)).toEqual(["b", "c"]);
    expect(merged.next).toEqual({ value: 5, ja4: "c" });
    expect(mergeLists({ ...query, order: "asc" }, [[row("c", 5)], [row("a", 3)]])).toMatchObject({
      next: undefined,
    });
  });

  it("PAGE-2: a cursor belongs to its query, anything else is 400", () => {
    const cursor = encodeCursor({ query: "reqs desc 1h *", value: 5, ja4: "c" });
    expect(decodeCursor(cursor, "reqs desc 1h *")).toEqual({ value: 5, ja4: "c" });
    for (const [text, madeFor] of [
      [cursor, "ips desc 1h *"],
      ["", "reqs desc 1h *"],
      ["!!", "reqs desc 1h *"],
      [btoa("[1]"), "reqs desc 1h *"],
      [btoa("{}"), "reqs desc 1h *"],
    ] as const) {
      expect(() => decodeCursor(text, madeFor)).toThrow(Problem);
    }
  });
});
