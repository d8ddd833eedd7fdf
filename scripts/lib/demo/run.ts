/** The demo over a running server: back-fill, live traffic, scenes, and what the feed says of them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Label } from "../../../src/simulate/scenario.ts";
import { Show } from "../../../src/simulate/show.ts";
import { type Connection, siteUrl } from "../flags.ts";
import { tail } from "../tail/run.ts";
import type { FeedEvent } from "../tail/session.ts";
import { lengthText } from "../terminal.ts";
import type { StartArgs } from "./args.ts";
import { Scoreboard } from "./scoreboard.ts";
import type { Screen } from "./screen.ts";
import { continueFrom, type DemoState, readState, writeState } from "./state.ts";
import { clearedText, injectedText, program, raisedText, summary, textOf, timeText } from "./text.ts";
import { PAST_MS, TrafficPump } from "./traffic.ts";

/** The first scene waits until a reader has seen the program. */
const FIRST_SCENE_MS = 8_000;
/** A round's actors are forgotten by the detectors' cooldowns and histories when their turn comes again. */
const ROUND_MS = 15 * 60_000;

export interface DemoDeps {
  readonly signal: AbortSignal;
  readonly screen: Screen;
  readonly nowMs: () => number;
}

/** What is known before the first line is printed. */
export async function stateOf(
  args: StartArgs,
  connection: Connection,
  signal: AbortSignal,
): Promise<DemoState & { lastSeenMs: number | undefined }> {
  const lastSeenMs = await newestData(connection, signal);
  return { ...continueFrom(readState(args.serve.persistDir), args.seed, lastSeenMs), lastSeenMs };
}

