/** Milliseconds that `work` takes, and what it answers. */
export function elapsed<T>(work: () => T): { ms: number; value: T } {
  const from = process.hrtime.bigint();
  const value = work();
  return { ms: Number(process.hrtime.bigint() - from) / 1e6, value };
}
