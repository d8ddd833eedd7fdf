/** The parts of `tail` that know no socket: when to connect again, where it is, what it prints. */
import { describe, expect, it } from "vitest";
import { Failure } from "../../scripts/lib/failure.ts";
import { readTailArgs } from "../../scripts/lib/tail/args.ts";
import { eventLine, jsonLine } from "../../scripts/lib/tail/format.ts";
import { afterEnd, isDead, judgeStatus, pauseMs } from "../../scripts/lib/tail/policy.ts";
import { feedUrl } from "../../scripts/lib/tail/run.ts";
import { type FeedEvent, Session } from "../../scripts/lib/tail/session.ts";

const CURSOR = (n: number) => String(n).padStart(16, "0");

describe("connecting again", () => {
  it("TAIL-1: the pause doubles up to 30 s, and half of it is chance", () => {
    expect([1, 2, 3, 7, 50].map((attempt) => pauseMs(attempt, 0))).toEqual([250, 500, 1_000, 15_000, 15_000]);
    expect([1, 2, 3, 7, 50].map((attempt) => pauseMs(attempt, 0.999_999))).toEqual([
      500, 1_000, 2_000, 30_000, 30_000,
    ]);
  });

  it("TAIL-1: a good connection begins the count anew, a server that takes and drops it does not", () => {
    expect(afterEnd({ code: 1006, livedMs: 60_000, events: 0 }, 6, 0).attempt).toBe(1);
    expect(afterEnd({ code: 1006, livedMs: 100, events: 9 }, 6, 0).attempt).toBe(7);
    expect(afterEnd({ code: 1006, livedMs: 0, events: 0 }, 0, 0)).toEqual({ attempt: 1, ms: 250 });
  });

  it("TAIL-1: 1013 is followed at once where it brought something, and not in a circle where it did not", () => {
    expect(afterEnd({ code: 1013, livedMs: 50, events: 700 }, 3, 0)).toEqual({ attempt: 0, ms: 50 });
    expect(afterEnd({ code: 1013, livedMs: 50, events: 0 }, 3, 0).attempt).toBe(4);
  });

  it("TAIL-2: what an HTTP status instead of the feed means", () => {
    for (const status of [401, 403, 404, 302, 426])
      expect(judgeStatus(status, true), `${status}`).toBe("final");
    for (const status of [429, 500, 503, 101])
      expect(judgeStatus(status, false), `${status}`).toBe("try again");
    expect(judgeStatus(400, false)).toBe("wrong use");
    expect(judgeStatus(400, true)).toBe("reset");
  });

  it("TAIL-2: silence for longer than one and a half heartbeats is death", () => {
    expect(isDead(45_000, 30_000)).toBe(false);
    expect(isDead(45_001, 30_000)).toBe(true);
  });
});

const control = (name: string, data: object) => JSON.stringify({ type: `hellotide.feed.${name}`, data });
const stored = (n: number, data: object = {}) =>
  JSON.stringify({ type: "hellotide.anomaly.raised", sequence: CURSOR(n), time: "t", subject: "s", data });

describe("where it is", () => {
  it("TAIL-3: an event comes once, whatever is sent again, and the cursor follows", () => {
    const session = new Session("0");
    const seen = [1, 2, 2, 1, 3].map((n) => session.receive(stored(n)).event?.event.sequence);
    expect(seen).toEqual([CURSOR(1), CURSOR(2), undefined, undefined, CURSOR(3)]);
    expect(session.cursor).toBe(CURSOR(3));
    session.reset();
    expect(session.receive(stored(1)).event).toBeDefined();
  });

  it("TAIL-4: live begins where the first hello says, and goes on from there after a loss", () => {
    const session = new Session(undefined);
    const hello = control("hello", { cursor: CURSOR(7), oldest: CURSOR(1), heartbeat_s: 20 });
    expect(session.receive(hello).notice).toBe(`connected at cursor ${CURSOR(7)}`);
    expect([session.cursor, session.heartbeatMs]).toEqual([CURSOR(7), 20_000]);
    session.receive(stored(9));
    expect(session.receive(hello).notice).toBe(`resumed at cursor ${CURSOR(9)}`);
    expect(session.receive(stored(8)).event).toBeUndefined();
  });

  it("TAIL-5: checkpoints move the cursor, gaps as well and are told, pongs and noise do nothing", () => {
    const session = new Session(CURSOR(1));
    expect(session.receive(control("checkpoint", { cursor: CURSOR(5) }))).toEqual({});
    expect(session.cursor).toBe(CURSOR(5));
    const gap = session.receive(control("gap", { from: CURSOR(5), to: CURSOR(90) }));
    expect(gap.notice).toMatch(/gap: events after 0+5 up to 0+90 are no longer kept/);
    expect(session.cursor).toBe(CURSOR(90));
    expect(session.receive(control("error", { detail: "what?" })).notice).toMatch(/what\?/);
    for (const noise of [
      "pong",
      '{"type":"pong"}',
      "{",
      "null",
      "[1]",
      '{"type":"x","sequence":7}',
      '{"sequence":"-1"}',
    ]) {
      expect(session.receive(noise), noise).toEqual({});
    }
    expect(session.cursor).toBe(CURSOR(90));
  });
});

const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const EVENT: FeedEvent = {
  type: "hellotide.anomaly.raised",
  time: "2026-11-23T13:05:07.123Z",
  subject: JA4,
  sequence: CURSOR(1),
  data: { kind: "surge", severity: "warning", summary: "340 requests in a minute where 12 are usual" },
};
const changed = (type: string, subject: string, data: object): FeedEvent => ({
  ...EVENT,
  type,
  subject,
  data: { ...EVENT.data, ...data },
});

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
    expect(eventLine({ ...EVENT, type: "x", time: "?", data: {} }, true)).toContain("?");
  });
});

describe("tail: flags", () => {
  const ENV = { HELLOTIDE_TOKEN: "t" };

  it("TAIL-9: defaults and flags, and the address that they make", () => {
    const args = readTailArgs([], ENV);
    if (args === "help") throw new Error("no help was asked for");
    expect(feedUrl(args, args.since).href).toBe("ws://127.0.0.1:8787/v1/sites/default/feed");
    const argv =
      "--url https://h/p --site shop --kind surge,path_scan --min-score 6.5 --since 12 --json".split(" ");
    const full = readTailArgs(argv, ENV);
    if (full === "help") throw new Error("no help was asked for");
    expect(full.json).toBe(true);
    expect(feedUrl(full, full.since).href).toBe(
      "wss://h/p/v1/sites/shop/feed?since=12&kind=surge%2Cpath_scan&min_score=6.5",
    );
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
