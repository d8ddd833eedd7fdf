/** When a long-running script should end: a signal, or the death of whoever started it. */

const PARENT_POLL_MS = 500;

/**
 * Aborted by SIGTERM, SIGINT or SIGHUP, and when the parent process is gone:
 * after SIGKILL of `npm run serve` nobody else would tell this process.
 */
export function untilStopped(): AbortSignal {
  const controller = new AbortController();
  const stop = () => controller.abort();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, stop);

  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_POLL_MS);
  timer.unref();

  // Whoever read the output may be gone first; a lost line must not end the server.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return controller.signal;
}
