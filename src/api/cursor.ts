/** Pages of lists. Their cursors are opaque to users, and bound to the query that made them or the id of an item. */
import { Problem } from "../base/problem.ts";
import { base64url } from "../base/random.ts";
import { json } from "./call.ts";

interface Position {
  /** The query that the cursor belongs to. */
  query: string;
  value: number;
  ja4: string;
}

export function encodeCursor(position: Position): string {
  return base64url(new TextEncoder().encode(JSON.stringify([position.query, position.value, position.ja4])));
}

/** Throws 400 for what is no cursor, or one of another query. */
export function decodeCursor(text: string, query: string): { value: number; ja4: string } {
  const broken = () => new Problem(400, "cursor", "Query parameter cursor: not a cursor of this list.");
  let parts: unknown;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    );
    parts = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw broken();
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw broken();
  const [madeFor, value, ja4] = parts as unknown[];
  if (madeFor !== query || typeof value !== "number" || typeof ja4 !== "string") throw broken();
  return { value, ja4 };
}

/** 400: `what` names an event that the feed has not had yet. */
export function futureCursor(what: string): Problem {
  return new Problem(400, "future_cursor", `${what} is newer than the newest event.`);
}

/** Of a list's query, in the OpenAPI document. */
export const PAGE_DESCRIPTIONS = { limit: "Rows a page.", cursor: "`next_cursor` of the page before." };

/** The first `limit` of what was found; `next`: the last one's id, where more were found. */
export function firstPage<T extends { id: string }>(
  found: readonly T[],
  limit: number,
): { items: T[]; next: string | undefined } {
  const items = found.slice(0, limit);
  return { items, next: found.length > limit ? items[items.length - 1]?.id : undefined };
}

/** A page as it is answered: with `next_cursor` and a `Link`, the same URL with that cursor, or as the last one without. */
export function pageAnswer(url: URL, page: object, nextCursor: string | undefined): Response {
  if (nextCursor === undefined) return json(page);
  const next = new URL(url);
  next.searchParams.set("cursor", nextCursor);
  const link = `<${next.pathname}${next.search}>; rel="next"`;
  return json({ ...page, next_cursor: nextCursor }, 200, { link });
}
