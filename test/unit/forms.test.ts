/** Timeline, relatives, families, names, blast radius: the pure parts. */
import { describe, expect, it } from "vitest";
import { LOG_READ_MAX_BYTES, RELATED_MAX } from "../../src/base/read-limits.ts";
import { rfc3339 } from "../../src/base/time.ts";
import { MINUTE_MS } from "../../src/config.ts";
import { expectedRequests } from "../../src/detect/baseline.ts";
import { siteOf, subjectOf } from "../../src/detect/site-view.ts";
import { groupRows } from "../../src/ingest/group-row.ts";
import type { LogRow } from "../../src/ingest/recovery.ts";
import { familyColumns, mergeFamilies } from "../../src/reading/families.ts";
import { type ListQuery, listFingerprints, mergeLists } from "../../src/reading/list.ts";
import { mergeRelated, relatedFingerprints } from "../../src/reading/related.ts";
import { TIMELINE_MINUTES, timelineOf } from "../../src/reading/timeline.ts";
import { blastRadius } from "../../src/signals/blast-radius.ts";
import { CensusBook } from "../../src/signals/census.ts";
import { encodeRankCounts, readCensusAnswer, readShardReport } from "../../src/signals/census-wire.ts";
import { namesOf } from "../../src/signals/names.ts";
import { ofRanked } from "../../src/signals/ranks.ts";
import { EMPTY_COUNTS } from "../../src/sketch/count-of-counts.ts";
import { minuteOf } from "../../src/window/time.ts";
import { Window } from "../../src/window/window.ts";
import { encodeFrame } from "../../src/wire/frame.ts";
import { mixed } from "../support/hashes.ts";
import { frameOf, type Observed } from "../support/window-frames.ts";

const NOW = Date.parse("2026-11-23T12:00:20Z");
const JA4 = "t13d1516h2_8daaf6152771_02713d6af862";
const PSEUDO = "x0123456789abcdef01234567";

/** A shard's window and log; each batch is written at its own time. */
function shardOf(batches: readonly { atMs: number; observed: readonly Observed[] }[], nowMs = NOW) {
  const window = new Window(7);
  const rows: LogRow[] = [];
  batches.forEach(({ atMs, observed }, seq) => {
    const frame = frameOf(observed);
    window.apply(frame, atMs);
    const [bytes] = groupRows([encodeFrame(frame)]);
    rows.push({ minute: minuteOf(atMs), seq, atMs, bytes: bytes! });
  });
  window.advance(nowMs);
  const timeline = (logBack: readonly LogRow[] = rows.toReversed()) => {
    const site = siteOf(window, window.firstDataMs);
    return timelineOf(JA4, window.fingerprints.id(JA4)!, window, site, logBack);
  };
  return { window, rows, timeline };
}

const lastMinute = minuteOf(NOW);
/** `n` requests in the middle of a minute, `back` minutes ago, with this many addresses and one agent. */
const burst = (back: number, n: number, ips: number): Observed[] =>
  Array.from({ length: n }, (_, i) => ({
    at: (lastMinute - back) * MINUTE_MS + 1_000 + i,
    ja4: JA4,
    ip: mixed(i % ips),
    ua: 5,
  }));

