/**
 * The numbers of one fingerprint after the other: each is read when asked, once however many thresholds compare it. What
 * costs more than a look at the window (ranks, scores, divergences) is made only when some threshold compares it.
 */
import { HOUR_MS } from "../config.ts";
import { combined } from "../detect/combine.ts";
import { type DivergingSignal, divergences, fitOffsets, type OffsetFit } from "../detect/offsets.ts";
import { siteOf, subjectOf } from "../detect/site-view.ts";
import { globalPopulation, globalSignals } from "../signals/global.ts";
import type { LocalRanks } from "../signals/ranks.ts";
import { DISTINCTS, windowNumber } from "../window/snapshot.ts";
import type { Window } from "../window/window.ts";
import type { Comparison } from "./rule.ts";
import { isWindowSignal } from "./signals.ts";

/** An active anomaly, as thresholds on scores see it. */
export interface Scored {
  ja4: string;
  kind: string;
  score: number;
}

/** What is known of fingerprints beside the window. */
export interface Knowledge {
  ranksOf(ja4: string): LocalRanks;
  scored(): Iterable<Scored>;
}

export const NOTHING_KNOWN: Knowledge = { ranksOf: () => ({}), scored: () => [] };

type Read = (id: number) => number | undefined;
const NOBODY = -1;

export class Readings {
  readonly #window: Window;
  readonly #knowledge: Knowledge;
  readonly #columns: Read[] = [];
  /** The column of a signal in a window. */
  readonly #byName = new Map<string, number>();
  readonly #values: (number | undefined)[] = [];
  /** Whose each value is. */
  readonly #readOf: number[] = [];
  #id = NOBODY;
  #ja4 = "";
  #ja4Of = NOBODY;
  #ranks: LocalRanks = {};
  #ranksOf = NOBODY;
  #fit: OffsetFit | undefined;
  #scores: Map<number, Map<string, number>> | undefined;

  constructor(window: Window, knowledge: Knowledge) {
    this.#window = window;
    this.#knowledge = knowledge;
  }

  /** Column of what a comparison looks at, for `value`. */
  column({ signal, window }: Pick<Comparison, "signal" | "window">): number {
    const name = `${signal} ${window}`;
    let column = this.#byName.get(name);
    if (column === undefined) {
      column = this.#columns.push(this.#reader(signal, window)) - 1;
      this.#byName.set(name, column);
      this.#values.push(undefined);
      this.#readOf.push(NOBODY);
    }
    return column;
  }

  /** Goes on to this fingerprint. */
  moveTo(id: number): void {
    this.#id = id;
  }

  get ja4(): string {
    if (this.#ja4Of !== this.#id) {
      this.#ja4 = this.#window.fingerprints.ja4(this.#id);
      this.#ja4Of = this.#id;
    }
    return this.#ja4;
  }

  /** `undefined` = absent. */
  value(column: number): number | undefined {
    if (this.#readOf[column] !== this.#id) {
      this.#values[column] = this.#columns[column]!(this.#id);
      this.#readOf[column] = this.#id;
    }
    return this.#values[column];
  }

  #reader(signal: string, name: Comparison["window"]): Read {
    const window = this.#window;
    if (isWindowSignal(signal)) {
      // The schema sees to the window; without one it would be the hour's.
      return (id) => windowNumber(window, id, name ?? "1h", signal);
    }
    const dot = signal.indexOf(".");
    const member = dot < 0 ? undefined : signal.slice(dot + 1);
    switch (dot < 0 ? signal : signal.slice(0, dot)) {
      case "local":
        return this.#localReader(member!);
      case "global":
        return (id) => this.#global(id, member!);
      case "divergence":
        return (id) => this.#divergence(id, member!);
      case "score":
        return (id) => this.#score(id, member);
      case "combined":
        return (id) => this.#combined(id, member as DivergingSignal);
      default:
        // What this version never computes is absent.
        return () => undefined;
    }
  }

  #localReader(name: string): Read {
    const window = this.#window;
    const counted = name.slice(0, -"_1h".length);
    if (isWindowSignal(counted) && (name.includes("_ratio") || DISTINCTS.some((one) => one === counted)))
      return (id) => windowNumber(window, id, "1h", counted);
    return (id) => {
      if (this.#ranksOf !== id) {
        this.#ranks = this.#knowledge.ranksOf(this.ja4);
        this.#ranksOf = id;
      }
      return this.#ranks[name as keyof LocalRanks];
    };
  }

  #global(id: number, name: string): number | undefined {
    const seen = this.#window.signals(id);
    if (seen === undefined) return undefined;
    const values = globalSignals(seen, this.#window.nowMs - HOUR_MS)?.values;
    if (values === undefined) return undefined;
    return name === "population" ? globalPopulation(values) : values[name as keyof typeof values];
  }

  #divergence(id: number, name: string): number | undefined {
    if (this.#window.signals(id) === undefined) return undefined;
    return divergences(subjectOf(this.#window, id), this.#offsets()).find(({ signal }) => signal === name)
      ?.score;
  }

  #combined(id: number, name: DivergingSignal): number | undefined {
    if (this.#window.signals(id) === undefined) return undefined;
    return combined(subjectOf(this.#window, id), this.#offsets())[name]?.value;
  }

  #offsets(): OffsetFit {
    this.#fit ??= fitOffsets(siteOf(this.#window, this.#window.firstDataMs).subjects());
    return this.#fit;
  }

  /** Of one kind, or the highest. */
  #score(id: number, kind: string | undefined): number | undefined {
    const scores = this.#scoresById().get(id);
    return kind === undefined ? scores && Math.max(...scores.values()) : scores?.get(kind);
  }

  #scoresById(): Map<number, Map<string, number>> {
    if (this.#scores !== undefined) return this.#scores;
    this.#scores = new Map();
    for (const { ja4, kind, score } of this.#knowledge.scored()) {
      const id = this.#window.fingerprints.id(ja4);
      if (id === undefined) continue;
      const kinds = this.#scores.get(id) ?? new Map<string, number>();
      kinds.set(kind, score);
      this.#scores.set(id, kinds);
    }
    return this.#scores;
  }
}
