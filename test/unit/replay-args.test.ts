/** The command line of `replay`, and what a terminal may be sent. */
import { describe, expect, it } from "vitest";
import { Failure } from "../../scripts/lib/failure.ts";
import { readReplayArgs } from "../../scripts/lib/replay/args.ts";
import { lengthText, printable, wantsColor } from "../../scripts/lib/terminal.ts";

const ENV = { HELLOTIDE_TOKEN: "t" };
const read = (...argv: string[]) => readReplayArgs(argv, ENV);

describe("replay: flags", () => {
  it("REPLAY-15: defaults", () => {
    expect(read("a.log")).toEqual({
      files: ["a.log"],
      format: undefined,
      speed: Number.POSITIVE_INFINITY,
      now: false,
      compressMs: undefined,
      ja4By: undefined,
      repeat: 1,
      again: false,
      stateDir: ".hellotide/replay",
      connection: { url: new URL("http://127.0.0.1:8787/"), token: "t", site: "default" },
    });
  });

  it("REPLAY-15: every flag; a flag wins over its variable", () => {
    const flags =
      "--url https://h/p --token x --site shop --format common --speed 2.5 --now --compress 50m --ja4-by ip --repeat 3 --again --state d";
    const argv = ["a", "b", ...flags.split(" ")];
    expect(readReplayArgs(argv, { ...ENV, HELLOTIDE_URL: "http://other" })).toMatchObject({
      files: ["a", "b"],
      format: "common",
      speed: 2.5,
      now: true,
      compressMs: 3_000_000,
      ja4By: "ip",
      repeat: 3,
      again: true,
      stateDir: "d",
      connection: { url: new URL("https://h/p/"), token: "x", site: "shop" },
    });
    expect(read("a", "--ja4-by", "t13d1516h2_8daaf6152771_02713d6af862")).toMatchObject({
      ja4By: { value: "t13d1516h2_8daaf6152771_02713d6af862" },
    });
    expect(read("--help")).toBe("help");
  });

  it("REPLAY-15: wrong use ends with 2 and a line that names the flag", () => {
    const wrong: [string[], RegExp][] = [
      [[], /FILE/],
      [["a", "--format", "csv"], /--format/],
      [["a", "--speed", "0"], /--speed/],
      [["a", "--speed", "fast"], /--speed/],
      [["a", "--compress", "50"], /--compress/],
      [["a", "--compress", "0s"], /--compress/],
      [["a", "--ja4-by", "moon"], /--ja4-by/],
      [["a", "--repeat", "0"], /--repeat/],
      [["a", "--repeat", "1.5"], /--repeat/],
      [["a", "--url", "ftp://x"], /--url/],
      [["a", "--url", "nowhere"], /--url/],
      [["a", "--site", "Shop"], /--site/],
      [["a", "--token", "a\nb"], /--token/],
      [["a", "--what"], /--what/],
    ];
    for (const [argv, message] of wrong) {
      const thrown = failureOf(() => read(...argv));
      expect(thrown.exitCode, argv.join(" ")).toBe(2);
      expect(thrown.message).toMatch(message);
    }
    expect(failureOf(() => readReplayArgs(["a"], {})).message).toMatch(/HELLOTIDE_TOKEN/);
  });
});

function failureOf(call: () => unknown): Failure {
  try {
    call();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("terminal", () => {
  it("REPLAY-18: data cannot steer the terminal", () => {
    expect(printable("a\x1b[2Jb\r\n\x9b1m\u202ec\u2028")).toBe("a\\x1b[2Jb\\x0d\\x0a\\x9b1m\\u202ec\\u2028");
    expect(printable("plain ünïcode 🌊")).toBe("plain ünïcode 🌊");
  });

  it("REPLAY-18: colour on a terminal only, and not with NO_COLOR", () => {
    expect(wantsColor({ isTTY: true }, {})).toBe(true);
    expect(wantsColor({ isTTY: true }, { NO_COLOR: "" })).toBe(true);
    expect(wantsColor({ isTTY: true }, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColor({ isTTY: true }, { TERM: "dumb" })).toBe(false);
    expect(wantsColor({}, {})).toBe(false);
  });

  it("REPLAY-18: lengths in their two largest units", () => {
    const lengths = [0, 400, 1_000, 90_000, 3_000_000, 3_600_000, 299_400_000, 86_400_000];
    expect(lengths.map(lengthText)).toEqual(["0ms", "400ms", "1s", "1m 30s", "50m", "1h", "3d 11h", "1d"]);
  });
});
