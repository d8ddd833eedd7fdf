/** Names that are there twice, found in the text of JSON. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { repeatedName } from "../../src/base/json-names.ts";

const DEPTH = 64;
const SEED = 20_261_124;
const RUNS = 2_000;

/** JSON with its members in pairs, so that a name can be there twice; an array of pairs = an object. */
type Made = { items: Made[] } | { members: [string, Made][] } | { text: string };

const { made } = fc.letrec<{ made: Made }>((tie) => ({
  made: fc.oneof(
    { maxDepth: 4 },
    fc.jsonValue({ maxDepth: 0 }).map((value): Made => ({ text: JSON.stringify(value) })),
    fc
      .string({ unit: fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "\\", "a") })
      .map((text): Made => ({ text: JSON.stringify(text) })),
    fc.array(tie("made"), { maxLength: 4 }).map((items): Made => ({ items })),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "c", '"', "\\", "{,", "__proto__", "é"), tie("made")), {
        maxLength: 4,
      })
      .map((members): Made => ({ members })),
  ),
}));

function write(value: Made, space: string): string {
  if ("text" in value) return value.text;
  if ("items" in value) return `[${value.items.map((item) => write(item, space)).join(`,${space}`)}]`;
  const members = value.members.map(
    ([name, member], i) => `${i % 2 ? escaped(name) : JSON.stringify(name)}${space}:${write(member, space)}`,
  );
  return `{${space}${members.join(",")}${space}}`;
}

const escaped = (name: string) =>
  `"${[...name].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`;

/** The same question asked of what was made, in the order of the text. */
function expected(value: Made): (string | number)[] | undefined {
  if ("text" in value) return undefined;
  const steps: [string | number, Made][] =
    "items" in value ? value.items.map((item, i) => [i, item]) : value.members;
  const seen = new Set<string | number>();
  for (const [step, inner] of steps) {
    if (seen.has(step)) return [step];
    seen.add(step);
    const below = expected(inner);
    if (below !== undefined) return [step, ...below];
  }
  return undefined;
}

describe("names that are there twice", () => {
  it.each([
    ['{"op":">","op":"<"}', ["op"]],
    ['{"a":{"a":1,"b":{"a":2}},"b":1}', undefined],
    ['{"when":{"all":[{"op":">"},{"op":">","\\u006fp":"<"}]}}', ["when", "all", 1, "op"]],
    ['{"a":"{\\"b\\":1,\\"b\\":2}","b":["a","a"]}', undefined],
    ['[{"a":1},{"a":1}]', undefined],
    ['{"__proto__":1,"__proto__":1}', ["__proto__"]],
    ['{"":1,"":1}', [""]],
    ['"a"', undefined],
  ])("PRF-1: %s", (text, path) => {
    expect(repeatedName(text, DEPTH)).toEqual(path);
  });

  it(`PRF-1: are found in any JSON, as in what it was made from (seed ${SEED})`, () => {
    let found = 0;
    fc.assert(
      fc.property(made, fc.constantFrom("", " ", "\n\t"), (value, space) => {
        const path = expected(value);
        if (path !== undefined) found++;
        expect(repeatedName(write(value, space), DEPTH)).toEqual(path);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    expect(found).toBeGreaterThan(RUNS / 20);
    expect(found).toBeLessThan(RUNS);
  });

  it("PRF-1: are not looked for below the depth, which ends no search above it", () => {
    const deep = (inside: string) => `${'{"a":['.repeat(3)}${inside}${"]}".repeat(3)}`;
    expect(repeatedName(deep('{"b":1,"b":2}'), 7)).toEqual(["a", 0, "a", 0, "a", 0, "b"]);
    expect(repeatedName(deep('{"b":1,"b":2}'), 6)).toBeUndefined();
    expect(repeatedName(`[${deep('{"b":1}')},{"c":1,"c":2}]`, 4)).toEqual([1, "c"]);
    expect(repeatedName(`${"[".repeat(200_000)}${"]".repeat(200_000)}`, DEPTH)).toBeUndefined();
  });
});