describe("a timeline", () => {
  it("TIMELINE-1: is 60 minutes, oldest first; an empty one is from and no requests", () => {
    const { minutes, ja4, as_of } = shardOf([{ atMs: NOW, observed: burst(2, 3, 2) }]).timeline();
    expect([ja4, as_of, minutes.length]).toEqual([JA4, rfc3339(NOW), TIMELINE_MINUTES]);
    expect(minutes.map(({ from }) => from)).toEqual(
      Array.from({ length: 60 }, (_, i) => rfc3339((lastMinute - 59 + i) * MINUTE_MS)),
    );
    expect(minutes[57]).toEqual({ from: "2026-11-23T11:58:00.000Z", reqs: 3, ips: 2, uas: 1 });
    expect(minutes[58]).toEqual({ from: "2026-11-23T11:59:00.000Z", reqs: 0 });
  });

  it.each(["ascending", "descending"])("TIMELINE-2: counts every minute again, %s", (order) => {
    const backs = Array.from({ length: 59 }, (_, i) => i + 1);
    if (order === "ascending") backs.reverse();
    const batches = backs.map((back) => ({ atMs: NOW, observed: burst(back, 20 + back, 1 + (back % 7)) }));
    const { minutes } = shardOf(batches).timeline();
    backs.forEach((back) => {
      expect(minutes[59 - back]).toMatchObject({ reqs: 20 + back, ips: 1 + (back % 7), uas: 1 });
      expect(minutes[59 - back]).not.toHaveProperty("paths");
    });
  });

  it("TIMELINE-2: many identities of a minute are estimated", () => {
    const { minutes } = shardOf([{ atMs: NOW, observed: burst(1, 4_000, 3_000) }]).timeline();
    // Four standard errors.
    expect(Math.abs(minutes[58]!.ips! / 3_000 - 1)).toBeLessThan(0.12);
  });

  it("TIMELINE-3: a minute is expected as the detectors expect it, from those before alone", () => {
    const batches = (surge: number) =>
      Array.from({ length: 40 }, (_, i) => ({
        atMs: NOW,
        observed: burst(40 - i, i === 30 ? surge : 12 + (i % 3), 3),
      }));
    const calm = shardOf(batches(12));
    const surged = shardOf(batches(900));
    const expected = calm.timeline().minutes.map((minute) => minute.expected);
    expect(
      surged
        .timeline()
        .minutes.map((minute) => minute.expected)
        .slice(0, 50),
    ).toEqual(expected.slice(0, 50));
    const site = siteOf(calm.window, calm.window.firstDataMs);
    const subject = subjectOf(calm.window, calm.window.fingerprints.id(JA4)!);
    expect(expected[59]).toEqual(expectedRequests(subject, site, site.minuteNow));
    // The first minute of a site is cut short and is no past: the ten after it are.
    expect(expected.map((one) => one !== undefined).indexOf(true)).toBe(30);
  });

  it("TIMELINE-4: what lies before the end of reading is absent, not too low", () => {
    const { rows, timeline } = shardOf([
      { atMs: NOW - 30 * MINUTE_MS, observed: burst(30, 40, 9) },
      { atMs: NOW, observed: [...burst(29, 20, 4), ...burst(2, 20, 4)] },
    ]);
    const large: LogRow = { ...rows[0]!, bytes: new Uint8Array(LOG_READ_MAX_BYTES) };
    const { minutes } = timeline([rows[1]!, large, rows[0]!]);
    expect(minutes[29]).toMatchObject({ reqs: 40 });
    expect([minutes[29], minutes[30]].map((minute) => minute?.ips)).toEqual([undefined, undefined]);
    expect(minutes[57]).toMatchObject({ reqs: 20, ips: 4 });
  });

  it("TIMELINE-5: unreadable rows and frames are passed over, what is ahead waits", () => {
    const { rows, timeline } = shardOf([
      { atMs: NOW, observed: [...burst(1, 5, 2), { at: NOW + 30_000, ja4: JA4, ip: 77 }] },
    ]);
    const broken = [Uint8Array.of(0xc1, 9), Uint8Array.of(1, 2, 3)].map((bytes) => ({ ...rows[0]!, bytes }));
    const { minutes } = timeline([...broken, ...rows]);
    expect([minutes[58], minutes[59]]).toMatchObject([{ reqs: 5, ips: 2 }, { reqs: 0 }]);
    expect(minutes[59]).not.toHaveProperty("ips");
  });
});

