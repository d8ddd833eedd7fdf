/** What the Census makes of reports, and a shard's side of it. */

import { describe, expect, it } from "vitest";
import { type RankedWindow, RanksLink, type Reporter } from "../../durable-objects/ranks-link.ts";
import { HOUR_MS } from "../../src/config.ts";
import { CensusBook } from "../../src/signals/census.ts";
import {
  type CensusAnswer,
  encodeRankCounts,
  type ReadReport,
  readCensusAnswer,
  readShardReport,
  type ShardReport,
} from "../../src/signals/census-wire.ts";
import type { Pulse } from "../../src/signals/pulse.ts";
import { ofRanked, type RankCounts } from "../../src/signals/ranks.ts";
import { countOfCounts, EMPTY_COUNTS } from "../../src/sketch/count-of-counts.ts";
import { TALLY_WIDTH } from "../../src/window/tally.ts";
import { Window } from "../../src/window/window.ts";
import { frameOf } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:02Z");
const TICK_MS = 5_000;
const NO_COUNTS: RankCounts = ofRanked(() => EMPTY_COUNTS);

const report = (over: Partial<ReadReport> = {}): ReadReport => ({
  asOfMs: NOW,
  nextMs: NOW + TICK_MS,
  revision: NOW,
  counts: NO_COUNTS,
  ...over,
});
/** Tables of fingerprints with so many requests each. */
const countsOf = (...reqs: number[]): RankCounts => ({
  ...NO_COUNTS,
  reqs: countOfCounts(Uint32Array.from(reqs)),
});

function bookOf(reports: Iterable<[number, ReadReport]>, startedMs = NOW): CensusBook {
  const book = new CensusBook(startedMs, TICK_MS);
  for (const [shard, one] of reports) book.take(shard, one);
  return book;
}

/** An answer as a shard reads it; what is no answer fails the test. */
function read(answer: CensusAnswer) {
  const known = readCensusAnswer(answer);
  if (typeof known === "string") throw new Error(known);
  return known;
}
const populationOf = (answer: CensusAnswer) =>
  read(answer).counts?.reqs.counts.reduce((sum, count) => sum + count, 0);

const PULSE: Pulse = {
  ...{ asOfMs: 1, reqs: 0, usual: 0, all: 0, hourReqs: 0, hourAll: 0, tellers: 0, failing: 0 },
  ...{ points: [], sources: {} },
};

describe("how old ranks are", () => {
  it.each<[string, ReadReport[], number]>([
    ["all just reported", [report(), report()], 0],
    ["the oldest counts", [report(), report({ asOfMs: NOW - 4_000, nextMs: NOW + 1_000 })], 4],
    [
      "an idle shard counts as two ticks old: anything new would have woken it",
      [report({ asOfMs: NOW - 50_000, nextMs: NOW + 10_000 })],
      10,
    ],
    ["so does one that sleeps", [report({ asOfMs: NOW - 3_000_000, nextMs: undefined as never })], 10],
    [
      "one that missed its tick is as old as its report",
      [report({ asOfMs: NOW - 50_000, nextMs: NOW - 5_001 })],
      50,
    ],
  ])("CENSUS-4: %s", (_, reports, seconds) => {
    const { asOfMs } = read(bookOf(reports.entries()).answer(reports.length, NOW, undefined));
    expect((NOW - asOfMs) / 1_000).toBe(seconds);
  });
});

