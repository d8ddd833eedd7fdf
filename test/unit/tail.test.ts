/** The parts of `tail` that know no server: its flags, and what it prints. */
import { describe, expect, it } from "vitest";
import type { FeedEvent } from "../../client/index.ts";
import { Failure } from "../../scripts/lib/failure.ts";
import { readTailArgs } from "../../scripts/lib/tail/args.ts";
import { eventLine, jsonLine } from "../../scripts/lib/tail/format.ts";

const CURSOR = (n: number) => String(n).padStart(16, "0");

const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const EVENT = {
  type: "hellotide.anomaly.raised",
  time: "2026-11-23T13:05:07.123Z",
  subject: JA4,
  sequence: CURSOR(1),
  data: { kind: "surge", severity: "warning", summary: "340 requests in a minute where 12 are usual" },
} as unknown as FeedEvent;
const changed = (type: string, subject: string, data: object): FeedEvent =>
  ({ ...EVENT, type, subject, data: { ...EVENT.data, ...data } }) as FeedEvent;

describe("what it prints", () => {
  it("TAIL-6: time, severity by shape, step, kind, fingerprint and sentence, in columns", () => {
    const events = [
      EVENT,
      changed("hellotide.anomaly.cleared", JA4, {
        severity: "critical",
        kind: "rare_here_hot",
        reason: "quiet",
      }),
      changed("hellotide.threshold.raised", JA4, {
        severity: "info",
        kind: "threshold",
        threshold: "login-flood",
      }),
      changed("hellotide.site.raised", "site", { kind: "storm" }),
    ];
    const lines = events.map((event) => eventLine(event, false));
    expect(lines[0]).toBe(
      `11-23 13:05:07Z  ▲ warning   raised   surge          ${JA4}  340 requests in a minute where 12 are usual`,
    );
    expect(lines[1]).toMatch(/■ critical {2}cleared {2}rare_here_hot {2}t13d\S+ {2}quiet: 340 requests/);
    expect(lines[2]).toMatch(/● info {6}raised {3}login-flood {4}t13d/);
    const sentenceAt = lines.map((line) => line.search(/quiet: |340 /));
    expect(new Set(sentenceAt).size).toBe(1);
  });

  it("TAIL-6: colour adds nothing but colour", () => {
    const colored = eventLine(EVENT, true);
    expect(colored).toContain("\x1b[33m▲ warning");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences themselves
    expect(colored.replace(/\x1b\[[\d;]*m/g, "")).toBe(eventLine(EVENT, false));
  });

  it("TAIL-7: what strangers sent (paths, agents) cannot steer the terminal, nor make a second line", () => {
    const evil = "mostly GET /\x1b[2J\n\x9b31m\u202e";
    const line = eventLine(changed(EVENT.type, "s\x1b", { summary: evil, kind: "k\r" }), false);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    const json = jsonLine({ data: { summary: evil } });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(json).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(json)).toEqual({ data: { summary: evil } });
  });

  it("TAIL-7: an event without the usual fields is still a line", () => {
    expect(eventLine({ ...EVENT, type: "x", time: "?", data: {} } as unknown as FeedEvent, true)).toContain(
      "?",
    );
  });
});

describe("tail: flags", () => {
  const ENV = { HELLOTIDE_TOKEN: "t" };

  it("TAIL-9: defaults and flags", () => {
    const args = readTailArgs([], ENV);
    if (args === "help") throw new Error("no help was asked for");
    expect(args.connection.url.href).toBe("http://127.0.0.1:8787/");
    expect([args.connection.site, args.since, args.json]).toEqual(["default", undefined, false]);
    const argv =
      "--url https://h/p --site shop --kind surge,path_scan --min-score 6.5 --since 12 --json".split(" ");
    const full = readTailArgs(argv, ENV);
    if (full === "help") throw new Error("no help was asked for");
    expect(full).toMatchObject({ json: true, kind: "surge,path_scan", minScore: 6.5, since: "12" });
    expect(full.connection.url.href).toBe("https://h/p/");
    expect(readTailArgs(["-h"], ENV)).toBe("help");
  });

  it("TAIL-9: wrong use ends with 2 and a line that names the flag", () => {
    const wrong = [
      "--kind A",
      "--kind a,",
      "--min-score high",
      "--min-score 31",
      "--since yesterday",
      "--what",
      "file",
    ];
    for (const flags of wrong) {
      let thrown: unknown;
      try {
        readTailArgs(flags.split(" "), ENV);
      } catch (error) {
        thrown = error;
      }
      expect(thrown, flags).toBeInstanceOf(Failure);
      expect((thrown as Failure).exitCode, flags).toBe(2);
    }
  });
});
