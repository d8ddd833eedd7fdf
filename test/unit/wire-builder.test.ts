/** What a frame's builder counts and hands on, and columns that grow. */
import { describe, expect, it } from "vitest";
import { FRAME_BYTES_TARGET } from "../../src/config.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { FrameBuilder, NO_COUNTERS, type Row } from "../../src/wire/frame-builder.ts";
import { grown } from "../../src/wire/grown.ts";
import { decodeSamples } from "../../src/wire/samples.ts";
import { BASE, bareRow, CHROME, fingerprintsOf, PSEUDO, row, signals } from "../support/frames.ts";

const ID = new Uint8Array(16).fill(3);

const samplesOf = (frame: Frame) => decodeSamples(frame.samples, frame.fps);

function builderOf(rows: readonly Row[]): FrameBuilder {
  const builder = new FrameBuilder();
  for (const each of rows) builder.add(each);
  return builder;
}

describe("builder", () => {
  it("FRAME-4: bytes are counted row by row: columns, fingerprints, signals once, samples with their texts", () => {
    const builder = new FrameBuilder();
    const sizes: number[] = [];
    const add = (each: Row) => {
      const before = builder.bytes;
      builder.add(each);
      sizes.push(builder.bytes - before);
    };
    // Texts of 6, 12, 4 and 4 units.
    add(row());
    add(row({ timestampMs: BASE + 1 }));
    add(row({ timestampMs: BASE + 2, signals: signals() }));
    add(row({ timestampMs: BASE + 3, signals: signals() }));
    add(bareRow());
    add(bareRow({ ja4: PSEUDO, path: "x".repeat(500), rayId: "r".repeat(100) }));
    const sample = 40 + 3 * 26;
    expect(sizes).toEqual([
      32 + 40 + sample,
      32 + sample,
      32 + 90 + sample,
      32 + sample,
      32 + 40,
      32 + 40 + 40 + 3 * 192,
    ]);
    const many = new FrameBuilder();
    while (!many.isFull())
      many.add(
        row({
          ja4: `x${many.rows.toString(16).padStart(24, "0")}`,
          path: "x".repeat(128),
          host: "y".repeat(128),
        }),
      );
    expect(many.bytes).toBeGreaterThanOrEqual(FRAME_BYTES_TARGET);
    expect(many.bytes - FRAME_BYTES_TARGET).toBeLessThan(32 + 40 + 40 + 3 * 264);
    expect(() => many.add(row())).toThrow("the frame is full");
    expect(() => builder.add(row({ ja4: "curl" }))).toThrow("not a JA4 fingerprint");
    expect(() => builder.build(new Uint8Array(15), "edge", NO_COUNTERS)).toThrow("16 bytes");
  });

  it("FRAME-3: rows split by fingerprint are the frames that were built apart", () => {
    const ja4s = [CHROME, PSEUDO, "", `x${"1".repeat(24)}`, `x${"2".repeat(24)}`];
    const rows = Array.from({ length: 700 }, (_, i) =>
      row({
        ...{ timestampMs: BASE + ((i * 7_919) % 5_000), ja4: ja4s[(i ^ (i >> 2)) % 5]!, flags: i & 0x3f0000 },
        ...{
          ipHash: i,
          uaHash: i + 1,
          pathHash: i + 2,
          hostHash: i + 3,
          asnNumber: i + 4,
          path: `/${i}`,
          rayId: `r${i}`,
        },
        signals: i % 3 === 0 && ja4s[(i ^ (i >> 2)) % 5] !== "" ? signals(i / 1_000) : undefined,
      }),
    );
    const partOf = (ja4: string) => (ja4 === "" || ja4 === PSEUDO ? 0 : 1);
    const parts = [new FrameBuilder(), new FrameBuilder()];
    const asked: string[] = [];
    builderOf(rows).splitInto((ja4) => {
      asked.push(ja4);
      return parts[partOf(ja4)]!;
    });
    expect(asked.sort()).toEqual([...new Set(rows.map(({ ja4 }) => ja4))].sort());
    parts.forEach((part, index) => {
      const apart = builderOf(rows.filter(({ ja4 }) => partOf(ja4) === index));
      const frame = part.build(ID, "edge", NO_COUNTERS);
      expect(frame).toEqual(apart.build(ID, "edge", NO_COUNTERS));
      expect([part.rows, part.bytes]).toEqual([apart.rows, apart.bytes]);
      expect(fingerprintsOf(frame).length).toBeGreaterThan(1);
    });
    // Parts go on like any other builder.
    const more = row({ timestampMs: BASE - 9 });
    parts[1]!.add(more);
    const again = builderOf([...rows.filter(({ ja4 }) => partOf(ja4) === 1), more]);
    expect(parts[1]!.build(ID, "edge", NO_COUNTERS)).toEqual(again.build(ID, "edge", NO_COUNTERS));
  });

  it("FRAME-13: rows join those of another builder: all of them, the newest signals, samples that stand for all", () => {
    const ja4s = ["", PSEUDO, "t13d1516h2_8daaf6152771_02713d6af862"];
    const made = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) =>
        row({
          ...{
            ja4: ja4s[(from + i) % 3]!,
            timestampMs: BASE + ((from + i) % 50),
            ipHash: (from + i) * 7_919,
          },
          ...{
            path: `/${from + i}`,
            signals: (from + i) % 5 === 1 ? signals((from + i) / 1_000) : undefined,
          },
        }),
      );
    for (const [first, second] of [
      [30, 9],
      [4, 3],
      [3, 60],
      [100, 100],
    ] as const) {
      const rows = [...made(0, first), ...made(first, second)];
      const into = builderOf(rows.slice(0, first));
      builderOf(rows.slice(first)).splitInto(() => into);
      const frame = into.build(ID, "edge", NO_COUNTERS);
      const together = builderOf(rows).build(ID, "edge", NO_COUNTERS);
      const rowsOf = ({ fp, at, baseMs, identities }: typeof frame) =>
        Array.from(fp, (each, i) => [fingerprintsOf(frame)[each], baseMs + at[i]!, identities.ip[i]]);
      expect(rowsOf(frame)).toEqual(rowsOf(together));
      expect(frame.signals).toEqual(together.signals);
      const weights = new Map<number, number>();
      const paths: string[] = [];
      for (const { fp, weight, path } of samplesOf(frame)) {
        weights.set(fp, (weights.get(fp) ?? 0) + weight);
        paths.push(path);
        expect(rows.find((each) => each.path === path)?.ja4).toBe(fingerprintsOf(frame)[fp]);
      }
      expect(new Set(paths).size).toBe(paths.length);
      expect(paths.length).toBe(samplesOf(together).length);
      for (const fp of [0, 1, 2].filter((each) => fingerprintsOf(frame)[each] !== "")) {
        expect(weights.get(fp)).toBe(frame.fp.filter((each) => each === fp).length);
      }
      expect(into.bytes).toBeLessThanOrEqual(
        builderOf(rows.slice(0, first)).bytes + builderOf(rows.slice(first)).bytes,
      );
    }
  });

  it("FRAME-13: rows of either builder are samples equally often", () => {
    let [ofFirst, all] = [0, 0];
    for (let round = 0; round < 400; round++) {
      const made = (from: number) =>
        Array.from({ length: 40 }, (_, i) =>
          row({
            timestampMs: BASE + round,
            ipHash: (round * 80 + from + i) * 2_654_435,
            path: `/${from + i}`,
          }),
        );
      const into = builderOf(made(0));
      builderOf(made(40)).splitInto(() => into);
      for (const { path } of samplesOf(into.build(ID, "edge", NO_COUNTERS))) {
        all++;
        if (Number(path.slice(1)) < 40) ofFirst++;
      }
    }
    expect(all).toBe(400 * Math.floor(80 / 8));
    // Four standard deviations of a fair coin.
    expect(Math.abs(ofFirst / all - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(all));
  });

  it("FRAME-11: a builder that was emptied builds as a new one", () => {
    const builder = builderOf([
      row({ signals: signals(), timestampMs: BASE - 5 }),
      row(),
      bareRow({ ja4: PSEUDO }),
    ]);
    builder.reset();
    const rows = [row({ ja4: PSEUDO, timestampMs: BASE + 7 }), bareRow({ timestampMs: BASE + 9 })];
    for (const each of rows) builder.add(each);
    const frame = builder.build(ID, "edge", NO_COUNTERS);
    expect(frame).toEqual(builderOf(rows).build(ID, "edge", NO_COUNTERS));
    expect([frame.baseMs, ...frame.at, frame.signals.fp.length]).toEqual([BASE + 7, 0, 2, 0]);
    expect(builder.bytes).toBe(builderOf(rows).bytes);
  });
});

describe("columns", () => {
  it("FRAME-11: a column grows when it must, to twice what it was or what is asked for", () => {
    const column = Uint16Array.of(1, 2, 3, 4);
    expect(grown(column, 3)).toBe(column);
    expect(grown(column, 4)).toBe(column);
    expect(grown(column, 5)).toEqual(Uint16Array.of(1, 2, 3, 4, 0, 0, 0, 0));
    expect(grown(Float64Array.of(1.5), 5)).toEqual(Float64Array.of(1.5, 0, 0, 0, 0));
  });
});
