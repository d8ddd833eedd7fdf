/** States what must hold at this line; a failure is a bug of ours, never of a caller's input. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${what}`);
}
