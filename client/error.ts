/** What a server's refusal becomes. */
import type { Schemas } from "./generated.ts";

/** A problem document (RFC 9457). */
export type Problem = Schemas["Problem"];

const DETAIL_MAX_CHARS = 16 * 1024;

/** The server answered, and the answer is no. What never reached a server is thrown as `fetch` throws it. */
export class HelloTideError extends Error {
  override readonly name = "HelloTideError";
  /** HTTP status; of a feed that the server closed for good, 401. */
  readonly status: number;
  /** Absent when what answered is no HelloTide, such as a proxy on the way. */
  readonly problem: Problem | undefined;
  /** As the answer's `Retry-After` says. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, problem?: Problem, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Reads a failed answer to its end. `nowMs` is what a `Retry-After` date is compared with. */
export async function errorOf(response: Response, nowMs: number): Promise<HelloTideError> {
  const text = (await response.text().catch(() => "")).slice(0, DETAIL_MAX_CHARS);
  const problem = problemOf(text);
  const message = `${response.status}: ${problem?.detail ?? problem?.title ?? "no detail"}`;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), nowMs);
  return new HelloTideError(response.status, message, problem, retryAfterMs);
}

function problemOf(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isProblem = typeof value === "object" && value !== null && "title" in value && "status" in value;
    return isProblem ? (value as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds, or an HTTP date (RFC 9110 §10.2.3), as ms from now; at least 0. */
export function parseRetryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
