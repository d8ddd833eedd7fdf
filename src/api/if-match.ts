/** ETags and `If-Match` of what users write: the ETag is the revision of the site's settings at the last write. */
import * as z from "zod/mini";
import { Problem } from "../base/problem.ts";
import type { Parameter } from "./call.ts";
import type { IfMatch } from "./objects.ts";

export const ifMatchParameter: Parameter = {
  name: "If-Match",
  in: "header",
  description: "ETags; the write happens only when the resource still has one of them.",
  schema: z.optional(z.string()),
};

export function etag(revision: number): Record<string, string> {
  return { etag: `"${revision}"` };
}

/** Strong comparison (RFC 9110 §13.1.1): a weak tag matches nothing. */
export function parseIfMatch(request: Request): IfMatch {
  const header = request.headers.get("if-match");
  if (header === null) return undefined;
  if (header.trim() === "*") return "any";
  return header.split(",").flatMap((tag) => {
    const revision = /^\s*"(\d+)"\s*$/.exec(tag)?.[1];
    return revision === undefined ? [] : Number(revision);
  });
}

/** 412: somebody else wrote it meanwhile. */
export function changedSince(what: string): Problem {
  return new Problem(412, "if_match", `The ${what} has changed since: If-Match does not hold.`);
}
