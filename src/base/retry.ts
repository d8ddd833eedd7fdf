/** Repeats of calls that are harmless to repeat: at once, or with pauses that grow. */

export interface RetryDeps {
  tries: number;
  /** Waits; in production `scheduler.wait`. */
  wait(ms: number): Promise<void>;
  /** In [0, 1). */
  random(): number;
}

const FIRST_PAUSE_MS = 50;

/**
 * Calls until it succeeds or the tries are used up; then throws what the last one threw. The pause doubles and is
 * jittered. An overloaded object is not asked again: that is how one keeps it overloaded
 * (https://developers.cloudflare.com/durable-objects/best-practices/error-handling/).
 */
export async function retry<T>(call: () => Promise<T>, { tries, wait, random }: RetryDeps): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      if (tried >= tries || isOverloaded(error)) throw error;
      await wait(FIRST_PAUSE_MS * 2 ** (tried - 1) * (0.5 + random()));
    }
  }
}

/** Whether what was thrown says that an object has too much to do: the platform's own error, or ours. */
export function isOverloaded(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && (error as { overloaded?: unknown }).overloaded === true
  );
}

/** Room above a pause that the jitter may take, as a part of it. */
const JITTER = 0.5;

/**
 * Pause after so many failures in a row (from 1), ms: `firstMs`, doubled by each further one, with a jitter upwards so that
 * senders that failed together come back apart; `maxMs` at most. `random`: in [0, 1).
 */
export function backOffMs(failures: number, firstMs: number, maxMs: number, random: number): number {
  const leastMs = Math.min(firstMs * 2 ** (failures - 1), maxMs / (1 + JITTER));
  return Math.round(leastMs * (1 + JITTER * random));
}
