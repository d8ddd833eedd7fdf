/** Cursors of lists: opaque to users, bound to the query that made them; of the feed: what is wrong with them. */
import { Problem } from "../base/problem.ts";
import { base64url } from "../base/random.ts";

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

/** `Link` to the next page: the same URL with another cursor. */
export function nextLink(url: URL, cursor: string): Record<string, string> {
  const next = new URL(url);
  next.searchParams.set("cursor", cursor);
  return { link: `<${next.pathname}${next.search}>; rel="next"` };
}
