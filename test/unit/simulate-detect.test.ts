/** SIM-9…11: the built-in detectors over the made-up traffic, offline: four shards, a tick every 5 s, default settings. */
import { describe, expect, it } from "vitest";
import { Scoreboard } from "../../scripts/lib/demo/scoreboard.ts";
import { KeyedHash } from "../../src/base/hash.ts";
import {
  COOLDOWN_DEFAULT_MS,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  SHARDS_DEFAULT,
  TICK_DEFAULT_MS,
} from "../../src/config.ts";
import { detect } from "../../src/detect/engine.ts";
import type { Cleared } from "../../src/detect/episode.ts";
import { Memory } from "../../src/detect/memory.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import { pulseOf } from "../../src/detect/site/pulse.ts";
import { siteOf } from "../../src/detect/site-view.ts";
import type { Episode, EpisodeEvent } from "../../src/detect/types.ts";
import { collect } from "../../src/edge/collect.ts";
import { UserAgentClassifier } from "../../src/edge/user-agent.ts";
import type { Traffic } from "../../src/simulate/record.ts";
import { RAISE_WITHIN_MS, SCENARIOS, Show } from "../../src/simulate/show.ts";
import { Window } from "../../src/window/window.ts";
import { FRAME_ID_BYTES } from "../../src/wire/frame.ts";
import { NO_COUNTERS } from "../../src/wire/frame-builder.ts";

const NOW = Date.UTC(2026, 10, 23, 17, 3, 21);
const MAP = { epoch: 1, shards: SHARDS_DEFAULT };

interface Shard {
  window: Window;
  memory: Memory;
  episodes: ReadonlyMap<string, Episode>;
  cleared: ReadonlyMap<string, Cleared>;
}

/** The site without its platform: what is sent counts at once, and each shard ticks every 5 s from NOW on. */
class OfflineSite {
  readonly #shards = Array.from({ length: SHARDS_DEFAULT }, (): Shard => {
    return { window: new Window(0), memory: new Memory(), episodes: new Map(), cleared: new Map() };
  });
  readonly #hash = new KeyedHash(new Uint8Array(16).fill(7));
  readonly #agents = new UserAgentClassifier();
  #ids = 0;

  send(traffic: Traffic, fromMs: number, toMs: number, nowMs: number): void {
    const found = traffic.between(fromMs, toMs).map((value) => ({ value }));
    const { builders } = collect(found, nowMs, MAP, this.#hash, this.#agents);
    for (const [shard, frames] of builders) {
      for (const frame of frames) {
        const built = frame.build(new Uint8Array(FRAME_ID_BYTES), "observations", NO_COUNTERS);
        this.#shards[shard]!.window.apply(built, nowMs);
      }
    }
  }

  tick(nowMs: number): EpisodeEvent[] {
    const firstDataMs = Math.min(...this.#shards.map(({ window }) => window.firstDataMs || nowMs));
    for (const { window } of this.#shards) window.advance(nowMs);
    const pulses = this.#shards.map(({ window }) => pulseOf(siteOf(window, firstDataMs)));
    return this.#shards.flatMap((shard) => {
      const found = detect({
        site: siteOf(shard.window, firstDataMs),
        settings: DEFAULT_KIND_SETTINGS,
        ...{ memory: shard.memory, pulses },
        episodes: shard.episodes,
        cleared: shard.cleared,
        cooldownMs: COOLDOWN_DEFAULT_MS,
        newId: () => `a${this.#ids++}`,
      });
      shard.episodes = found.episodes;
      shard.cleared = found.cleared;
      return found.events;
    });
  }
}

/** An hour of the past, then `minutes` second by second; returns the scoreboard. */
function play(show: Show, minutes: number, board = new Scoreboard()): Scoreboard {
  const site = new OfflineSite();
  for (let at = NOW - HOUR_MS; at < NOW; at += MINUTE_MS) site.send(show, at, at + MINUTE_MS, NOW);
  for (let at = NOW + SECOND_MS; at <= NOW + minutes * MINUTE_MS; at += SECOND_MS) {
    site.send(show, at - SECOND_MS, at, at);
    if ((at - NOW) % TICK_DEFAULT_MS !== 0) continue;
    for (const { type, episode } of site.tick(at)) {
      if (type !== "raised") continue;
      board.take({ kind: episode.kind, ja4: episode.ja4, atMs: at, window: episode.last.window });
    }
  }
  return board;
}

describe.each([1, 2])("seed %i", (seed) => {
  it("SIM-9: the background alone raises nothing in 10 minutes", () => {
    expect(play(new Show({ seed }), 10).falseRaises).toEqual([]);
  }, 60_000);

  it("SIM-10: every attack is raised as its kinds within 60 s of its start, and nothing else is raised", () => {
    const show = new Show({ seed });
    const board = new Scoreboard();
    const labels = show.addRound(SCENARIOS, 0, NOW + 10_000, 55_000);
    board.add(labels);
    play(show, 12, board);
    for (const label of labels) {
      expect(board.missing(label), label.scene).toEqual([]);
      for (const { verdict, afterMs, raise } of board.of(label)) {
        if (verdict === "expected")
          expect(afterMs, `${label.scene} ${raise.kind}`).toBeLessThan(RAISE_WITHIN_MS);
      }
    }
    expect(board.falseRaises).toEqual([]);
  }, 60_000);
});