describe("shards that say nothing", () => {
  it("CENSUS-5: one never heard of makes the answer incomplete and is named; the oldest first data wins", () => {
    const book = bookOf([
      [1, report({ firstDataMs: 7 })],
      [2, report({ firstDataMs: 5 })],
    ]);
    const answer = read(book.answer(4, NOW, undefined));
    expect(answer).toMatchObject({ complete: false, missing: [0, 3], firstDataMs: 5, counts: undefined });
    expect(book.unheard(4)).toEqual([0, 3]);
  });

  it("CENSUS-5: … for an hour at most, which is as long as its numbers would have been kept", () => {
    const book = bookOf([[0, report({ nextMs: NOW + HOUR_MS, counts: countsOf(1) })]]);
    expect(read(book.answer(2, NOW + HOUR_MS, undefined)).complete).toBe(false);
    const answer = book.answer(2, NOW + HOUR_MS + 1, undefined);
    expect(read(answer)).toMatchObject({ complete: true, missing: [1] });
  });

  it("CENSUS-6: an overdue shard is named; its numbers stay for an hour, then they are gone and it is still named", () => {
    const book = bookOf([[1, report({ counts: countsOf(5, 6) })]]);
    const at = (ms: number) => {
      book.take(0, report({ asOfMs: ms, nextMs: ms + TICK_MS, counts: countsOf(9), revision: ms }));
      const answer = book.answer(2, ms, undefined);
      const { missing, asOfMs, complete } = read(answer);
      return { missing, complete, ageMs: ms - asOfMs, population: populationOf(answer) };
    };
    expect(at(NOW + 2 * TICK_MS)).toEqual({ missing: [], complete: true, ageMs: 10_000, population: 3 });
    expect(at(NOW + 2 * TICK_MS + 1)).toEqual({ missing: [1], complete: true, ageMs: 10_001, population: 3 });
    expect(at(NOW + HOUR_MS)).toEqual({ missing: [1], complete: true, ageMs: HOUR_MS, population: 3 });
    expect(at(NOW + HOUR_MS + 1)).toEqual({ missing: [1], complete: true, ageMs: 0, population: 1 });
    // What it had is not here any more: without its tables its report means nothing.
    const back = NOW + HOUR_MS + 2;
    const { counts: _, ...same } = report({ asOfMs: back, nextMs: back + TICK_MS });
    expect(book.take(1, { ...same, counts: undefined })).toBe(false);
    book.take(1, { ...same, counts: countsOf(5, 6, 7) });
    expect(at(back)).toEqual({ missing: [], complete: true, ageMs: 0, population: 4 });
  });

  it("CENSUS-6: a sleeping shard is not overdue, and one that the site does not have is forgotten", () => {
    const sleeping = report({ nextMs: undefined as never });
    const book = bookOf([
      [0, sleeping],
      [1, sleeping],
      [2, report({ counts: countsOf(5) })],
    ]);
    const answer = book.answer(2, NOW + 2 * HOUR_MS, undefined);
    expect(read(answer)).toMatchObject({ complete: true, missing: [] });
    expect(populationOf(answer)).toBe(0);
    expect(book.has(2)).toBe(false);
  });
});

const JA4S = ["t13d1516h2_8daaf6152771_02713d6af862", "t13d1715h2_5b57614c22b0_3d5424432f57"] as const;

/** Counts `requests` of a fingerprint, each from its own address. */
function visit(window: Window, ja4: string, requests: number, atMs: number): void {
  window.apply(frameOf(Array.from({ length: requests }, (_, i) => ({ at: atMs, ja4, ip: i + 1 }))), atMs);
}

/** A shard's link to a Census that can be taken away, restarted and made to answer anything. */
function linked(seen?: RankedWindow) {
  const window = new Window(0);
  const calls: { sent: boolean; received: boolean }[] = [];
  const world = {
    window,
    calls,
    book: new CensusBook(NOW, TICK_MS),
    answer: undefined as unknown,
    atMs: NOW,
    link: new RanksLink(
      seen ?? window,
      { epoch: 1, shard: 0 },
      () => ({ exchange }),
      () => PULSE,
    ),
    /** Advances, exchanges, and answers what went over the wire. */
    async exchange(shards = 1) {
      world.atMs += TICK_MS;
      window.advance(world.atMs);
      calls.length = 0;
      const isRead = await world.link.exchange(shards, 0, world.atMs + TICK_MS);
      return { isRead, calls: [...calls] };
    },
  };
  async function exchange(told: ShardReport, { shard: from, shards, known }: Reporter): Promise<unknown> {
    if (world.answer !== undefined) return world.answer;
    const one = readShardReport(structuredClone(told));
    if (one === "unknown_form") throw new Error("our own form must be known");
    const answer: CensusAnswer = world.book.take(from, one)
      ? world.book.answer(shards, world.atMs, known)
      : { ok: false, fault: "not_held" };
    calls.push({ sent: told.tables !== undefined, received: answer.ok && answer.tables !== undefined });
    return structuredClone(answer);
  }
  return world;
}

