/** One fingerprint: what it does here, what it does worldwide, and what that says. */
import type { HelloTide, Schemas } from "../../client/index.ts";
import { compact, count, percent, words } from "../format.ts";
import { collect, useLoad } from "../load.ts";
import { hrefOf } from "../route.ts";
import { EXPLAINED, type Explained } from "../signals.ts";
import {
  Await,
  Copy,
  Empty,
  Ja4,
  Kind,
  Names,
  Partial,
  Section,
  Severity,
  Table,
  Time,
} from "../ui/parts.tsx";
import { TimelineChart } from "../ui/timeline.tsx";

const REFRESH_MS = 5_000;
const ANOMALIES_MAX = 50;
const WINDOWS = ["1m", "5m", "1h"] as const;
const DISTINCT = ["reqs", "ips", "uas", "paths", "asns", "hosts"] as const;

export function FingerprintPage({ api, site: name, ja4 }: { api: HelloTide; site: string; ja4: string }) {
  const site = api.site(name);
  const loaded = useLoad(
    `${name} ${ja4}`,
    async (signal) => {
      const [one, timeline, anomalies] = await Promise.all([
        site.fingerprint(ja4, { signal }),
        site.timeline(ja4, { signal }),
        collect(site.anomalies({ ja4 }), ANOMALIES_MAX, signal),
      ]);
      return { one, timeline, anomalies: anomalies.rows };
    },
    REFRESH_MS,
  );
  const related = useLoad(`related ${name} ${ja4}`, (signal) => site.related(ja4, { signal }));
  return (
    <>
      <h1 class="ja4">
        <code>{ja4}</code> <Copy text={ja4} label="the fingerprint" />
      </h1>
      <Await of={loaded}>
        {({ one, timeline, anomalies }) => (
          <>
            <Partial of={one.partial} />
            <p>
              <Names names={one.names} /> first seen <Time at={one.first_seen} />, last{" "}
              <Time at={one.last_seen} />
              {one.score !== undefined && (
                <>
                  {" "}
                  · score <b>{one.score}</b>
                </>
              )}
              {one.sampled === true && " · its share of requests is estimated, there were too many"}
            </p>
            <Section title="The last hour">
              <TimelineChart timeline={timeline} anomalies={anomalies} />
              <Anomalies events={anomalies} />
            </Section>
            <Section title="Here and worldwide">
              <Signals one={one} />
            </Section>
            <Section title="How many">
              <Distinct one={one} />
            </Section>
            <Section title="If it were blocked">
              <Blocking one={one} />
            </Section>
            {one.bot_score !== undefined && (
              <Section title="Bot scores">
                <BotScores of={one.bot_score} />
              </Section>
            )}
          </>
        )}
      </Await>
      <Section title="Related">
        <Await of={related}>{(found) => <RelatedLists of={found} site={name} />}</Await>
      </Section>
    </>
  );
}

function Anomalies({ events }: { events: readonly { readonly data: Schemas["Anomaly"] | object }[] }) {
  const rows = events.flatMap(({ data }) => ("score" in data ? [data as Schemas["Anomaly"]] : []));
  if (rows.length === 0) return <Empty>No anomaly is kept of it.</Empty>;
  return (
    <ul class="plain">
      {rows.map(({ anomaly_id, severity, started_at, ended_at, kind, summary }) => (
        <li key={anomaly_id}>
          <Severity of={severity} isOver={ended_at !== undefined} /> <Time at={started_at} />{" "}
          <Kind name={kind} /> {summary}
        </li>
      ))}
    </ul>
  );
}

function Signals({ one }: { one: Schemas["Fingerprint"] }) {
  return (
    <>
      {one.global === undefined && (
        <Empty>
          Cloudflare has told nothing of this fingerprint within the last hour: there is nothing to compare
          with.
        </Empty>
      )}
      <Table
        label="Signals here and worldwide"
        head={["signal", "here", "worldwide", "both, 95 %", "divergence"]}
      >
        {EXPLAINED.map((explained) => (
          <SignalRow key={explained.signal} explained={explained} one={one} />
        ))}
      </Table>
    </>
  );
}

function SignalRow({
  explained: { signal, form, text },
  one,
}: {
  explained: Explained;
  one: Schemas["Fingerprint"];
}) {
  const local = one.local[signal];
  const global = one.global?.[signal];
  const combined = one.combined?.[signal as keyof NonNullable<typeof one.combined>];
  const divergence = one.divergence.find((found) => found.signal === signal);
  const show = (value: number | undefined) => (form === "rank" ? count(value) : percent(value));
  return (
    <tr>
      <th scope="row">
        {words(signal.replace("_1h", ""))}
        <small>{text}</small>
      </th>
      <td>
        {form !== "rank" && <Bar value={local} interval={combined} />}
        {show(local)}
      </td>
      <td>
        {form !== "rank" && <Bar value={global} />}
        {show(global)}
      </td>
      <td>{combined === undefined ? "" : `${percent(combined.low)} – ${percent(combined.high)}`}</td>
      <td>
        {divergence !== undefined && (
          <span title={`expected here ${percent(divergence.expected)}, p = ${divergence.p}`}>
            {count(divergence.score)}
          </span>
        )}
      </td>
    </tr>
  );
}

