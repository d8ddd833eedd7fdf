/** Typed columns that grow. */

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** The column itself when it holds `length` entries, else a copy with room for them and at least twice what it had. */
export function grown<T extends Column>(column: T, length: number): T {
  if (length <= column.length) return column;
  const Larger = column.constructor as new (length: number) => T;
  const larger = new Larger(Math.max(length, 2 * column.length));
  larger.set(column);
  return larger;
}
