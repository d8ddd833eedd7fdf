/** The feed on the page: what is kept already and what happens from now on, over any number of connections. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { HelloTide } from "../../client/index.ts";
import { sayError } from "../session.ts";
import { Episodes } from "./episodes.ts";

export interface FeedStatus {
  readonly state: "connecting" | "live" | "waiting" | "failed";
  readonly text: string;
}

/** What is there when the view opens. */
const KEPT_MAX = 200;
/** The screen follows four times a second, however many events come. */
const REDRAW_MS = 250;

export interface Live {
  readonly episodes: Episodes;
  readonly status: FeedStatus;
  readonly events: number;
  /** Whether what was kept has arrived. */
  readonly isLoaded: boolean;
}

export function useLive(api: HelloTide, siteName: string): Live {
  const [status, setStatus] = useState<FeedStatus>({ state: "connecting", text: "Connecting …" });
  const [isLoaded, setLoaded] = useState(false);
  const [, redraw] = useState(0);
  const store = useRef({ episodes: new Episodes(), events: 0 });
  useEffect(() => {
    const own = { episodes: new Episodes(), events: 0 };
    store.current = own;
    setLoaded(false);
    setStatus({ state: "connecting", text: "Connecting …" });
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        redraw((old) => old + 1);
      }, REDRAW_MS);
    };
    const site = api.site(siteName);
    let wasLost = false;
    const feed = site.feed({
      signal: abort.signal,
      silenced: true,
      onState: (state) => {
        if (state.state === "waiting") {
          wasLost = true;
          const seconds = Math.max(Math.round(state.pauseMs / 1_000), 1);
          setStatus({ state: "waiting", text: `Connection lost (${state.why}); again in ${seconds} s` });
          return;
        }
        setStatus({ state: "live", text: wasLost ? "Live again, nothing missed" : "Live" });
      },
      onGap: ({ from, to }) =>
        setStatus({ state: "live", text: `Live; events ${from}–${to ?? "now"} are no longer kept` }),
    });
    const failed = (error: unknown) => {
      if (!abort.signal.aborted) setStatus({ state: "failed", text: sayError(error) });
    };
    const follow = async () => {
      for await (const event of feed) {
        own.episodes.take(event);
        own.events++;
        changed();
      }
    };
    const readKept = async () => {
      let rows = 0;
      for await (const event of site.anomalies({ limit: KEPT_MAX })) {
        own.episodes.take(event);
        if (++rows >= KEPT_MAX || abort.signal.aborted) break;
      }
      setLoaded(true);
      changed();
    };
    // Both at once: an event that comes by both ways counts once, so nothing between the two is lost.
    follow().catch(failed);
    readKept().catch(failed);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [api, siteName]);
  return { ...store.current, status, isLoaded };
}
