/** The one place with timers: bounds on how long an object waits. A timer never outlives its wait. */

/** Somebody was waited for in vain; the call may still do its work. */
export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}

/** The promise's outcome, or a TimeoutError after `ms`. What it still does later is nobody's business any more. */
export async function withTimeout<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeoutError(`${what} did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

/** Until `wake` resolves, but no longer than `ms`. */
export async function pause(wake: Promise<void>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([wake, over]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
