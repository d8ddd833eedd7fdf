/** The demo over a running server: back-fill, live traffic, scenes, and what the feed says of them. */
import { type FeedEvent, HelloTide } from "../../../client/index.ts";
import type { Label } from "../../../src/simulate/scenario.ts";
import { Show } from "../../../src/simulate/show.ts";
import type { Connection } from "../flags.ts";
import { stateText } from "../tail/run.ts";
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

async function newestData(
  { url, token, site }: Connection,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { fingerprints } = await new HelloTide({ url, token }).request(
    "GET",
    "/v1/sites/{site}/fingerprints",
    {
      params: { site },
      query: { sort: "last_seen", order: "desc", limit: 1 },
      signal,
    },
  );
  const ms = Date.parse(fingerprints[0]?.last_seen ?? "");
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
    const { url, token, site } = this.#connection;
    const feed = new HelloTide({ url, token }).site(site).feed({
      signal,
      onState: (state) => {
        if (state.state === "waiting" || state.resumed) screen.note(stateText(state, url.host));
      },
    });
    for await (const event of feed) this.#hear(event, nowMs());
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
