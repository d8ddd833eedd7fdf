/** Reading files, sending pieces, and the sums at the end. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { Account } from "../../scripts/lib/replay/account.ts";
import { LINE_MAX_BYTES, LineSplitter, openLog, readLines } from "../../scripts/lib/replay/lines.ts";
import { Progress, progressText } from "../../scripts/lib/replay/progress.ts";
import { decide, type Reply } from "../../scripts/lib/replay/retry.ts";
import type { Scan } from "../../scripts/lib/replay/scan.ts";
import { Sender } from "../../scripts/lib/replay/send.ts";
import { chunkKey, judge } from "../../scripts/lib/replay/state.ts";

const folder = mkdtempSync(join(tmpdir(), "hellotide-replay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function linesIn(bytes: Uint8Array): Promise<(string | undefined)[]> {
  const path = join(folder, "log");
  writeFileSync(path, bytes);
  const found: (string | undefined)[] = [];
  for await (const lines of readLines(await openLog(path))) found.push(...lines.map(({ text }) => text));
  return found;
}

describe("lines", () => {
  it("REPLAY-10: newlines, CRLF, blank lines, a last line without newline, odd bytes", async () => {
    const text = Buffer.concat([
      Buffer.from("a\r\n\nb\u00e4\n"),
      Buffer.from([0xff, 0x0a]),
      Buffer.from("last"),
    ]);
    expect(await linesIn(text)).toEqual(["a", "", "bä", "\ufffd", "last"]);
    expect(await linesIn(Buffer.alloc(0))).toEqual([]);
  });

  it("REPLAY-10: gzip is known by its bytes, several members are one log, and a damaged one is an error", async () => {
    const two = Buffer.concat([gzipSync("a\nb"), gzipSync("c\nd\n")]);
    expect(await linesIn(two)).toEqual(["a", "bc", "d"]);
    await expect(linesIn(gzipSync("a\n".repeat(1_000)).subarray(0, 20))).rejects.toThrow(
      /log: cannot be read/,
    );
  });

  it("REPLAY-10: cut anywhere, the lines are the same, and their numbers too", () => {
    const bytes = Buffer.from("erste\nzweite \u{1f30a}\n\ndritte");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const splitter = new LineSplitter();
      const lines = [
        ...splitter.push(bytes.subarray(0, cut)),
        ...splitter.push(bytes.subarray(cut)),
        ...splitter.end(),
      ];
      expect(lines.map(({ text }) => text)).toEqual(["erste", "zweite \u{1f30a}", "", "dritte"]);
      expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    }
  });

  it("REPLAY-10: a line that never ends is not kept", () => {
    const splitter = new LineSplitter();
    const piece = Buffer.alloc(64 * 1024, 0x61);
    for (let i = 0; i <= LINE_MAX_BYTES / piece.length; i++) expect(splitter.push(piece)).toEqual([]);
    expect(splitter.push(Buffer.from("\nb\n"))).toEqual([
      { number: 1, text: undefined },
      { number: 2, text: "b" },
    ]);
  });
});

const answer = (status: number, body: unknown = {}, retryAfter?: string): Reply => ({
  status,
  body,
  retryAfter,
});
const TAKEN = { accepted: 1, rejected: 0, expired: 0, without_ja4: 0, errors: [] };

describe("sending", () => {
  it("REPLAY-12: what is tried again, and after how long", () => {
    const waits = (reply: Reply, tries = 1) => {
      const decision = decide(reply, tries, 0.5, 0);
      return decision.next === "wait" ? decision.ms : decision.next;
    };
    expect(waits(answer(202))).toBe("done");
    expect([1, 2, 3, 9].map((tries) => waits({ error: "refused" }, tries))).toEqual([
      375, 750, 1_500, 11_250,
    ]);
    expect(waits(answer(503, {}, "5"))).toBe(5_000);
    expect(waits(answer(503, {}, new Date(7_000).toUTCString()))).toBe(7_000);
    expect(waits(answer(503, {}, "86400"))).toBe(60_000);
    expect(waits(answer(500))).toBe(375);
    expect(waits(answer(429, {}, "2"))).toBe(2_000);
    expect(waits(answer(409))).toBe(1_000);
    for (const status of [200, 302, 400, 401, 403, 404, 413, 415, 422])
      expect(waits(answer(status)), `${status}`).toBe("fail");
    expect(decide(answer(403, { detail: "no scope" }), 1, 0, 0)).toEqual({
      next: "fail",
      why: "the server answers 403: no scope",
    });
  });

  /** A sender whose server gives these answers in turn, and then the last one for ever; waiting takes no time. */
  function scripted(replies: readonly Reply[]) {
    const keys: string[] = [];
    let now = 0;
    const sender = new Sender({
      post: async (_, key) => {
        keys.push(key);
        return replies[Math.min(keys.length, replies.length) - 1] ?? answer(202, TAKEN);
      },
      wait: async (ms) => {
        now += ms;
      },
      nowMs: () => now,
      random: () => 0.5,
      onWait: () => {},
    });
    return { sender, keys, now: () => now };
  }

  it("REPLAY-13: a piece is sent again under the same key until it is taken", async () => {
    const { sender, keys } = scripted([
      { error: "reset" },
      answer(503, {}, "5"),
      answer(409),
      answer(202, TAKEN),
    ]);
    expect((await sender.send("{}\n", "k", 1)).accepted).toBe(1);
    expect(keys).toEqual(["k", "k", "k", "k"]);
  });

  it("REPLAY-13: a server that never answered is given up after 10 s, one that was there after 2 min", async () => {
    const absent = scripted([{ error: "refused" }]);
    await expect(absent.sender.send("{}\n", "k", 1)).rejects.toThrow(/gave up after \d+ tries/);
    expect(absent.now()).toBeLessThanOrEqual(10_000);
    const away = scripted([answer(202, TAKEN), { error: "refused" }]);
    await away.sender.send("{}\n", "k", 1);
    await expect(away.sender.send("{}\n", "k", 1)).rejects.toThrow(/gave up/);
    expect(away.now()).toBeGreaterThan(90_000);
  });

  it("REPLAY-13: an answer that does not account for every record is refused", async () => {
    for (const body of [{ ...TAKEN, accepted: 2 }, {}, null, "ok", { ...TAKEN, accepted: -1, rejected: 2 }]) {
      await expect(scripted([answer(202, body)]).sender.send("{}\n", "k", 1)).rejects.toThrow(
        /is it HelloTide/,
      );
    }
  });
});