describe("relatives and families", () => {
  const hex = (n: number) => n.toString(16).padStart(12, "0");
  const seen = (ja4: string, n = 1): Observed[] =>
    Array.from({ length: n }, (_, i) => ({ at: NOW - 90_000 + i, ja4, ip: i }));
  const none = () => undefined;

  it("REL-1: are those with the same part, most requests first, over all shards, at most 50", () => {
    const [ciphers, extensions] = [`t13d1517h2_8daaf6152771_${hex(9)}`, `t13d1517h2_${hex(8)}_02713d6af862`];
    const many = Array.from({ length: RELATED_MAX + 9 }, (_, i) => `t13d1516h2_${hex(i)}_${hex(i)}`);
    const one = shardOf([{ atMs: NOW, observed: [...seen(JA4, 3), ...seen(ciphers, 2)] }]);
    const two = shardOf([
      { atMs: NOW, observed: [...seen(extensions), ...many.flatMap((ja4, i) => seen(ja4, 1 + i))] },
    ]);
    const shards = [one, two].map(({ window }) => relatedFingerprints(window, JA4, none));
    expect(shards.map(({ isSeen }) => isSeen)).toEqual([true, false]);
    const same = mergeRelated(shards);
    expect(same.a.map(({ ja4 }) => ja4)).toEqual(many.toReversed().slice(0, RELATED_MAX));
    expect(same.b).toEqual([{ ja4: ciphers, reqs: 2, ips: 2, last_seen: rfc3339(NOW - 89_999), names: [] }]);
    expect(same.c.map(({ ja4 }) => ja4)).toEqual([extensions]);
  });

  it("REL-2: a pseudo fingerprint has none", () => {
    const { window } = shardOf([
      { atMs: NOW, observed: [...seen(PSEUDO), ...seen("xffffffffffffffffffffffff"), ...seen(JA4)] },
    ]);
    expect(relatedFingerprints(window, PSEUDO, none)).toEqual({
      isSeen: true,
      same: { a: [], b: [], c: [] },
    });
    expect(window.families("a").map(({ fingerprints }) => fingerprints)).toEqual([1]);
  });

  it("FAM-1: families are summed over shards, most requests first", () => {
    const other = `t13d1516h2_${hex(1)}_${hex(1)}`;
    const newborn: Observed[] = [{ at: NOW - 1_000, ja4: `t13d1517h2_${hex(2)}_${hex(2)}` }];
    const shards = [
      shardOf([{ atMs: NOW, observed: seen(JA4, 3) }]),
      shardOf([{ atMs: NOW, observed: [...seen(other, 2), ...newborn] }]),
    ].map(({ window }) => familyColumns(window.families("a")));
    expect(mergeFamilies("a", shards, 10, undefined)).toEqual({
      families: [
        { part: "a", value: "t13d1516h2", reqs_1h: 5, fingerprints_1h: 2, newborn_1m: 0 },
        { part: "a", value: "t13d1517h2", reqs_1h: 1, fingerprints_1h: 1, newborn_1m: 1 },
      ],
      next: undefined,
    });
  });

  it("FAM-2: pages neither repeat nor skip, however many are equal", () => {
    const counts = [3, 1, 3, 2, 1, 3, 1];
    const { window } = shardOf([
      { atMs: NOW, observed: counts.flatMap((n, i) => seen(`t13d1516h2_${hex(i)}_${hex(0)}`, n)) },
    ]);
    const shards = [familyColumns(window.families("b"))];
    const order = [0, 2, 5, 3, 1, 4, 6].map(hex);
    for (const limit of [1, 2, 3, 7, 8]) {
      const values: string[] = [];
      let next: ReturnType<typeof mergeFamilies>["next"];
      do {
        const page = mergeFamilies("b", shards, limit, next);
        values.push(...page.families.map(({ value }) => value));
        next = page.next;
      } while (next !== undefined);
      expect(values).toEqual(order);
    }
  });
});

