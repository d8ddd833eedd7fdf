/** Schema checks of what users write, with a pointer to each fault. */

import { en } from "zod/locales";
import * as z from "zod/mini";
import { type Fault, Problem } from "../base/problem.ts";

// Without a locale every message is "Invalid input".
z.config(en());

/** RFC 6901. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function faultsOf(issues: readonly z.core.$ZodIssue[], at: readonly PropertyKey[] = []): Fault[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ pointer: pointerOf([...path, key]), detail: "unknown key" }));
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      // Of the forms that were allowed, the one with the fewest faults is the one that was meant.
      const meant = issue.errors.reduce((best, other) => (other.length < best.length ? other : best));
      return faultsOf(meant, path);
    }
    return { pointer: pointerOf(path), detail: issue.message };
  });
}

/** No setting is nested deeper than a few levels; a body of brackets alone would overflow the stack of whoever walks it. */
export const JSON_DEPTH_MAX = 64;

/** In what users write `null` means absent: object members that are null are left out, at every depth. */
function withoutNulls(value: unknown, depth = 0): unknown {
  if (depth > JSON_DEPTH_MAX) {
    const errors = [{ pointer: "", detail: `nested deeper than ${JSON_DEPTH_MAX} levels` }];
    throw new Problem(422, "invalid", "The body has values that are not allowed.", { errors });
  }
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) =>
      member === null ? [] : [[key, withoutNulls(member, depth + 1)]],
    ),
  );
}

/** The parsed value. Throws 422 with every fault. */
export function validate<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(withoutNulls(value));
  if (result.success) return result.data;
  const errors = faultsOf(result.error.issues);
  throw new Problem(422, "invalid", "The body has values that are not allowed.", { errors });
}

/** Query parameters by a schema of strings; throws 400 that names the parameter. */
export function validateQuery<T extends z.ZodMiniObject>(schema: T, query: URLSearchParams): z.output<T> {
  const given = Object.keys(schema.shape).flatMap((name) => {
    const value = query.get(name);
    return value === null || value === "" ? [] : [[name, value] as const];
  });
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const fault = result.error.issues[0]!;
  throw new Problem(400, "query", `Query parameter ${String(fault.path[0])}: ${fault.message}.`);
}
