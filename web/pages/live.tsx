/** What happens now: the feed in episodes, newest first. */
import { Component } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { HelloTide } from "../../client/index.ts";
import { type Episode, matches } from "../feed/episodes.ts";
import { useLive } from "../feed/live.ts";
import { count, DAY_MS, HOUR_MS, lasting, percent, words } from "../format.ts";
import { choose } from "../location.ts";
import type { Route } from "../route.ts";
import { KIND_CHOICES } from "../signals.ts";
import { Select, Text, useAction } from "../ui/form.tsx";
import { Empty, Failure, Ja4, Kind, Severity, Time } from "../ui/parts.tsx";

const SHOWN = 100;
const SILENCES: readonly (readonly [string, number])[] = [
  ["1 h", HOUR_MS],
  ["24 h", DAY_MS],
  ["7 days", 7 * DAY_MS],
];
export function LivePage({ api, site, route }: { api: HelloTide; site: string; route: Route }) {
  const live = useLive(api, site);
  const [open, setOpen] = useState("");
  const [frozen, setFrozen] = useState<{ list: readonly Episode[]; events: number }>();
  const filter = {
    kind: route.query.get("kind") ?? "",
    severity: route.query.get("severity") ?? "",
    state: route.query.get("state") ?? "",
    ja4: route.query.get("ja4") ?? "",
  };
  const list = (frozen?.list ?? live.episodes.list).filter((one) => matches(one, filter));
  const pause = () =>
    setFrozen((old) => (old === undefined ? { list: live.episodes.list, events: live.events } : undefined));
  useKeys({ p: pause });
  const missed = frozen === undefined ? 0 : live.events - frozen.events;
  return (
    <>
      <div class="bar">
        <span class={`status ${live.status.state}`} role="status">
          {live.status.text}
        </span>
        <span>
          <b>{count(live.episodes.active)}</b> active
        </span>
        <button type="button" class="small" aria-pressed={frozen !== undefined} onClick={pause} title="key p">
          {frozen === undefined ? "Pause" : `Go on (${missed} new)`}
        </button>
      </div>
      <div class="fields filters">
        <Select
          label="Kind"
          value={filter.kind}
          options={KIND_CHOICES}
          onValue={(to) => choose(route, "kind", to)}
        />
        <Select
          label="At least"
          value={filter.severity}
          options={[
            ["", "info"],
            ["warning", "warning"],
            ["critical", "critical"],
          ]}
          onValue={(to) => choose(route, "severity", to)}
        />
        <Select
          label="State"
          value={filter.state}
          options={[
            ["", "active and over"],
            ["active", "active"],
            ["over", "over"],
          ]}
          onValue={(to) => choose(route, "state", to)}
        />
        <Text
          label="Fingerprint"
          value={filter.ja4}
          placeholder="t13d1516h2_*"
          onValue={(to) => choose(route, "ja4", to)}
        />
      </div>
      <ol class="episodes" aria-label="Episodes, newest first">
        {list.slice(0, SHOWN).map((episode) => (
          <EpisodeRow
            key={episode.id}
            episode={episode}
            isOpen={open === episode.id}
            api={api}
            site={site}
            onOpen={setOpen}
          />
        ))}
      </ol>
      {list.length > SHOWN && (
        <p class="quiet">and {count(list.length - SHOWN)} older ones; narrow the filters to see them</p>
      )}
      {list.length === 0 &&
        (live.isLoaded ? (
          <Empty>
            Nothing strange that these filters let through. What happens next appears here by itself.
          </Empty>
        ) : (
          <div class="loading">Loading …</div>
        ))}
    </>
  );
}

interface RowProps {
  readonly episode: Episode;
  readonly isOpen: boolean;
  readonly api: HelloTide;
  readonly site: string;
  onOpen(id: string): void;
}

/** Drawn anew only when its own episode changed: a feed of 50 events a second has a hundred rows that did not. */
class EpisodeRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.episode !== this.props.episode || next.isOpen !== this.props.isOpen;
  }

  override render({ episode, isOpen, api, site, onOpen }: RowProps) {
    const { data } = episode.event;
    const endMs = data.ended_at === undefined ? undefined : Date.parse(data.ended_at);
    return (
      <li class={episode.isOver ? "over" : ""}>
        <button
          type="button"
          class="episode"
          aria-expanded={isOpen}
          onClick={() => onOpen(isOpen ? "" : episode.id)}
        >
          <Severity of={data.severity} isOver={episode.isOver} />
          <Time at={data.started_at} />
          <Kind name={data.kind} />
          <span class="what">{data.summary}</span>
          <span class="quiet">
            {endMs === undefined ? "active" : `over after ${lasting(endMs - episode.startedMs)}`}
            {data.silenced && " · silenced"}
            {data.grouped && " · grouped"}
          </span>
        </button>
        {"ja4" in data && data.ja4 !== undefined && <Ja4 site={site} ja4={data.ja4} />}
        {isOpen && <Details episode={episode} api={api} site={site} />}
      </li>
    );
  }
}