describe("sums", () => {
  const scan = { lines: 12, blank: 1, skipped: 2, unreadable: 3, records: 6 } as Scan;
  const place = (line: number) => ({ file: "a.log", line });

  it("REPLAY-14: lines and records add up, and reasons carry the place of the first", () => {
    const account = new Account();
    const errors = [
      { index: 0, detail: "status is not an integer from 100 to 599" },
      { index: 2, detail: "status is not an integer from 100 to 599" },
    ];
    account.add({ accepted: 1, rejected: 3, expired: 1, withoutJa4: 1, errors }, [
      place(7),
      place(8),
      place(9),
      place(10),
      place(11),
    ]);
    expect(account.totals(scan, 1)).toEqual([
      "12 lines = 6 records + 3 unreadable + 1 blank + 2 skipped (Worker subrequests, validation uploads)",
      "6 records = 1 accepted + 1 expired + 3 rejected + 1 not sent",
      "1 of the accepted are without a JA4",
    ]);
    expect(account.reasons()).toEqual([
      "2 rejected: status is not an integer from 100 to 599 (first: a.log:7)",
      "1 rejected without a reason of their own",
    ]);
    expect(account.isComplete(6)).toBe(false);
  });

  it("REPLAY-14: with --repeat every record counts that often", () => {
    const account = new Account();
    account.add({ accepted: 18, rejected: 0, expired: 0, withoutJa4: 0, errors: [] }, []);
    expect(account.totals(scan, 3)[0]).toMatch(/^12 lines = 6 records, each 3 times \+ 3 unreadable/);
    expect(account.totals(scan, 3)[1]).toBe("18 records = 18 accepted + 0 expired + 0 rejected + 0 not sent");
    expect(account.isComplete(18)).toBe(true);
  });
});

describe("continuing", () => {
  it("REPLAY-16: a start is kept until nothing of it could count twice, or its server has lost it", () => {
    const state = { startedMs: 1_000_000, accepted: 500 };
    const facts = { nowMs: 2_000_000, durationMs: 0, acceptedEver: 500 };
    expect(judge(undefined, facts)).toBe("none");
    expect(judge(state, facts)).toBe("continue");
    expect(judge(state, { ...facts, acceptedEver: undefined })).toBe("continue");
    expect(judge(state, { ...facts, acceptedEver: 499 })).toBe("gone");
    expect(judge(state, { ...facts, nowMs: 1_000_000 + 3_600_000 })).toBe("continue");
    expect(judge(state, { ...facts, nowMs: 1_000_000 + 3_600_001 })).toBe("over");
    expect(judge(state, { ...facts, nowMs: 1_000_000 + 3_600_001, durationMs: 1 })).toBe("continue");
  });

  it("REPLAY-16: a key is of the replay, its start and the piece, and short enough", () => {
    const id = "f".repeat(32);
    const keys = [chunkKey(id, undefined, 0), chunkKey(id, 1, 0), chunkKey(id, 2, 0), chunkKey(id, 2, 1)];
    expect(new Set(keys).size).toBe(4);
    expect(chunkKey(id, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(128);
  });
});

describe("progress", () => {
  const stream = (isTTY: boolean) => {
    const written: string[] = [];
    return { isTTY, columns: 100, written, write: (text: string) => written.push(text) };
  };

  it("REPLAY-17: a bar with share, counts, rate and time left", () => {
    expect(progressText(5_000, 10_000, 2_000, true)).toBe(
      "[████████████░░░░░░░░░░░░]  50%  5000 of 10000 records  2500/s  2s left",
    );
    expect(progressText(0, 0, 0, false)).toBe("100%  0 of 0 records  0/s");
  });

  it("REPLAY-17: on a terminal it is drawn over; elsewhere there are plain lines, every 5 s", () => {
    let now = 0;
    const terminal = stream(true);
    const bar = new Progress(terminal, 100, () => now);
    const plain = stream(false);
    const lines = new Progress(plain, 100, () => now);
    for (now = 1_000; now <= 10_000; now += 1_000) {
      bar.update(now / 100);
      lines.update(now / 100);
    }
    bar.waiting("the server answers 503", 5_000);
    lines.waiting("the server answers 503", 5_000);
    bar.end();
    expect(terminal.written).toHaveLength(12);
    for (const text of terminal.written) expect(text.startsWith("\r\x1b[2K")).toBe(true);
    expect(plain.written).toEqual([
      "50%  50 of 100 records  10/s  5s left\n",
      "100%  100 of 100 records  10/s\n",
      "the server answers 503; next try in 5s\n",
    ]);
  });
});