/** A share as a bar, with an interval over it. */
function Bar({ value, interval }: { value: number | undefined; interval?: Schemas["Combined"] | undefined }) {
  if (value === undefined) return null;
  return (
    <svg class="share-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
      <rect class="ground" width="100" height="10" />
      <rect class="value" width={100 * value} height="10" />
      {interval !== undefined && (
        <rect
          class="interval"
          x={100 * interval.low}
          y="4"
          width={Math.max(100 * (interval.high - interval.low), 0.6)}
          height="2"
        />
      )}
    </svg>
  );
}

function Distinct({ one }: { one: Schemas["Fingerprint"] }) {
  return (
    <Table
      label="Requests and distinct counts by window"
      head={["window", ...DISTINCT.map(heading), "errors", "bots"]}
    >
      {WINDOWS.map((name) => {
        const window = one.windows[name];
        return (
          <tr key={name}>
            <th scope="row">{name}</th>
            {DISTINCT.map((column) => (
              <td key={column}>{count(window[column])}</td>
            ))}
            <td>{percent(window.error_ratio)}</td>
            <td>{percent(window.bot_ratio)}</td>
          </tr>
        );
      })}
    </Table>
  );
}

function heading(column: (typeof DISTINCT)[number]): string {
  return {
    reqs: "requests",
    ips: "addresses",
    uas: "user agents",
    paths: "paths",
    asns: "networks",
    hosts: "hosts",
  }[column];
}

function Blocking({ one }: { one: Schemas["Fingerprint"] }) {
  const { blast_radius: radius, waf_expression: expression } = one;
  return (
    <>
      {radius !== undefined && (
        <p>
          It is <b>{percent(radius.share_of_reqs)}</b> of this site's requests of the last hour
          {radius.share_of_browser_reqs !== undefined && (
            <>
              {" "}
              and <b>{percent(radius.share_of_browser_reqs)}</b> of those by browsers
            </>
          )}
          : that much would be gone.
        </p>
      )}
      {expression !== undefined && (
        <p class="code">
          <code>{expression}</code> <Copy text={expression} label="the WAF expression" />
        </p>
      )}
      {radius === undefined && expression === undefined && (
        <Empty>It sent nothing within the last hour.</Empty>
      )}
    </>
  );
}

function BotScores({ of: { histogram, detection_ids: ids } }: { of: Schemas["BotScore"] }) {
  const most = Math.max(...histogram.map(([, reqs]) => reqs), 1);
  return (
    <>
      <svg
        class="histogram"
        viewBox="0 0 100 30"
        preserveAspectRatio="none"
        role="img"
        aria-label="Requests by bot score, 1 to 99"
      >
        {histogram.map(([score, reqs]) => (
          <rect key={score} x={score} width="0.9" y={30 - (30 * reqs) / most} height={(30 * reqs) / most}>
            <title>
              score {score}: {count(reqs)} requests
            </title>
          </rect>
        ))}
      </svg>
      <p class="quiet">1 = surely automated, 99 = surely a person.</p>
      {ids.length > 0 && (
        <p>
          Detections:{" "}
          {ids.map(([id, reqs]) => (
            <span key={id} class="tag">
              {id} <small>{compact(reqs)}</small>
            </span>
          ))}
        </p>
      )}
    </>
  );
}

const PARTS = [
  ["a", "same protocol, version, counts and ALPN"],
  ["b", "same ciphers"],
  ["c", "same extensions"],
] as const;

function RelatedLists({ of: found, site }: { of: Schemas["Related"]; site: string }) {
  return (
    <div class="columns">
      {PARTS.map(([part, text]) => (
        <div key={part}>
          <h3>{text}</h3>
          {found.same[part].length === 0 ? (
            <Empty>none</Empty>
          ) : (
            <ul class="plain">
              {found.same[part].map(({ ja4, reqs }) => (
                <li key={ja4}>
                  <Ja4 site={site} ja4={ja4} /> <span class="quiet">{compact(reqs)}/h</span>
                </li>
              ))}
            </ul>
          )}
        </div>
      ))}
      <p>
        <a href={hrefOf({ page: "families", site })}>All families</a>
      </p>
    </div>
  );
}
