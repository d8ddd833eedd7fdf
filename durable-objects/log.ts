/**
 * Log lines: one JSON object each, of allow-listed fields. An error's message may repeat what a caller sent (addresses,
 * tokens), so only its class is written.
 */
export interface LogFields {
  event: string;
  site?: string;
  shard?: number;
  instance?: string;
  /** Class of the error; never its message. */
  error?: string;
  count?: number;
  configured?: number;
  stored?: number;
}

export function logWarning(fields: LogFields): void {
  console.warn(JSON.stringify(fields));
}

export function errorClass(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown;
}
