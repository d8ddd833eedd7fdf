/** How the site and its shards are, and what was dropped, with the reason for each. */
import type { HelloTide, Schemas } from "../../client/index.ts";
import { compact, count, percent, words } from "../format.ts";
import { useLoad } from "../load.ts";
import { COUNTERS } from "../signals.ts";
import { Await, Partial, Section, Table, Time } from "../ui/parts.tsx";

const REFRESH_MS = 5_000;
const WINDOWS = ["1m", "5m", "1h"] as const;

export function SummaryPage({ api, site }: { api: HelloTide; site: string }) {
  const loaded = useLoad(site, (signal) => api.site(site).summary({ signal }), REFRESH_MS);
  return (
    <>
      <h1>Summary</h1>
      <Await of={loaded}>
        {(summary) => (
          <>
            <Partial of={summary.partial} />
            <p>
              As of <Time at={summary.as_of} />
              {summary.ranks_as_of !== undefined && (
                <>
                  , ranks as of <Time at={summary.ranks_as_of} />
                </>
              )}
              {summary.sampled === true && " · requests are sampled, there are too many to count each"}
            </p>
            {summary.warm_up !== undefined && (
              <p class="notice">
                Warming up until <Time at={summary.warm_up.until} />: not told yet are{" "}
                {summary.warm_up.kinds.map(words).join(", ")}.
              </p>
            )}
            <Section title="Traffic">
              <Traffic windows={summary.windows} />
            </Section>
            <Section title="What became of each request, since the start">
              <Counters of={summary.since_start} />
            </Section>
            <Section title="Sources">
              <Table label="Sources" head={["source", "requests"]}>
                {Object.entries(summary.sources).map(([source, reqs]) => (
                  <tr key={source}>
                    <th scope="row">{source}</th>
                    <td>{count(reqs)}</td>
                  </tr>
                ))}
              </Table>
            </Section>
            <Section title="Shards">
              <Shards of={summary.shards} />
            </Section>
          </>
        )}
      </Await>
    </>
  );
}

function Traffic({ windows }: { windows: Schemas["Summary"]["windows"] }) {
  const part = (some: number, reqs: number) => `${count(some)} (${reqs === 0 ? "–" : percent(some / reqs)})`;
  return (
    <Table
      label="Traffic by window"
      head={["window", "requests", "fingerprints", "without JA4", "without signals"]}
    >
      {WINDOWS.map((name) => {
        const { reqs, fingerprints, without_ja4, without_signals } = windows[name];
        return (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{count(reqs)}</td>
            <td>{count(fingerprints)}</td>
            <td>{part(without_ja4, reqs)}</td>
            <td>{part(without_signals, reqs)}</td>
          </tr>
        );
      })}
    </Table>
  );
}

function Counters({ of }: { of: Schemas["Summary"]["since_start"] }) {
  return (
    <Table label="Counters" head={["counter", "requests", "what it means"]}>
      {(Object.keys(COUNTERS) as (keyof typeof COUNTERS)[]).map((name) => (
        <tr key={name} class={name !== "accepted" && of[name] > 0 ? "some" : ""}>
          <th scope="row">{words(name)}</th>
          <td>{count(of[name])}</td>
          <td class="text">{COUNTERS[name]}</td>
        </tr>
      ))}
    </Table>
  );
}

function Shards({ of }: { of: Schemas["Summary"]["shards"] }) {
  return (
    <Table
      label="Shards"
      head={["shard", "as of", "fingerprints", "memory", "evicted", "folded", "calls refused"]}
    >
      {of.map((shard) => (
        <tr key={shard.shard}>
          <th scope="row">{shard.shard}</th>
          <td>
            <Time at={shard.as_of} />
          </td>
          <td>{count(shard.fingerprints)}</td>
          <td>{compact(shard.bytes)}B</td>
          <td>{count(shard.evicted)}</td>
          <td>{count(shard.folded)}</td>
          <td>{count(shard.calls_refused)}</td>
        </tr>
      ))}
    </Table>
  );
}
