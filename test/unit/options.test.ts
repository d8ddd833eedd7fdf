import { describe, expect, it } from "vitest";
import { hostMatches, parseOptions } from "../../src/options.ts";

const digest = "a".repeat(64);

describe("settings of the environment", () => {
  it("OPT-1: nothing set gives the documented defaults, and null is unset", () => {
    const options = parseOptions({ SITES: null, SHARDS: null, API_TOKENS: null });
    expect([...options.sites.keys()]).toEqual(["default"]);
    expect(options).toMatchObject({
      shards: 4,
      tickMs: 5_000,
      tokens: [],
      hashKey: undefined,
      publicUrl: undefined,
    });
    expect(options.apiHosts).toContain("*.workers.dev");
  });

  it("OPT-1: text of JSON and a table of wrangler.toml mean the same", () => {
    const table = { shop: ["WWW.example.com", "*.shop.example"] };
    const fromText = parseOptions({ SITES: JSON.stringify(table) }).sites;
    expect(fromText).toEqual(parseOptions({ SITES: table }).sites);
    expect(fromText.get("shop")).toEqual(["www.example.com", "*.shop.example"]);
  });

  it.each([
    ["SITES", "{"],
    ["SITES", '{"Shop":[]}'],
    ["SITES", '{"shop":"www"}'],
    ["SHARDS", "0"],
    ["SHARDS", "65"],
    ["SHARDS", "four"],
    ["TICK", "5"],
    ["TICK", "2h"],
    ["API_TOKENS", "{}"],
    ["API_TOKENS", `[{"name":"a","sha256":"short","scopes":[],"sites":[]}]`],
    ["API_TOKENS", `[{"name":"a","sha256":"${digest}","scopes":["root"],"sites":["*"]}]`],
    ["API_TOKENS", `[{"name":"a","sha256":"${digest}","scopes":["read"],"sites":["*"],"expires_at":"soon"}]`],
    ["HASH_KEY", "short"],
    ["PUBLIC_URL", "hellotide.example.com"],
    ["JURISDICTION", "mars"],
    ["REGION", "moon"],
  ])("OPT-2: a wrong %s (%s) is one line that names it", (name, value) => {
    expect(() => parseOptions({ [name]: value })).toThrow(new RegExp(`^${name} is wrong: [^\n]+$`));
  });

  it("OPT-3: `*.` in a host pattern stands for names below it only", () => {
    const patterns = ["*.example.com", "localhost"];
    expect(
      ["a.example.com", "a.b.EXAMPLE.com", "localhost"].every((host) => hostMatches(host, patterns)),
    ).toBe(true);
    expect(
      ["example.com", "badexample.com", ".example.com", "x.localhost"].some((h) => hostMatches(h, patterns)),
    ).toBe(false);
  });
});
