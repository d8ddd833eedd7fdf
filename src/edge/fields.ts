/** Untrusted objects, looked at without making new ones. */

type Fields = Record<string, unknown>;

const NOTHING: Fields = Object.freeze({});

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object, or an empty one. */
export function objectOf(value: unknown): Fields {
  return isFields(value) ? value : NOTHING;
}

export function isEmptyObject(value: unknown): boolean {
  if (!isFields(value)) return false;
  // Most are `{}`, which this loop leaves at once; a list of the keys would be made only to be counted.
  for (const key in value) if (Object.hasOwn(value, key)) return false;
  return true;
}

/** What users and the platform write for "not known". */
export function isAbsent(value: unknown): value is undefined | null | "" {
  return value === undefined || value === null || value === "";
}
