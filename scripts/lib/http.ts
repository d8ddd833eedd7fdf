/** What answers of the server say beside their status. */

const RETRY_AFTER_MAX_MS = 60_000;

/** Seconds, or an HTTP date (RFC 9110 §10.2.3). */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

/** The sentence of a problem document (RFC 9457). */
export function detailOf(body: unknown): string {
  const problem =
    typeof body === "object" && body !== null ? (body as { detail?: unknown; title?: unknown }) : {};
  if (typeof problem.detail === "string") return problem.detail;
  return typeof problem.title === "string" ? problem.title : "no detail";
}
