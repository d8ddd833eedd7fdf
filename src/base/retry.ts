/** Repeats of calls that are harmless to repeat. */

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

function isOverloaded(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && (error as { overloaded?: unknown }).overloaded === true
  );
}
