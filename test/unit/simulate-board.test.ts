/** SIM-12: what counts as raised for a scene, as true besides, as an echo, and as false. */
import { describe, expect, it } from "vitest";
import { Scoreboard } from "../../scripts/lib/demo/scoreboard.ts";
import type { Label } from "../../src/simulate/scenario.ts";

const ATTACK: Label = {
  scene: "attack",
  title: "Attack",
  sentence: "somebody does something",
  ja4: ["t13d0000h2_a_b"],
  startMs: 1_000_000,
  endMs: 1_060_000,
  expects: ["surge"],
  also: ["divergence"],
};
const HARMLESS: Label = {
  ...ATTACK,
  scene: "crowd",
  expects: [],
  also: [],
  ja4: ["t13d0000h2_*"],
  endMs: 1_090_000,
};

function judged(kind: string, atMs: number, over: { ja4?: string; window?: string } = {}) {
  const board = new Scoreboard();
  board.add([HARMLESS, ATTACK]);
  const { verdict, label } = board.take({ kind, ja4: "t13d0000h2_a_b", window: "1m", atMs, ...over });
  return [verdict, label?.scene];
}

describe("a raise", () => {
  it.each([
    ["of an expected kind", judged("surge", 1_004_000), ["expected", "attack"]],
    ["a minute after the end", judged("surge", 1_119_000), ["expected", "attack"]],
    ["that fits besides", judged("divergence", 1_030_000), ["fitting", "attack"]],
    [
      "of the hour that still holds it",
      judged("divergence", 2_500_000, { window: "1h" }),
      ["echo", "attack"],
    ],
    ["of another kind", judged("path_scan", 1_030_000), ["false", "crowd"]],
    [
      "of a bystander of the crowd",
      judged("surge", 1_030_000, { ja4: "t13d0000h2_c_d" }),
      ["false", "crowd"],
    ],
    ["of a stranger", judged("surge", 1_030_000, { ja4: "t13d1111h2_c_d" }), ["false", undefined]],
    ["before the start", judged("surge", 999_000), ["false", undefined]],
    ["long after the end", judged("surge", 1_200_000), ["false", undefined]],
  ])("SIM-12: %s", (_, found, wanted) => {
    expect(found).toEqual(wanted);
  });

  it("SIM-12: the show is over when all is raised and has settled, or patience has ended", () => {
    const board = new Scoreboard();
    board.add([ATTACK, HARMLESS]);
    const ongoing = new Set(["crowd"]);
    expect(board.isOver(ongoing, 1_059_000)).toBe(false);
    expect(board.isOver(ongoing, 1_071_000)).toBe(true);
    expect(board.isOver(new Set(), 1_071_000)).toBe(false);
    board.take({ kind: "surge", ja4: "t13d0000h2_a_b", window: "1m", atMs: 1_005_000 });
    expect(board.missing(ATTACK)).toEqual([]);
    expect(board.isOver(ongoing, 1_014_000)).toBe(false);
    expect(board.isOver(ongoing, 1_016_000)).toBe(true);
  });
});
