import { describe, expect, it } from "vitest";
import { RECORD_MAX_BYTES } from "../../src/config.ts";
import { pack } from "../../src/wire/codec.ts";
import { BodyError, type BodyType, records } from "../../src/wire/records.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

function read(type: BodyType, body: Uint8Array, max = 100): unknown[] {
  return [...records(type, body, max)].map((record) =>
    "fault" in record ? `fault: ${record.fault}` : record.value,
  );
}

function reason(type: BodyType, body: Uint8Array, max = 100): string {
  try {
    read(type, body, max);
  } catch (error) {
    if (error instanceof BodyError) return error.reason;
    throw error;
  }
  return "none";
}

/** Whether JSON.parse makes an array of it. */
function isArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

describe("NDJSON", () => {
  const type = "application/x-ndjson";

  it("DEC-1: a line is a record; blank lines are none; the last newline may be missing; CRLF is fine", () => {
    expect(read(type, utf8('{"a":1}\r\n\n   \n{"b":2}'))).toEqual([{ a: 1 }, { b: 2 }]);
    expect(read(type, new Uint8Array())).toEqual([]);
  });

  it("DEC-2: a broken line costs only itself", () => {
    const body = new Uint8Array([...utf8('{"a":1}\n{"a":\n'), 0xff, 0x0a, ...utf8('{"b":2}\n')]);
    expect(read(type, body)).toEqual([
      { a: 1 },
      "fault: the line is not JSON",
      "fault: the line is not UTF-8",
      { b: 2 },
    ]);
  });

  it("DEC-3: so does one that is too long", () => {
    const long = `{"a":"${"x".repeat(RECORD_MAX_BYTES)}"}`;
    expect(read(type, utf8(`${long}\n1`))).toEqual([
      `fault: the record is longer than ${RECORD_MAX_BYTES} bytes`,
      1,
    ]);
  });

  it("DEC-4: the limit holds, one more does not", () => {
    expect(reason(type, utf8("1\n2\n3\n"), 3)).toBe("none");
    expect(reason(type, utf8("1\n2\n3\n4\n"), 3)).toBe("too_many");
  });
});

describe("JSON array", () => {
  const type = "application/json";

  it.each([
    "[]",
    " [ ] ",
    "[1]",
    '[{"a":[1,{"b":"],["}]},"\\"]",null,-1.5e3]\n',
    '["\\\\",{"x":"\\u005d"}]',
    "[[[]],{}]",
  ])("DEC-5: %s is read as JSON.parse reads it", (text) => {
    expect(read(type, utf8(text))).toEqual(JSON.parse(text));
  });

  it.each([
    "",
    "{}",
    "[",
    "]",
    "[1",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1]]",
    "[1],",
    '["a]',
    '[{"a":1]}',
    "[tru]",
    "null",
    '[{"a":1}',
  ])("DEC-6: %j is not one", (text) => {
    expect(isArray(text)).toBe(false);
    expect(reason(type, utf8(text))).toBe("undecodable");
  });

  it("DEC-6: invalid UTF-8 is not JSON", () => {
    expect(reason(type, new Uint8Array([...utf8('["'), 0xff, ...utf8('"]')]))).toBe("undecodable");
  });

  it("DEC-4: the limit holds, one more does not", () => {
    expect(reason(type, utf8("[1,2,3]"), 3)).toBe("none");
    expect(reason(type, utf8("[1,2,3,4]"), 3)).toBe("too_many");
  });

  it("DEC-7: a deep body is no stack overflow", () => {
    expect(read(type, utf8(`[${"[".repeat(200_000)}${"]".repeat(200_000)}]`))).toEqual([
      `fault: the record is longer than ${RECORD_MAX_BYTES} bytes`,
    ]);
    expect(reason(type, utf8("[".repeat(1_000_000)))).toBe("undecodable");
  });
});

describe("msgpack array", () => {
  const type = "application/msgpack";

  it("DEC-8: elements of an array; 64-bit times are numbers", () => {
    const body = [{ timestamp: 1_763_892_000_000, a: "ü" }, { b: [1, 2] }];
    expect(read(type, pack(body))).toEqual(body);
    const u64 = new Uint8Array([0x91, 0xcf, 0, 0, 1, 0x9a, 0xb1, 0x77, 0x51, 0]);
    expect(read(type, u64)).toEqual([Number(0x019ab1775100n)]);
  });

  it.each([
    ["no array", pack({ a: 1 })],
    ["nothing", new Uint8Array()],
    ["bytes after the end", new Uint8Array([...pack([1]), 0])],
    ["cut off", pack([{ a: "long enough" }]).subarray(0, 8)],
    ["an extension", new Uint8Array([0x91, 0xd4, 0x01, 0x00])],
    ["a reserved byte", new Uint8Array([0x91, 0xc1])],
    ["text that is not UTF-8", new Uint8Array([0x91, 0xa1, 0xff])],
    ["depth 10,000", new Uint8Array([...new Array(10_000).fill(0x91), 0xc0])],
    ["a length past the end", new Uint8Array([0x91, 0xdd, 0xff, 0xff, 0xff, 0xff])],
  ])("DEC-9: %s is refused whole", (_, body) => {
    expect(reason(type, body)).toBe("undecodable");
  });

  it("DEC-4: the limit holds, one more does not, also when the header only claims it", () => {
    expect(reason(type, pack([1, 2, 3]), 3)).toBe("none");
    expect(reason(type, pack([1, 2, 3, 4]), 3)).toBe("too_many");
  });

  it("DEC-10: a key named __proto__ changes no object", () => {
    const body = new Uint8Array([0x91, 0x81, 0xa9, ...utf8("__proto__"), 0x81, 0xa1, 0x78, 0x01]);
    read(type, body);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
