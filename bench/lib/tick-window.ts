/** A shard's tick as the product does it, without the platform. */
import { COOLDOWN_DEFAULT_MS, HOUR_MS } from "../../src/config.ts";
import { type DetectOutput, detect } from "../../src/detect/engine.ts";
import { Memory } from "../../src/detect/memory.ts";
import { DEFAULT_KIND_SETTINGS } from "../../src/detect/settings.ts";
import { siteOf } from "../../src/detect/site-view.ts";
import { type ListQuery, listFingerprints } from "../../src/reading/list.ts";
import { windowTotals } from "../../src/reading/summary.ts";
import { encodeRankCounts } from "../../src/signals/census-wire.ts";
import { RankReport } from "../../src/signals/ranks.ts";
import { evaluateThresholds, type ThresholdStates } from "../../src/thresholds/evaluate.ts";
import { EVERYTHING } from "../../src/window/fingerprints.ts";
import { Window } from "../../src/window/window.ts";
import type { TickedShard } from "../processes/tick.ts";
import { elapsed } from "./elapsed.ts";
import { FrameFeed } from "./made-traffic.ts";
import { THRESHOLDS } from "./tick-thresholds.ts";

const LIST: ListQuery = {
  ...({ sort: "reqs", order: "desc", window: "1h" } as const),
  ...{ ja4: undefined, limit: 50, after: undefined },
};

export class WindowShard extends FrameFeed implements TickedShard {
  readonly #window: Window;
  readonly #states: ThresholdStates = new Map();
  #found: Pick<DetectOutput, "episodes" | "cleared"> = { episodes: new Map(), cleared: new Map() };
  #ids = 0;
  readonly #memory = new Memory();

  constructor(fingerprints: number) {
    const window = new Window(1);
    super(window, fingerprints);
    this.#window = window;
  }

  turn(nowMs: number): Record<string, number> {
    return { turn_ms: elapsed(() => this.#window.advance(nowMs)).ms };
  }

  tick(nowMs: number): Record<string, number> {
    const window = this.#window;
    const advance = elapsed(() => window.advance(nowMs));
    // Any reading of counts settles what came in since.
    const settle = elapsed(() => window.reqs(EVERYTHING, "1h"));
    const values = elapsed(() => window.rankValues());
    const report = elapsed(() => new RankReport(values.value, nowMs));
    const encode = elapsed(() => encodeRankCounts(report.value.counts));
    return {
      tick_ms: advance.ms + settle.ms + values.ms + report.ms + encode.ms,
      ...{ settle_ms: advance.ms + settle.ms, values_ms: values.ms },
      ...{ report_ms: report.ms, encode_ms: encode.ms },
      detect_ms: elapsed(() => this.#detect()).ms,
      thresholds_ms: elapsed(() => this.#thresholds()).ms,
    };
  }

  reads(): Record<string, number> {
    const list = (query: Partial<ListQuery>) =>
      elapsed(() => listFingerprints(this.#window, { ...LIST, ...query }, () => undefined)).ms;
    return {
      totals_ms: elapsed(() => windowTotals(this.#window)).ms,
      families_ms: elapsed(() => this.#window.families("a")).ms,
      list_reqs_ms: list({ sort: "reqs" }),
      list_ips_ms: list({ sort: "ips" }),
      list_ips_1m_ms: list({ sort: "ips", window: "1m" }),
      list_reqs_1m_ms: list({ sort: "reqs", window: "1m" }),
    };
  }

  sums(): Record<string, number> {
    const { reqs, uas } = this.#window.rankValues();
    const sum = (column: Uint32Array) => column.reduce((total, value) => total + value, 0);
    const { tracked, evicted } = this.#window.pressure();
    return {
      ...{ reqs_sum: sum(reqs), uas_sum: sum(uas), tracked, evicted },
      live: this.#window.fingerprints.size,
      raised: [...this.#states.values()].filter(({ phase }) => phase === "raised").length,
      episodes: this.#found.episodes.size,
    };
  }

  #detect(): void {
    this.#found = detect({
      site: siteOf(this.#window, this.#window.nowMs - 4 * HOUR_MS),
      settings: DEFAULT_KIND_SETTINGS,
      memory: this.#memory,
      ...{ episodes: this.#found.episodes, cleared: this.#found.cleared, cooldownMs: COOLDOWN_DEFAULT_MS },
      newId: () => `id-${++this.#ids}`,
    });
  }

  #thresholds(): void {
    evaluateThresholds(THRESHOLDS, this.#window, this.#states, this.#window.nowMs, () => `id-${++this.#ids}`);
  }
}
