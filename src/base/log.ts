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
  /** What an object does by itself. */
  duty?: string;
}

export type Log = (fields: LogFields) => void;

/** One line on the console, where the platform collects it. */
export const logWarning: Log = (fields) => console.warn(JSON.stringify(fields));

/** The class of an error, of its cause where it has one; never a message. */
export function errorClass(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  return thrown.cause instanceof Error ? thrown.cause.name : thrown.name;
}
