/** Holds an answer to an example: the same members with the same types, at every depth. */
import { isRecord } from "../../support/json-schema.ts";

/**
 * Where `value` is not as `example`; empty when it is. Every member of the example must be there, of its type; a list's
 * first item says what every item is, an empty list nothing. `optional` names members, as dotted paths, that may be absent.
 */
export function shapeFaults(
  value: unknown,
  example: unknown,
  optional: readonly string[] = [],
  at = "",
): string[] {
  if (Array.isArray(example)) {
    if (!Array.isArray(value)) return [`${at}: ${typeOf(value)} instead of a list`];
    if (example.length === 0) return [];
    // Items of several types are a tuple.
    if (new Set(example.map(typeOf)).size > 1) {
      return example.flatMap((item, i) => shapeFaults(value[i], item, optional, `${at}[${i}]`));
    }
    return value.flatMap((item, i) => shapeFaults(item, example[0], optional, `${at}[${i}]`));
  }
  if (!isRecord(example)) {
    if (typeOf(value) === typeOf(example)) return [];
    return [`${at}: ${typeOf(value)} instead of ${typeOf(example)}`];
  }
  if (!isRecord(value)) return [`${at}: ${typeOf(value)} instead of an object`];
  return Object.entries(example).flatMap(([name, member]) => {
    const path = at === "" ? name : `${at}.${name}`;
    if (name in value) return shapeFaults(value[name], member, optional, path);
    return optional.includes(path.replaceAll(/\[\d+\]/g, "")) ? [] : [`${path}: absent`];
  });
}

/** RFC 3339 times are a type of their own: a time is no other text. */
function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "string") return Array.isArray(value) ? "list" : typeof value;
  return value === "…" || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) ? "time" : "string";
}
