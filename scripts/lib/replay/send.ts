/** Sends one piece until the server has it, or says no, or stays away for too long. */
import { gzipSync } from "node:zlib";
import { errorText, Failure } from "../failure.ts";
import { type Connection, siteUrl } from "../flags.ts";
import { decide, type Reply } from "./retry.ts";

/** The server's count of one piece (contract §3). */
export interface Taken {
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  readonly withoutJa4: number;
  readonly errors: readonly { readonly index: number; readonly detail: string }[];
}

export interface SendDeps {
  post(body: string, key: string): Promise<Reply>;
  /** Rejects when the replay is stopped. */
  wait(ms: number): Promise<void>;
  nowMs(): number;
  random(): number;
  /** Told before each wait. */
  onWait(why: string, ms: number): void;
}

/** The server did not say no: later it may take what it did not take now. */
export class GaveUp extends Failure {}

const REQUEST_TIMEOUT_MS = 60_000;
/** Without any answer this long the server is not there; one that was there may be restarting. */
const ABSENT_MS = 10_000;
const AWAY_MS = 120_000;

export class Sender {
  readonly #deps: SendDeps;
  #wasThere = false;

  constructor(deps: SendDeps) {
    this.#deps = deps;
  }

  /** Throws a Failure when it cannot be sent. */
  async send(body: string, key: string, records: number): Promise<Taken> {
    const { post, wait, nowMs, random, onWait } = this.#deps;
    const from = nowMs();
    for (let tries = 1; ; tries++) {
      const reply = await post(body, key);
      if (!("error" in reply)) this.#wasThere = true;
      const decision = decide(reply, tries, random(), nowMs());
      if (decision.next === "fail") throw new Failure(decision.why);
      if (decision.next === "done") return readTaken("body" in reply ? reply.body : undefined, records);
      if (nowMs() - from + decision.ms > (this.#wasThere ? AWAY_MS : ABSENT_MS)) {
        const seconds = Math.round((nowMs() - from) / 1_000);
        throw new GaveUp(`gave up after ${tries} tries in ${seconds} s: ${decision.why}`);
      }
      onWait(decision.why, decision.ms);
      await wait(decision.ms);
    }
  }
}

/** An answer that does not account for every record is no answer. */
function readTaken(body: unknown, records: number): Taken {
  const answer = (body ?? {}) as Record<string, unknown>;
  const count = (name: string) => {
    const value = answer[name];
    return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : Number.NaN;
  };
  const taken = { accepted: count("accepted"), rejected: count("rejected"), expired: count("expired") };
  const sum = taken.accepted + taken.rejected + taken.expired;
  if (sum !== records)
    throw new Failure(`the server answered for ${sum} of ${records} records: is it HelloTide?`);
  return { ...taken, withoutJa4: count("without_ja4") || 0, errors: readErrors(answer.errors) };
}

function readErrors(value: unknown): { index: number; detail: string }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const { index, detail } = (entry ?? {}) as Record<string, unknown>;
    return typeof index === "number" && typeof detail === "string" ? [{ index, detail }] : [];
  });
}

/** One POST of gzip NDJSON; a broken connection is a reply as well. */
export async function postObservations(
  connection: Connection,
  body: string,
  key: string,
  signal: AbortSignal,
): Promise<Reply> {
  try {
    const response = await fetch(siteUrl(connection, "observations"), {
      method: "POST",
      headers: {
        authorization: `Bearer ${connection.token}`,
        "content-type": "application/x-ndjson",
        "content-encoding": "gzip",
        "idempotency-key": key,
      },
      body: Uint8Array.from(gzipSync(body)),
      // The token is for this server only.
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    const text = await response.text();
    return {
      status: response.status,
      retryAfter: response.headers.get("retry-after") ?? undefined,
      body: parsed(text),
    };
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { error: `no answer from ${connection.url.host} (${errorText(cause)})` };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Observations that the site has accepted since it exists; `undefined` when the token may not read, or nobody answers. */
export async function acceptedEver(connection: Connection, signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await fetch(siteUrl(connection, "summary"), {
      headers: { authorization: `Bearer ${connection.token}` },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(ABSENT_MS)]),
    });
    const answer = (await response.json()) as { since_start?: { accepted?: unknown }; partial?: unknown };
    // With a shard missing the sum is too small, which would look like lost data.
    if (answer.partial !== undefined) return undefined;
    const { since_start } = answer;
    return typeof since_start?.accepted === "number" ? since_start.accepted : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