async function newestData(connection: Connection, signal: AbortSignal): Promise<number | undefined> {
  const url = siteUrl(connection, "fingerprints?sort=last_seen&order=desc&limit=1");
  const response = await fetch(url, { headers: { authorization: `Bearer ${connection.token}` }, signal });
  const { fingerprints } = (await response.json()) as { fingerprints?: { last_seen?: string }[] };
  const ms = Date.parse(fingerprints?.[0]?.last_seen ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

/** Resolves after `--once`; otherwise rejects when the signal is aborted. */
export class Demo {
  readonly #args: StartArgs;
  readonly #connection: Connection;
  readonly #deps: DemoDeps;
  readonly #show: Show;
  readonly #board = new Scoreboard();
  readonly #ongoing: ReadonlySet<string>;
  #state: DemoState;
  /** Labels of the round that plays, and those of them that have been announced. */
  #labels: readonly Label[] = [];
  #announced = 0;
  #rounds = 0;
  #nextRoundMs = 0;
  #isTold = false;

  constructor(args: StartArgs, connection: Connection, state: DemoState, deps: DemoDeps) {
    this.#args = args;
    this.#connection = connection;
    this.#deps = deps;
    this.#state = state;
    this.#show = new Show({ seed: state.seed });
    this.#ongoing = new Set(args.scenarios.filter(({ ongoing }) => ongoing === true).map(({ name }) => name));
  }

  async run(lastSeenMs: number | undefined): Promise<void> {
    const { signal, nowMs } = this.#deps;
    const over = new AbortController();
    const inner = AbortSignal.any([signal, over.signal]);
    const startMs = nowMs();
    const pump = new TrafficPump(
      this.#show,
      this.#connection,
      Math.max(startMs - PAST_MS, lastSeenMs === undefined ? 0 : lastSeenMs + 1),
      { signal: inner, nowMs, say: (notice) => this.#deps.screen.note(notice) },
    );
    // Before the past is sent: what it raises is news, too.
    const feed = this.#follow(inner);
    try {
      const filled = this.#backFill(pump, lastSeenMs !== undefined);
      await Promise.race([filled, feed]);
      this.#beginRound();
      await Promise.race([
        feed,
        pump.live((now) => {
          if (this.#tick(now)) over.abort();
        }),
      ]);
    } catch (error) {
      if (!over.signal.aborted || signal.aborted) throw error;
    } finally {
      over.abort();
      await feed.catch(() => undefined);
    }
  }

  /** Injected beside raised, so far; nothing before the first scene, and nothing twice. */
  report(): string {
    const shown = this.#labels.filter(({ startMs }) => startMs <= this.#deps.nowMs());
    return this.#isTold || shown.length === 0 ? "" : summary(shown, this.#board, this.#deps.screen.paint);
  }

  async #backFill(pump: TrafficPump, goesOn: boolean): Promise<void> {
    const { screen, nowMs } = this.#deps;
    const fromMs = nowMs();
    await pump.backFill((share) => screen.progress(share, `${pump.sent} requests`));
    const took = lengthText(Math.max(nowMs() - fromMs, 1_000));
    const what = goesOn ? "background since the last demo" : "an hour of background";
    screen.progressEnd(`  back-fill  ${what}: ${pump.sent} requests in ${took}\n\n`);
  }

  #beginRound(): void {
    const { screen, nowMs } = this.#deps;
    const { scenarios, everyMs, serve } = this.#args;
    const startMs = nowMs() + FIRST_SCENE_MS;
    const { round, seed } = this.#state;
    this.#state = { seed, round: round + 1 };
    // Written first: a demo that is killed in the middle has used its actors all the same.
    writeState(serve.persistDir, this.#state);
    const playing = this.#rounds === 0 ? scenarios : scenarios.filter(({ ongoing }) => ongoing !== true);
    this.#labels = this.#show.addRound(playing, round, startMs, everyMs);
    this.#board.add(this.#labels);
    this.#announced = 0;
    this.#rounds++;
    this.#isTold = false;
    this.#nextRoundMs = startMs + Math.max(ROUND_MS, scenarios.length * everyMs);
    screen.print(program(this.#labels, screen.paint));
  }

  /** After each second. True when the demo is over. */
  #tick(nowMs: number): boolean {
    const { screen } = this.#deps;
    for (let label = this.#labels[this.#announced]; label !== undefined && label.startMs <= nowMs; ) {
      screen.print(injectedText(label, screen.paint));
      label = this.#labels[++this.#announced];
    }
    if (this.#announced < this.#labels.length || !this.#board.isOver(this.#ongoing, nowMs)) return false;
    if (this.#args.once) return true;
    if (!this.#isTold) {
      screen.print(this.report());
      this.#isTold = true;
      screen.print(
        `  background goes on; the next round begins at ${timeText(this.#nextRoundMs)}, Ctrl-C ends it\n\n`,
      );
    }
    if (nowMs >= this.#nextRoundMs - FIRST_SCENE_MS) this.#beginRound();
    return false;
  }

  async #follow(signal: AbortSignal): Promise<never> {
    const { screen, nowMs } = this.#deps;
    const connection = this.#connection;
    await tail(
      { connection, kind: undefined, minScore: undefined, since: undefined, json: false },
      {
        signal,
        nowMs,
        random: Math.random,
        say: (notice) => {
          if (!notice.startsWith("connected")) screen.note(notice);
        },
        show: (event, _, written) => {
          this.#hear(event, nowMs());
          written();
        },
        wait: (ms) => sleep(ms, undefined, { signal }),
        drained: () => Promise.resolve(),
      },
    );
    signal.throwIfAborted();
    throw new Error("the feed ended");
  }

  #hear(event: FeedEvent, atMs: number): void {
    const { screen } = this.#deps;
    if (event.type.endsWith(".cleared")) screen.print(clearedText(event, atMs, screen.paint));
    if (!event.type.endsWith(".raised")) return;
    const threshold = textOf(event, "threshold");
    if (threshold !== "") {
      // The user's own rule: neither expected nor false.
      screen.note(`threshold ${threshold} raised for ${event.subject}`);
      return;
    }
    const finding = this.#board.take({
      kind: textOf(event, "kind"),
      ja4: event.subject,
      atMs,
      window: textOf(event, "window"),
    });
    screen.print(raisedText(event, finding, screen.paint));
  }
}
