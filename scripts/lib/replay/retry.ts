/** What follows from an answer, or from none: pure, so that the policy can be tested as a table. */
import { detailOf, retryAfterMs } from "../http.ts";

/** What came back of one try. */
export type Reply =
  | { readonly status: number; readonly retryAfter: string | undefined; readonly body: unknown }
  | { readonly error: string };

export type Decision =
  | { readonly next: "done" }
  | { readonly next: "fail"; readonly why: string }
  | { readonly next: "wait"; readonly ms: number; readonly why: string };

const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 15_000;
/** The same key is still running: it ends soon, or its lease does (60 s). */
const RUNNING_PAUSE_MS = 1_000;

/** `tries`: how many tries of this piece have been made. `random` in [0, 1). */
export function decide(reply: Reply, tries: number, random: number, nowMs: number): Decision {
  const backOff = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), PAUSE_MAX_MS);
  const jittered = Math.round(backOff * (0.5 + random / 2));
  if ("error" in reply) return { next: "wait", ms: jittered, why: reply.error };
  const { status } = reply;
  if (status === 202) return { next: "done" };
  const asked = retryAfterMs(reply.retryAfter, nowMs);
  if (status === 409)
    return { next: "wait", ms: asked ?? RUNNING_PAUSE_MS, why: "the same piece is being taken" };
  // The key makes a repeat harmless even where a part of it was counted.
  if (status === 429 || status >= 500) {
    return { next: "wait", ms: Math.max(asked ?? 0, jittered), why: `the server answers ${status}` };
  }
  return { next: "fail", why: `the server answers ${status}: ${detailOf(reply.body)}` };
}
