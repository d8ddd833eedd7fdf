/** Feature rows: columns and their dictionary, the two formats, the merge of the shards' pages. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { Call } from "../../src/api/call.ts";
import { featureRoutes } from "../../src/api/features.ts";
import type { FeaturePage, FeatureQuery } from "../../src/reading/features.ts";
import { featureHead, featureText, fingerprintsAfter } from "../../src/reading/features.ts";
import { columnsOf, FEATURE_ORDER, featureColumns } from "../../src/schemas/features.ts";
import { Window } from "../../src/window/window.ts";
import { ja4Of } from "../support/client.ts";
import { frameOf } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:02Z");
const names = featureColumns().map(({ name }) => name);

/** Shards that hold `rows` rows each; `fails(shard, page)` = that page does not come. */
function callOf(shards: number, rows: number, fails: (shard: number, page: number) => boolean) {
  const asked: number[] = [];
  const shard = (_: unknown, index: number) => ({
    features: async ({ after, limit }: FeatureQuery): Promise<FeaturePage> => {
      const mine = Array.from({ length: rows }, (_, i) => String(i * shards + index).padStart(6, "0"));
      const rest = mine.filter((ja4) => after === undefined || ja4 > after);
      if (fails(index, (rows - rest.length) / limit)) throw new Error("gone");
      asked.push(index);
      const ja4s = rest.slice(0, limit);
      const lines = ja4s.map((ja4) => `${ja4}${"x".repeat(1_000)}\n`);
      return { ja4s, lines, isLast: rest.length <= limit, missing: [] };
    },
  });
  const call = {
    at: { map: async () => ({ epoch: 1, shards }), shard },
    url: new URL("http://host/v1/sites/shop/features"),
    request: new Request("http://host/"),
    wait: async () => undefined,
    random: () => 0,
  } as unknown as Call;
  return { call, asked };
}

const handle = featureRoutes[0]!.handle;

describe("columns", () => {
  it("FEAT-1: are the full form's, each with its place, in the dictionary's order", () => {
    const dictionary = readFileSync(new URL("../../docs/features.md", import.meta.url), "utf8");
    const described = [...dictionary.matchAll(/^\| `(\w+)` \| (\w+) /gm)];
    const types = { integer: "integer", number: "number", string: "text" };
    expect(names).toEqual([...FEATURE_ORDER]);
    expect(described.map(([, name, type]) => [name, type])).toEqual(
      featureColumns().map(({ name, type }) => [name, types[type]]),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names.slice(0, 4)).toEqual(["feature_version", "site", "ja4", "as_of"]);
  });

  it("FEAT-1: what is new in the middle of the form goes to the end; records count by their known keys", () => {
    const form = z.object({
      a: z.object({ fresh: z.optional(z.int()), old: z.number() }),
      list: z.array(z.number()),
      by: z.partialRecord(z.enum(["x", "y"]), z.object({ low: z.number() })),
    });
    expect(columnsOf(form, ["feature_version", "a_old"]).map(({ name }) => name)).toEqual([
      ...["feature_version", "a_old", "a_fresh", "by_x_low", "by_y_low"],
    ]);
  });

  it("FEAT-2: NDJSON leaves out what is absent, CSV has an empty field for it and quotes where it must", () => {
    const form = { site: 'a",b', ja4: "t", as_of: "now", score: 0, windows: { "1m": { reqs: 3 } } };
    expect(JSON.parse(featureText(form, "ndjson"))).toEqual({
      ...{ feature_version: 1, site: 'a",b', ja4: "t", as_of: "now", windows_1m_reqs: 3, score: 0 },
    });
    const line = featureText(form, "csv");
    expect(line.startsWith('1,"a"",b",t,now,,')).toBe(true);
    expect(line.endsWith(`,0${",".repeat(14)}\r\n`)).toBe(true);
    expect(featureHead("csv")).toBe(`${names.join(",")}\r\n`);
    expect(featureHead("ndjson")).toBe("");
  });
});

describe("the stream", () => {
  it("FEAT-3: holds every shard's rows in one order", async () => {
    const { call } = callOf(3, 1_500, () => false);
    const lines = (await (await handle(call)).text()).split("\n").slice(0, -1);
    expect(lines.length).toBe(4_500);
    expect(lines.map((line) => Number.parseInt(line, 10))).toEqual(lines.map((_, i) => i));
  });

  it("FEAT-3: asks for pages only as they are read", async () => {
    const { call, asked } = callOf(2, 5_000, () => false);
    const reader = (await handle(call)).body!.getReader();
    await reader.read();
    expect(asked.length).toBe(2);
    await reader.cancel();
    expect(asked.length).toBe(2);
  });

  it("FEAT-4: a shard gone at the start is named; one gone later breaks the stream off", async () => {
    const absent = await handle(callOf(3, 10, (shard) => shard === 1).call);
    expect(absent.headers.get("x-hellotide-partial")).toBe("missing_shards=(1)");
    expect((await absent.text()).split("\n").length).toBe(21);
    const broken = await handle(callOf(2, 3_000, (shard, page) => shard === 1 && page >= 2).call);
    expect(broken.headers.has("x-hellotide-partial")).toBe(false);
    await expect(broken.text()).rejects.toThrow("gone");
  });

  it("FEAT-5: a shard's pages are its fingerprints in order, those of the glob only", () => {
    const window = new Window(0);
    const all = Array.from({ length: 50 }, (_, i) => ja4Of((i * 37) % 50));
    window.apply(frameOf(all.map((ja4) => ({ at: NOW - 1_000, ja4 }))), NOW);
    const pages = (ja4?: string) => {
      const found: string[] = [];
      for (;;) {
        const after = found[found.length - 1];
        const page = fingerprintsAfter(window, {
          limit: 7,
          ...(ja4 === undefined ? {} : { ja4 }),
          ...(after === undefined ? {} : { after }),
        });
        found.push(...page.slice(0, 7));
        if (page.length <= 7) return found;
      }
    };
    expect(pages()).toEqual([...all].sort());
    const some = all.filter((ja4) => ja4.includes("1_"));
    expect(pages("*1_*")).toEqual([...some].sort());
  });
});
