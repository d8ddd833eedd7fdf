/** The feed in a terminal: the client's events as lines, and in words what becomes of the connection. */
import { type FeedEvent, type FeedState, HelloTide, HelloTideError } from "../../../client/index.ts";
import { Failure } from "../failure.ts";
import type { TailArgs } from "./args.ts";

export interface TailDeps {
  readonly signal: AbortSignal;
  /** Resolves when whoever reads our output has it. */
  show(event: FeedEvent): Promise<void>;
  say(notice: string): void;
}

/** Resolves, with the cursor to go on from, when it is stopped; throws a Failure when the server refuses. */
export async function tail(args: TailArgs, { signal, show, say }: TailDeps): Promise<string | undefined> {
  const { connection, kind, minScore, since } = args;
  const { url, token, site } = connection;
  const feed = new HelloTide({ url, token }).site(site).feed({
    kind,
    minScore,
    since,
    signal,
    onState: (state) => say(stateText(state, url.host)),
    onGap: ({ from, to }) =>
      say(
        to === undefined
          ? `gap: the server does not know cursor ${from}; its feed is read from the beginning`
          : `gap: events after ${from} up to ${to} are no longer kept`,
      ),
    onError: (detail) => say(`the server did not understand us: ${detail}`),
  });
  try {
    for await (const event of feed) await show(event);
  } catch (error) {
    throw refusal(error);
  }
  return feed.cursor;
}

function refusal(error: unknown): unknown {
  if (!(error instanceof HelloTideError)) return error;
  const { status, problem, message } = error;
  if (status === 400) return new Failure(`the server does not take these flags (${message})`, 2);
  // Without a problem document it is not an answer but the end of a feed that ran.
  return new Failure(problem === undefined && status === 401 ? message : `the server refuses (${message})`);
}

/** A line about the connection. */
export function stateText(state: FeedState, host: string): string {
  if (state.state === "open") {
    return `${state.resumed ? "resumed" : "connected"} at cursor ${state.cursor ?? "unknown"}`;
  }
  const place = state.hasConnected ? "lost" : "no connection to";
  return `${place} ${host}: ${state.why}; again in ${(state.pauseMs / 1_000).toFixed(1)} s`;
}
