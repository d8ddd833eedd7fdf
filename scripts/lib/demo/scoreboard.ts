/** What was injected beside what was raised. Pure: times come in as parameters. */
import type { Label } from "../../../src/simulate/scenario.ts";
import { isActor, RAISE_WITHIN_MS } from "../../../src/simulate/show.ts";

export interface Raise {
  readonly kind: string;
  readonly ja4: string;
  readonly atMs: number;
  /** What the numbers are of: `1m`, `5m`, `1h`. */
  readonly window: string;
}

/**
 * What a raise means: `expected` is what the scene is for, `fitting` is true as well, `echo` is true of an hour that still
 * holds the scene, `false` should not have been.
 */
export interface Finding {
  readonly raise: Raise;
  readonly verdict: "expected" | "fitting" | "echo" | "false";
  readonly label?: Label;
  readonly afterMs?: number;
}

/** The minute before is tested as well, so a scene may be raised for the first time when it is just over. */
const AFTERMATH_MS = 60_000;
/**
 * What compares a whole hour goes on to be true for an hour: a quiet client's anomaly ends when it has not been seen for
 * five minutes, and is raised again with its next request, however ordinary.
 */
const ECHO_MS = 3_600_000;
/** Two ticks: what is to be raised falsely has been by then. */
const SETTLE_MS = 10_000;

export class Scoreboard {
  readonly #labels: Label[] = [];
  readonly #findings: Finding[] = [];

  add(labels: readonly Label[]): void {
    this.#labels.push(...labels);
  }

  take(raise: Raise): Finding {
    const finding = this.#judge(raise);
    this.#findings.push(finding);
    return finding;
  }

  #judge(raise: Raise): Finding {
    const acting = this.#labels.filter((label) => raise.atMs >= label.startMs && isActor(label, raise.ja4));
    const playing = acting.filter(({ endMs }) => raise.atMs <= endMs + AFTERMATH_MS);
    const found = (verdict: Finding["verdict"], label: Label): Finding => {
      return { raise, verdict, label, afterMs: raise.atMs - label.startMs };
    };
    const expected = playing.find(({ expects }) => expects.includes(raise.kind));
    if (expected !== undefined) return found("expected", expected);
    const fitting = playing.find(({ also }) => also.includes(raise.kind));
    if (fitting !== undefined) return found("fitting", fitting);
    const echo = acting.findLast(
      ({ endMs, expects, also }) =>
        raise.window === "1h" && raise.atMs <= endMs + ECHO_MS && [...expects, ...also].includes(raise.kind),
    );
    if (echo !== undefined) return found("echo", echo);
    const [harmless] = playing;
    return harmless === undefined ? { raise, verdict: "false" } : found("false", harmless);
  }

  get falseRaises(): readonly Finding[] {
    return this.#findings.filter(({ verdict }) => verdict === "false");
  }

  /** Of one scene, in order of time. */
  of(label: Label): readonly Finding[] {
    return this.#findings.filter((finding) => finding.label === label);
  }

  /** Expected kinds that have not been raised. */
  missing(label: Label): readonly string[] {
    const raised = this.of(label).map(({ raise }) => raise.kind);
    return label.expects.filter((kind) => !raised.includes(kind));
  }

  /** Whether there is nothing left to wait for. `ongoing`: names of scenes whose end nobody waits for. */
  isOver(ongoing: ReadonlySet<string>, nowMs: number): boolean {
    return this.#labels.every((label) => {
      if (ongoing.has(label.scene)) return nowMs >= label.startMs;
      const patience = Math.max(label.endMs, label.startMs + RAISE_WITHIN_MS) + SETTLE_MS;
      if (nowMs >= patience) return true;
      return label.expects.length > 0
        ? this.missing(label).length === 0 &&
            nowMs >= Math.min(label.endMs, lastRaise(this.of(label)) + SETTLE_MS)
        : nowMs >= label.endMs + SETTLE_MS;
    });
  }
}

function lastRaise(findings: readonly Finding[]): number {
  return Math.max(0, ...findings.map(({ raise }) => raise.atMs));
}
