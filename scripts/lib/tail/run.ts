/** The feed over any number of connections, until it is stopped or refused. */
import { Failure } from "../failure.ts";
import { type Connection, siteUrl } from "../flags.ts";
import type { TailArgs } from "./args.ts";
import { type ConnectionDeps, connect, type Outcome } from "./connection.ts";
import { afterEnd, CLOSE_REVOKED, CLOSE_TRY_AGAIN, judgeStatus } from "./policy.ts";
import { probe } from "./probe.ts";
import { Session } from "./session.ts";

export interface TailDeps extends ConnectionDeps {
  random(): number;
  /** Rejects when `signal` is aborted. */
  wait(ms: number): Promise<void>;
  /** Resolves when all output has been taken. */
  drained(): Promise<void>;
}

/** Resolves, with the cursor to go on from, when it is stopped; throws a Failure when the server refuses. */
export async function tail(args: TailArgs, deps: TailDeps): Promise<string | undefined> {
  const session = new Session(args.since);
  const { connection } = args;
  let attempt = 0;
  while (!deps.signal.aborted) {
    const url = feedUrl(args, session.cursor);
    const outcome = await connect(url, connection.token, session, deps);
    if (deps.signal.aborted) break;
    if (outcome.code === CLOSE_REVOKED) throw new Failure(`the server closed the feed: ${outcome.why}`);
    const why = outcome.opened ? outcome.why : await askWhy(args, session, deps, outcome);
    const next = afterEnd(outcome, attempt, deps.random());
    ({ attempt } = next);
    // Being sent on to the next piece of a long past is no news.
    if (outcome.code !== CLOSE_TRY_AGAIN) {
      const place = session.hasConnected ? "lost" : "no connection to";
      deps.say(`${place} ${connection.url.host}: ${why}; again in ${(next.ms / 1_000).toFixed(1)} s`);
    }
    await pause(next.ms, deps);
  }
  return session.cursor;
}

/** What was not read yet is not asked for again: our memory holds one connection's worth at most. */
async function pause(ms: number, deps: TailDeps): Promise<void> {
  try {
    await deps.wait(ms);
    await deps.drained();
  } catch (error) {
    if (!deps.signal.aborted) throw error;
  }
}

async function askWhy(args: TailArgs, session: Session, deps: TailDeps, outcome: Outcome): Promise<string> {
  const { connection } = args;
  const url = feedUrl(args, session.cursor);
  url.protocol = connection.url.protocol;
  const answer = await probe(url, connection.token);
  if ("error" in answer) return answer.error || outcome.why;
  const said = `${answer.status}: ${answer.detail}`;
  switch (judgeStatus(answer.status, session.hasConnected)) {
    case "final":
      throw new Failure(`the server refuses (${said})`);
    case "wrong use":
      throw new Failure(`the server does not take these flags (${said})`, 2);
    case "reset":
      deps.say(`gap: the server does not know cursor ${session.cursor}; its feed is read from the beginning`);
      session.reset();
      return said;
    case "try again":
      return answer.status === 101 ? outcome.why : `the server answers ${said}`;
  }
}

/** The feed's address: ws or wss, with the filters and, when there is one, the cursor. */
export function feedUrl(
  { connection, kind, minScore }: Pick<TailArgs, "kind" | "minScore"> & { readonly connection: Connection },
  cursor: string | undefined,
): URL {
  const url = siteUrl(connection, "feed");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (cursor !== undefined) url.searchParams.set("since", cursor);
  if (kind !== undefined) url.searchParams.set("kind", kind);
  if (minScore !== undefined) url.searchParams.set("min_score", minScore);
  return url;
}
