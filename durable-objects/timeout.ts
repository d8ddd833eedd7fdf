/** The one place with a timer: a bound on how long an object waits for another. The timer never outlives the wait. */

class TimeoutError extends Error {
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