function Details({ episode, api, site }: { episode: Episode; api: HelloTide; site: string }) {
  const { data } = episode.event;
  return (
    <div class="details">
      {"because" in data && (
        <dl>
          {data.because.map(({ signal, local, expected, global }) => (
            <div key={signal}>
              <dt>{words(signal)}</dt>
              <dd>
                <b>{count(local)}</b> here, {count(expected)} expected
                {global !== undefined && <>, {count(global)} worldwide</>}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {"evidence" in data && <EvidenceList evidence={data.evidence} />}
      {"score" in data && (
        <p class="quiet">
          score {data.score} · window {data.window} · {data.unit} · {count(episode.events)}{" "}
          {episode.events === 1 ? "event" : "events"} seen
          {data.reason !== undefined && ` · ${words(data.reason)}`}
        </p>
      )}
      <Judgement episode={episode} api={api} site={site} />
    </div>
  );
}

type EvidenceOf = Extract<Episode["event"]["data"], { evidence: unknown }>["evidence"];

function EvidenceList({ evidence }: { evidence: EvidenceOf }) {
  const groups: readonly (readonly [string, readonly (readonly [string | number, number])[]])[] = [
    ["paths", evidence.paths],
    ["hosts", evidence.hosts],
    ["networks", evidence.asns.map(([asn, share]) => [`AS${asn}`, share] as const)],
    ["statuses", evidence.statuses],
    ["methods", evidence.methods],
  ];
  return (
    <dl>
      {groups.map(([name, rows]) =>
        rows.length === 0 ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {rows.map(([what, share]) => (
                <span key={what} class="share">
                  <code>{what}</code> {percent(share)}
                </span>
              ))}
            </dd>
          </div>
        ),
      )}
      {evidence.ray_ids.length > 0 && (
        <div>
          <dt>ray ids</dt>
          <dd>
            {evidence.ray_ids.map((ray) => (
              <code key={ray}>{ray} </code>
            ))}
          </dd>
        </div>
      )}
    </dl>
  );
}

/** Whether it was a true one, and quiet for a while: two clicks each at most. */
function Judgement({ episode, api, site }: { episode: Episode; api: HelloTide; site: string }) {
  const { data } = episode.event;
  const { run, error, isBusy } = useAction();
  const [said, setSaid] = useState("");
  const [isSilencing, setSilencing] = useState(false);
  const judge = (verdict: "true" | "false") =>
    run(async () => {
      await api.site(site).feedback(episode.id, { verdict });
      setSaid(`Marked as ${verdict === "true" ? "a true one" : "a false one"}.`);
    });
  const silence = (label: string, ms: number) =>
    run(async () => {
      const ja4 = "ja4" in data ? data.ja4 : undefined;
      const until = new Date(Date.now() + ms).toISOString();
      const kinds = data.kind === "threshold" ? undefined : [data.kind];
      await api.site(site).silences.create({
        until,
        reason: `from the dashboard: ${data.summary}`.slice(0, 200),
        ...(ja4 === undefined ? {} : { ja4 }),
        ...(kinds === undefined ? {} : { kinds }),
      });
      setSilencing(false);
      setSaid(`Silenced for ${label}.`);
    });
  return (
    <div class="actions">
      <button type="button" class="small" disabled={isBusy} onClick={() => void judge("true")}>
        True
      </button>
      <button type="button" class="small" disabled={isBusy} onClick={() => void judge("false")}>
        False alarm
      </button>
      <button
        type="button"
        class="small"
        aria-expanded={isSilencing}
        onClick={() => setSilencing(!isSilencing)}
      >
        Silence …
      </button>
      {isSilencing &&
        SILENCES.map(([label, ms]) => (
          <button
            key={label}
            type="button"
            class="small"
            disabled={isBusy}
            onClick={() => void silence(label, ms)}
          >
            for {label}
          </button>
        ))}
      <span role="status">{said}</span>
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}

/** Keys of a view: not while something is typed. `j` and `k` go from row to row. */
function useKeys(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const { target, key } = event;
      const isTyping = target instanceof HTMLElement && target.closest("input, select, textarea") !== null;
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      latest.current[key]?.();
      if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
      if (key === "/") {
        event.preventDefault();
        document.querySelector<HTMLElement>(".filters input")?.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("button.episode")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
