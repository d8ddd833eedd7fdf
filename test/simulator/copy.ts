/** What a call's parameters and answers become on the way: plain data, copied. Anything else is an error of the caller's. */

/** A copy as `structuredClone` makes it, of what the objects send each other; faster, since most of it is small. */
export function copied(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    if (typeof value === "function" || typeof value === "symbol")
      throw new TypeError(`a ${typeof value} cannot cross a call`);
    return value;
  }
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copied);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return structuredClone(value);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copied((value as Record<string, unknown>)[key]);
  return copy;
}