describe("a shard's exchange", () => {
  it("CENSUS-7: tables that did not change are not sent again, either way", async () => {
    const world = linked();
    visit(world.window, JA4S[0], 3, NOW);
    expect(await world.exchange()).toEqual({ isRead: true, calls: [{ sent: true, received: true }] });
    expect(await world.exchange()).toEqual({ isRead: true, calls: [{ sent: false, received: false }] });
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 1, population: 1 });
    expect(world.link.asOfMs).toBe(world.atMs);
    visit(world.window, JA4S[1], 4, world.atMs);
    expect(await world.exchange()).toEqual({ isRead: true, calls: [{ sent: true, received: true }] });
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 2, population: 2 });
    // Only the site's change: another shard's fingerprint.
    world.book.take(1, report({ counts: countsOf(9) }));
    expect(await world.exchange(2)).toEqual({ isRead: true, calls: [{ sent: false, received: true }] });
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 3, population: 3 });
  });

  it("CENSUS-7: values that changed places are looked up anew, though the tables stay", async () => {
    const ids = new Map(JA4S.map((ja4, id) => [ja4 as string, id]));
    const column = (...values: number[]) => Uint32Array.from(values);
    const one = {
      idEnd: 2,
      tags: column(7, 8),
      ips: column(1, 1),
      uas: column(1, 1),
      paths: column(1, 1),
      others: 0,
    };
    const window = {
      nowMs: NOW,
      reqs: column(5, 9),
      rankValues: () => ({ ...one, reqs: window.reqs }),
      tally: () => new Uint32Array(TALLY_WIDTH),
      fingerprints: { id: (ja4: string) => ids.get(ja4), tag: (id: number) => one.tags[id]! },
    };
    const world = linked(window);
    await world.exchange();
    expect(JA4S.map((ja4) => world.link.of(ja4).reqs_rank_1h)).toEqual([2, 1]);
    window.reqs = column(9, 5);
    expect((await world.exchange()).calls).toEqual([{ sent: false, received: false }]);
    expect(JA4S.map((ja4) => world.link.of(ja4).reqs_rank_1h)).toEqual([1, 2]);
  });

  it("CENSUS-7: a Census that started again is sent everything, in the same exchange", async () => {
    const world = linked();
    visit(world.window, JA4S[0], 3, NOW);
    await world.exchange();
    world.book = new CensusBook(world.atMs, TICK_MS);
    expect(await world.exchange()).toEqual({
      isRead: true,
      calls: [
        { sent: false, received: false },
        { sent: true, received: true },
      ],
    });
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 1, population: 1 });
  });

  it("CENSUS-7: a shard that started again sends and gets everything", async () => {
    const world = linked();
    visit(world.window, JA4S[0], 3, NOW);
    await world.exchange();
    const again = linked();
    again.book = world.book;
    visit(again.window, JA4S[0], 3, NOW);
    expect((await again.exchange()).calls).toEqual([{ sent: true, received: true }]);
    expect(again.link.of(JA4S[0])).toEqual(world.link.of(JA4S[0]));
  });

  it("CENSUS-2: without a shard's numbers the older, whole tables stay in force", async () => {
    const world = linked();
    visit(world.window, JA4S[0], 3, NOW);
    world.book.take(1, report({ counts: countsOf(9) }));
    await world.exchange(2);
    world.book = new CensusBook(world.atMs, TICK_MS);
    visit(world.window, JA4S[0], 90, world.atMs);
    await world.exchange(2);
    expect(world.link.missing).toEqual([1]);
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 2, population: 2 });
  });

  it.each<[string, unknown]>([
    ["the first form's answer", { complete: true, missing: [], asOfMs: NOW, counts: { reqs: EMPTY_COUNTS } }],
    ["a fault that it does not know", { ok: false, fault: "later_form" }],
    ["tables of a later version", answerWith(Uint8Array.of(2, 0))],
    ["damaged tables", answerWith(Uint8Array.of(1, 5))],
    ["tables that are no bytes", answerWith([1, 0])],
    ["nothing", null],
  ])("CENSUS-8: after %s its ranks stay at the last good ones", async (_, answer) => {
    const world = linked();
    visit(world.window, JA4S[0], 3, NOW);
    await world.exchange();
    const before = world.link.of(JA4S[0]);
    const { asOfMs } = world.link;
    world.answer = answer;
    visit(world.window, JA4S[1], 5, world.atMs);
    expect(await world.exchange()).toEqual({ isRead: false, calls: [] });
    expect([world.link.of(JA4S[0]), world.link.asOfMs]).toEqual([before, asOfMs]);
    // The control: the same exchange with our own Census moves them.
    world.answer = undefined;
    expect(await world.exchange()).toEqual({ isRead: true, calls: [{ sent: true, received: true }] });
    expect(world.link.of(JA4S[0])).toMatchObject({ reqs_rank_1h: 2, population: 2 });
  });

  it.each<[string, unknown]>([
    ["the first form's report", { asOfMs: NOW, counts: ofRanked(() => EMPTY_COUNTS) }],
    ["tables of a later version", { ...told(), tables: ofRanked(() => Uint8Array.of(2, 0)) }],
    ["a table too few", { ...told(), tables: { reqs: Uint8Array.of(1, 0) } }],
    ["a time that is none", { ...told(), asOfMs: -1 }],
    ["text", "report"],
  ])("CENSUS-8: the Census knows %s for a form that it does not know", (_, one) => {
    expect(readShardReport(one)).toBe("unknown_form");
    expect(readShardReport(told())).toMatchObject({ revision: NOW });
  });
});

function told(): ShardReport {
  return { asOfMs: NOW, revision: NOW, tables: encodeRankCounts(NO_COUNTS) };
}

function answerWith(bytes: unknown) {
  return { ok: true, complete: true, missing: [], asOfMs: NOW, revision: NOW, tables: ofRanked(() => bytes) };
}