describe("a list that changes between its pages", () => {
  it("PAGE-5: has whatever did not change exactly once", () => {
    const names = Array.from(
      { length: 9 },
      (_, i) => `t13d1516h2_${i.toString(16).padStart(12, "0")}_000000000000`,
    );
    const at = NOW - 60_000;
    const { window } = shardOf([
      {
        atMs: NOW,
        observed: names.flatMap((ja4, i) => Array.from({ length: 1 + (i >> 1) }, () => ({ at, ja4 }))),
      },
    ]);
    const changing = new Set([names[0], names[4], names[7]]);
    const found: string[] = [];
    let after: ListQuery["after"];
    do {
      const query: ListQuery = { sort: "reqs", order: "desc", window: "1h", ja4: undefined, limit: 2, after };
      const page = mergeLists(query, [listFingerprints(window, query, () => undefined)]);
      found.push(...page.rows.map(({ ja4 }) => ja4));
      after = page.next;
      window.apply(frameOf([...changing].map((ja4) => ({ at, ja4: ja4! }))), NOW);
    } while (after !== undefined);
    const unchanged = found.filter((ja4) => !changing.has(ja4));
    expect(unchanged.toSorted()).toEqual(names.filter((ja4) => !changing.has(ja4)));
  });
});

describe("names", () => {
  it.each([
    ["a browser", JA4, [["Chromium", "low"]]],
    [
      "several clients",
      "t13d190900_9dc949149365_97f8aa674fd9",
      [
        ["Go", "low"],
        ["Sliver", "low"],
      ],
    ],
    ["one client", "t13d201100_2b729b4bf6f3_9e7b989ebec8", [["IcedID", "medium"]]],
    ["its ciphers and extensions", "t13i201100_2b729b4bf6f3_9e7b989ebec8", [["IcedID", "low"]]],
    ["its ciphers alone", "t13d201100_2b729b4bf6f3_000000000000", []],
    ["a pseudo fingerprint", PSEUDO, []],
  ])("NAME-2: %s", (_, ja4, names) => {
    expect(namesOf(ja4)).toEqual(
      names.map(([name, confidence]) => ({ name, source: "FoxIO mapping", confidence })),
    );
  });
});

describe("the blast radius", () => {
  it("BLAST-3: a share of nothing has no key", () => {
    const fingerprint = { reqs: 3, browserReqs: 0 };
    expect(blastRadius(fingerprint, { reqs: 12, browserReqs: 0 })).toEqual({ share_of_reqs: 0.25 });
    expect(blastRadius(fingerprint, { reqs: 0, browserReqs: 0 })).toBeUndefined();
  });

  it("BLAST-2: totals are told when every shard has told its own in a form that is known", () => {
    const told = (totals: unknown) => {
      const report = readShardReport({
        asOfMs: NOW,
        nextMs: NOW + 5_000,
        revision: NOW,
        tables: encodeRankCounts(ofRanked(() => EMPTY_COUNTS)),
        ...(totals === undefined ? {} : { totals }),
      });
      if (report === "unknown_form") throw new Error("refused");
      return report;
    };
    const book = new CensusBook(NOW, 5_000);
    const totals = () => {
      const answer = readCensusAnswer(book.answer(2, NOW, undefined));
      return typeof answer === "string" ? answer : answer.totals;
    };
    book.take(0, told({ reqs: 5, browserReqs: 2 }));
    expect(totals()).toBeUndefined();
    book.take(1, told({ reqs: 7, browserReqs: 1 }));
    expect(totals()).toEqual({ reqs: 12, browserReqs: 3 });
    for (const unknown of [undefined, { reqs: -1, browserReqs: 0 }, { reqs: 1 }, "12"]) {
      book.take(1, told(unknown));
      expect(totals()).toBeUndefined();
    }
    // A repeat without tables replaces the totals, too.
    const { counts: _, ...times } = told({ reqs: 1, browserReqs: 1 });
    book.take(1, { ...times, counts: undefined });
    expect(totals()).toEqual({ reqs: 6, browserReqs: 3 });
  });
});
