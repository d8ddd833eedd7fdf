/** A shard's pages against sorting everything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ListQuery, listFingerprints } from "../../src/reading/list.ts";
import { Top } from "../../src/reading/top.ts";
import { Window } from "../../src/window/window.ts";
import { frameOf } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:02Z");

/** What a fingerprint did: requests, distinct addresses among them, how long ago; a score for some. */
interface Client {
  ja4: string;
  reqs: number;
  ips: number;
  agoMs: number;
  score: number | undefined;
}

const client = fc.record({
  ja4: fc
    .tuple(fc.constantFrom("8daaf6152771", "5b57614c22b0"), fc.integer({ min: 0, max: 0xffff }))
    .map(([b, c]) => `t13d1516h2_${b}_${c.toString(16).padStart(12, "0")}`),
  reqs: fc.integer({ min: 1, max: 4 }),
  ips: fc.integer({ min: 0, max: 2 }),
  agoMs: fc.constantFrom(0, 30_000, 200_000, 1_000_000),
  score: fc.constantFrom(undefined, 10, 20.5),
});

function windowOf(clients: readonly Client[]): Window {
  const window = new Window(0);
  const seen = clients.flatMap(({ ja4, reqs, ips, agoMs }) =>
    Array.from({ length: reqs }, (_, i) => {
      return { at: NOW - agoMs, ja4, path: 1, ...(i < ips ? { ip: i + 1 } : {}) };
    }),
  );
  window.apply(frameOf(seen), NOW);
  return window;
}

const SORT_VALUES: Record<ListQuery["sort"], (client: Client) => number> = {
  reqs: ({ reqs }) => reqs,
  ips: ({ reqs, ips }) => Math.min(reqs, ips) || -1,
  uas: () => -1,
  paths: () => 1,
  score: ({ score }) => score ?? -1,
  last_seen: ({ agoMs }) => NOW - agoMs,
};

describe("pages of a shard", () => {
  it("PAGE-3: one after the other they are the whole list, sorted", () => {
    const query = fc.record({
      sort: fc.constantFrom(...(Object.keys(SORT_VALUES) as ListQuery["sort"][])),
      order: fc.constantFrom("asc" as const, "desc" as const),
      window: fc.constantFrom("1m" as const, "5m" as const, "1h" as const),
      ja4: fc.constantFrom(undefined, "*", "*_8daaf6152771_*", "none*"),
      limit: fc.integer({ min: 1, max: 12 }),
    });
    const clients = fc.uniqueArray(client, { selector: ({ ja4 }) => ja4, minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(clients, query, (all, asked) => {
        const window = windowOf(all);
        const scores = new Map(all.map(({ ja4, score }) => [ja4, score]));
        const spanMs = { "1m": 60_000, "5m": 300_000, "1h": 3_600_000 }[asked.window];
        const sortBy = SORT_VALUES[asked.sort];
        const sign = asked.order === "desc" ? -1 : 1;
        const expected = all
          .filter(({ agoMs }) => agoMs <= spanMs)
          .filter(
            ({ ja4 }) =>
              asked.ja4 === undefined || asked.ja4 === "*" || ja4.includes(asked.ja4.replaceAll("*", "")),
          )
          .map((one) => ({ value: sortBy(one), ja4: one.ja4 }))
          .sort((a, b) => sign * (a.value - b.value) || (a.ja4 < b.ja4 ? -1 : 1));
        const found: { value: number; ja4: string }[] = [];
        for (;;) {
          const after = found[found.length - 1];
          const rows = listFingerprints(window, { ...asked, after }, (ja4) => scores.get(ja4));
          // One row more says that another page follows.
          expect(rows.length).toBe(Math.min(expected.length - found.length, asked.limit + 1));
          found.push(...rows.slice(0, asked.limit).map(({ value, row }) => ({ value, ja4: row.ja4 })));
          if (rows.length <= asked.limit) break;
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("PAGE-4: the first few of many are those of a sorted list, whatever comes first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 })),
        fc.integer({ min: 1, max: 20 }),
        (values, room) => {
          const top = new Top(
            room,
            (aValue, aId, bValue, bId) => aValue > bValue || (aValue === bValue && aId < bId),
          );
          values.forEach((value, id) => {
            top.offer(value, id);
          });
          const sorted = values
            .map((value, id) => ({ value, id }))
            .sort((a, b) => b.value - a.value || a.id - b.id);
          expect(top.sorted()).toEqual(sorted.slice(0, room));
        },
      ),
    );
  });
});
