/** Data of a view: loaded, kept fresh while the tab is seen, and kept on the screen when a refresh fails. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  reload(): void;
}

/** `load` is called anew when `key` changes, and every `everyMs` while the page is visible. */
export function useLoad<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  everyMs?: number,
): Loaded<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: unknown }>({ key });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const go = async () => {
      try {
        const data = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState({ key, data });
      } catch (error) {
        if (!abort.signal.aborted) setState((old) => ({ ...(old.key === key ? old : { key }), error }));
      }
      if (everyMs !== undefined && !abort.signal.aborted) timer = setTimeout(next, everyMs);
    };
    // A tab that nobody looks at asks for nothing.
    const next = () => (document.hidden ? undefined : void go());
    const seen = () => {
      if (document.hidden || everyMs === undefined) return;
      clearTimeout(timer);
      void go();
    };
    void go();
    document.addEventListener("visibilitychange", seen);
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, everyMs, round]);
  const reload = useCallback(() => setRound((old) => old + 1), []);
  const isOurs = state.key === key;
  return { data: isOurs ? state.data : undefined, error: isOurs ? state.error : undefined, reload };
}

/** Rows of all pages up to `max`, shown as they come. */
export async function collect<T>(
  rows: AsyncIterable<T>,
  max: number,
  signal: AbortSignal,
): Promise<{ rows: readonly T[]; more: boolean }> {
  const all: T[] = [];
  for await (const row of rows) {
    if (signal.aborted || all.length >= max) return { rows: all, more: true };
    all.push(row);
  }
  return { rows: all, more: false };
}
